"""Identifiers: UUIDv7, so that sorting by id is sorting by creation time."""

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
