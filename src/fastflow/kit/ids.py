"""Identifiers: UUIDv7, so that sorting by id is sorting by creation time."""

import re
from uuid import UUID

import uuid6

from fastflow.kit.errors import InvalidInput


def new_id() -> str:
    """A fresh UUIDv7 in its canonical text form; later calls sort after earlier ones."""
    return str(uuid6.uuid7())


def parse_id(text: str, field: str = "id") -> str:
    """The canonical form of `text`.

    Raises:
        InvalidInput: `text` is no UUID; retrying cannot help.
    """
    try:
        return str(UUID(text))
    except ValueError as error:
        raise InvalidInput(
            f"{text[:80]!r} is not a UUID.",
            code="invalid_id",
            hint="Take the id as the API returned it, for example 01890f7e-7c4b-7cc0-8000-000000000000.",
            fields={field: "not a UUID"},
        ) from error


SHORTEST_TAIL = 6
"""Digits at the end of an id that may stand for it. The beginning of a UUIDv7 is its time, alike for ids of one moment."""
_SHOWN_TAIL = 8
_GROUPS = (12, 4, 4, 4, 8)


def short_id(text: str) -> str:
    """The end of an id, as lists show it: long enough to be the only one among thousands.

    >>> short_id("019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e")
    '1b0c9d8e'
    """
    return text[-_SHOWN_TAIL:]


def parse_tail(text: str, field: str = "id") -> str:
    """The end of an id in its canonical form, with dashes where an id has them.

    Raises:
        InvalidInput: `text` is not 6 to 32 hexadecimal digits.

    >>> parse_tail("8000-3F2A1B0C9D8E"), parse_tail("0c9d8e")
    ('8000-3f2a1b0c9d8e', '0c9d8e')
    """
    digits = text.replace("-", "").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_TAIL},32}}", digits):
        raise InvalidInput(
            f"{text[:80]!r} is not the end of an id.",
            code="invalid_id",
            hint=f"Give the last {SHORTEST_TAIL} or more digits of an id, which are 0 to 9 and a to f.",
            fields={field: f"{text[:80]!r} is not the end of an id"},
        )
    groups: list[str] = []
    for size in _GROUPS:
        groups.insert(0, digits[-size:])
        digits = digits[:-size]
        if not digits:
            break
    return "-".join(groups)
