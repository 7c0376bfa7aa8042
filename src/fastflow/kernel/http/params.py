"""Query parameters and headers that several rooms share."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Header, Query
from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from fastflow.kit.pages import MAX_PAGE_SIZE

Text = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f]*$")]
"""One line of text to compare with; control characters, which no database holds in a name, are refused."""

_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:")


def _written_out(value: Any) -> Any:
    """Refuse the numbers that the validator would take for seconds, or milliseconds, since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE_AND_TIME.match(value)):
        return value
    raise PydanticCustomError("datetime_parsing", "is no instant")


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9999, 12, 30, tzinfo=UTC)),
]
"""An instant with its offset, written as ISO 8601 does, of years that every time zone and database can hold."""

Cursor = Annotated[
    str | None, Query(max_length=2000, description="`next_cursor` of the previous page; leave it away for the first.")
]
TraceHeader = Annotated[
    str | None,
    Header(
        alias="traceparent",
        description="W3C Trace Context: what runs belongs to this trace. What cannot be understood is passed over.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Rows on a page.")]
