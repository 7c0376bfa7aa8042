"""Finding a thing of a list by its id or the end of it."""

import re
from collections.abc import Mapping
from typing import Any

from fastflow.cli.client import Api, part
from fastflow.kit.errors import Conflict, NotFound

_ID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_TAIL = re.compile(r"[0-9a-fA-F-]{6,36}")
_PAGE = 500
_MOST_PAGES = 20


def find_by_tail(api: Api, path: str, reference: str, what: str) -> Mapping[str, Any]:
    """The thing that is meant.

    Args:
        api: to ask.
        path: of the list.
        reference: the id, or at least 6 digits of its end.
        what: is looked for, in a word.

    Raises:
        NotFound: there is none.
        Conflict: several ids end like that.
    """
    if _ID.fullmatch(reference):
        found: Mapping[str, Any] = api.get(f"{path}/{part(reference)}")
        return found
    matches: list[Mapping[str, Any]] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES if _TAIL.fullmatch(reference) else 0):
        page = api.get(path, limit=_PAGE, cursor=cursor)
        matches += [one for one in page["items"] if str(one["id"]).endswith(reference.lower())]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    if not matches:
        raise NotFound(
            f"No {what} has an id that ends with {reference[:80]!r}.",
            code=f"{what.replace(' ', '_')}_not_found",
            hint=f"Give the id, or the last 6 or more digits of one; `GET {path}` shows them.",
        )
    if len(matches) > 1:
        raise Conflict(
            "\n  ".join([f"The ids of several end with {reference!r}:", *(str(one["id"]) for one in matches[:10])]),
            code="ambiguous_id",
            hint="Give more digits of the one that is meant.",
        )
    return matches[0]
