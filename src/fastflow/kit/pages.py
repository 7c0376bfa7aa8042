"""Keyset pages: a list answer and the opaque cursor that continues it."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastflow.kit.errors import InvalidInput

T = TypeVar("T")

MAX_PAGE_SIZE = 500
DEFAULT_PAGE_SIZE = 50


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list.

    Attributes:
        items: the rows, in the list's order.
        next_cursor: hand it back to continue; None on the last page.
    """

    items: Sequence[T]
    next_cursor: str | None


def encode_cursor(*keys: str | int) -> str:
    """An opaque cursor holding the sort keys of the last row of a page."""
    return base64.urlsafe_b64encode(json.dumps(list(keys)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kinds: tuple[type, ...]) -> tuple[str | int, ...]:
    """The sort keys in `cursor`, whose types must be `kinds`.

    Raises:
        InvalidInput: the cursor was not made by `encode_cursor` for this list.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        keys = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, UnicodeError, RecursionError) as error:
        raise bad_cursor() from error
    if not isinstance(keys, list) or len(keys) != len(kinds):
        raise bad_cursor()
    if any(type(key) is not kind for key, kind in zip(keys, kinds, strict=True)):
        raise bad_cursor()
    if not all(_is_storable(key) for key in keys):
        raise bad_cursor()
    return tuple(keys)


def _is_storable(key: str | int) -> bool:
    """Whether a database can compare with the key: no cursor of ours holds anything else."""
    return key.isprintable() if isinstance(key, str) else abs(key) < 2**63


def bad_cursor() -> InvalidInput:
    """The error for a cursor that the list has not given out."""
    return InvalidInput(
        "The cursor is not one that this list has given out.",
        code="invalid_cursor",
        hint="Pass `next_cursor` of the previous page unchanged, or leave `cursor` away to start at the first page.",
        fields={"cursor": "not one that this list has given out"},
    )
