"""Instants: what was written is read, to the microsecond, whatever zone the session is in; and the driver's slow parser is not asked."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pg8000 import converters
from sqlalchemy import bindparam, cast, select, text

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.types import UtcDateTime

_ZONES = ("UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati")
_INSTANTS = (
    datetime(2026, 3, 29, 0, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 30, 0, 120000, tzinfo=UTC),
    datetime(1883, 11, 18, 12, 0, tzinfo=UTC),  # zones had odd seconds then
    datetime(9999, 12, 30, 23, 59, 59, 1, tzinfo=UTC),
)


@pytest.fixture
def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails whatever asks the parser of dates of any form."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("an instant of the database was guessed at")

    monkeypatch.setattr(converters, "parse", refuse)


@pytest.mark.usefixtures("no_parser")
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize("zone", _ZONES)
def test_instants_when_read_in_a_session_of_any_zone_then_they_are_what_was_written(
    database: Database, zone: str
) -> None:
    query = select(cast(bindparam("at", type_=UtcDateTime()), UtcDateTime()))
    with database.read() as connection:
        connection.execute(text("SELECT set_config('timezone', :zone, true)"), {"zone": zone})
        read = [connection.execute(query, {"at": each}).scalar_one() for each in _INSTANTS]

    assert read == list(_INSTANTS)
    assert {each.tzinfo for each in read} == {UTC}
