"""A database that hangs, is locked by another program or may not be written: each is told in words, and passes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from fastflow.kernel.db.engine import Database
from fastflow.kit.errors import Unavailable


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_postgresql_when_it_says_nothing_then_it_counts_as_away_and_is_asked_anew_later(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Database(database_url, silence_seconds=0.3)) as database:
        for transaction in (database.read, database.write):
            with pytest.raises(Unavailable, match="takes connections and says nothing"), transaction() as connection:
                connection.execute(text("SELECT pg_sleep(1)"))
            database.ping()
        with closing(database.unhurried()) as unhurried, unhurried.read() as connection:
            connection.execute(text("SELECT pg_sleep(0.4)"))
    assert caplog.text == ""


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_sqlite_when_locked_by_another_program_then_it_is_told_and_passes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastflow.kernel.db.engine.SQLITE_BUSY_TIMEOUT_SECONDS", 0.05)
    path = Path(str(database.url.database))
    with closing(Database(f"sqlite:///{path}")) as impatient, closing(sqlite3.connect(path)) as shell:
        shell.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable, match="locked by another program") as raised, impatient.write():
            pass
        assert "sqlite3 shell" in raised.value.hint
        shell.rollback()
        with impatient.write():
            pass


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_sqlite_when_read_only_then_it_is_told_in_words(database: Database) -> None:
    with pytest.raises(Unavailable, match="is read-only") as raised, database.write() as connection:
        connection.execute(text("PRAGMA query_only = 1"))
        connection.execute(text("DELETE FROM pipeline"))
    assert raised.value.code == "database_read_only"
    database.engine.dispose()  # the pragma goes with its connection
