"""Query parameters that every list shares."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, Field, StringConstraints

from fastflow.kit.pages import MAX_PAGE_SIZE

Text = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f]*$")]
"""One line of text to compare with; control characters, which no database holds in a name, are refused."""

Instant = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9999, 12, 30, tzinfo=UTC))]
"""An instant with its offset, of years that every time zone and database can hold."""

Cursor = Annotated[
    str | None, Query(max_length=2000, description="`next_cursor` of the previous page; leave it away for the first.")
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Rows on a page.")]
