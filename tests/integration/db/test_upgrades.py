"""Every schema there ever was, with rows in all of its tables, is brought up with nothing of them lost."""

import logging
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import JSON, Boolean, DateTime, Float, Integer, MetaData, String, Table, insert, inspect, select, text
from sqlalchemy import types as kinds

from fastflow.kernel.db import migrate as migrating
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import alembic_config, current_revision, head_revision, known_revisions, migrate
from fastflow.kit.errors import Unavailable
from fastflow.testing.postgres import PostgresServer

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FORGOTTEN = "user_session"
"""Emptied by 0014 on purpose: whoever was logged in logs in again."""

Rows = dict[str, dict[str, Any]]


@pytest.fixture
def empty(request: pytest.FixtureRequest, database_kind: str, data_dir: Path) -> Any:
    """The URL of a database without any table."""
    if database_kind == "sqlite":
        yield f"sqlite:///{data_dir / 'fastflow.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"old_{data_dir.name.removeprefix('ff-')}"
    yield server.create_database(name)
    server.drop_database(name)


def bring_to(database: Database, revision: str) -> None:
    config = alembic_config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def fill(database: Database, number: int, rows: Rows) -> None:
    """A row in every table that has none yet; they are noted in `rows`."""
    left_out = {"alembic_version", "audit", "audit_head"}  # the chain of the audit log has tests of its own
    with database.write() as connection:
        fresh = set(inspect(connection).get_table_names()) - rows.keys() - left_out
        found = MetaData()
        found.reflect(connection, only=sorted(fresh))
        for table in found.sorted_tables:
            if table.name in fresh:
                rows[table.name] = {
                    column.name: value_of(column, number, rows, is_sqlite=database.is_sqlite)
                    for column in table.columns
                }
                connection.execute(insert(table), rows[table.name])


def value_of(column: Any, number: int, rows: Rows, *, is_sqlite: bool) -> Any:
    for key in column.foreign_keys:
        return rows[key.column.table.name][key.column.name]
    kind = column.type
    if isinstance(kind, JSON):
        return {"number": number}
    if isinstance(kind, DateTime):
        return AT.replace(tzinfo=None) if is_sqlite else AT
    if isinstance(kind, Boolean):
        return number % 2 == 0
    if isinstance(kind, Integer):
        return 1000 + number
    if isinstance(kind, Float | kinds.REAL | kinds.DOUBLE):
        return number + 0.5
    if isinstance(kind, kinds.LargeBinary):
        return f"{column.name}-{number}".encode()
    assert isinstance(kind, String), (column, kind)
    return f"{column.name}-{number}"[-(kind.length or 99) :]


def still_there(database: Database, table: Table, row: dict[str, Any]) -> bool:
    known = {name: value for name, value in row.items() if name in table.columns}
    key = [table.c[column.name] == known[column.name] for column in table.primary_key]
    with database.read() as connection:
        found = connection.execute(select(*(table.c[name] for name in known)).where(*key)).first()
    return found is not None and dict(found._mapping) == known


def test_schema_when_of_any_revision_and_full_of_rows_then_it_is_brought_up_and_keeps_them(empty: str) -> None:
    rows: Rows = {}
    with closing(Database(empty)) as database:
        for revision in sorted(known_revisions()):  # at each, no table is empty
            if revision == "0014":
                rows.pop(FORGOTTEN)
            bring_to(database, revision)
            fill(database, int(revision), rows)
        now = MetaData()
        with database.read() as connection:
            now.reflect(connection)
        assert rows.keys() > {"run", "run_event", "schedule", "flow_step", "sync", "daemon", FORGOTTEN}
        assert [name for name, row in rows.items() if not still_there(database, now.tables[name], row)] == []
        assert current_revision(database) == head_revision()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_sqlite_when_brought_up_then_the_database_as_it_was_lies_beside_it(
    empty: str, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Database(empty)) as database:
        bring_to(database, "0003")
        fill(database, 3, {})
        (data_dir / "fastflow.db.before-0002").write_text("of an earlier upgrade")
        with caplog.at_level(logging.INFO):
            migrate(database)
    kept = data_dir / "fastflow.db.before-0003"
    assert kept.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(kept)) as before:
        assert before.execute("SELECT version_num FROM alembic_version").fetchall() == [("0003",)]
        assert before.execute("SELECT count(*) FROM run").fetchall() == [(1,)]
    assert sorted(path.name for path in data_dir.glob("*before*")) == [kept.name]
    assert "schema.upgraded" in caplog.text


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_sqlite_when_it_cannot_be_copied_first_then_it_stays_as_it_is(
    empty: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_what: Any) -> None:
        raise OSError(28, "No space left on device")

    with closing(Database(empty)) as database:
        bring_to(database, "0003")
        monkeypatch.setattr(migrating, "_copy", full)
        with pytest.raises(Unavailable, match="No space left on device") as raised:
            migrate(database)
        assert raised.value.code == "upgrade_not_begun"
        assert current_revision(database) == "0003"
    assert list(data_dir.glob("*before*")) == []


def test_schema_when_of_a_newer_release_then_it_is_refused_in_words(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="schema 9999") as raised:
        migrate(database)
    assert raised.value.code == "schema_too_new"
    assert "install that release, or restore a backup" in raised.value.hint
