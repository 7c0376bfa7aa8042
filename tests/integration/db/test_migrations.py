"""Databases that earlier releases wrote, brought up to date with what is in them."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, delete, insert, select, text

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import alembic_config, current_revision, head_revision, migrate
from fastflow.kernel.runs.infra.rows import EVENT, RUN
from fastflow.testing.postgres import PostgresServer

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def first(request: pytest.FixtureRequest, database_kind: str, data_dir: Path) -> Iterator[Database]:
    """A database at the first revision."""
    if database_kind == "sqlite":
        with closing(Database(f"sqlite:///{data_dir / 'first.db'}")) as opened:
            _upgrade(opened, "0001")
            yield opened
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"first_{data_dir.name.removeprefix('ff-')}"
    with closing(Database(server.create_database(name))) as opened:
        _upgrade(opened, "0001")
        yield opened
    server.drop_database(name)


def _upgrade(database: Database, revision: str) -> None:
    config = alembic_config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _add(connection: Connection, table: str, **values: Any) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)


def _add_run(connection: Connection, run_id: str, tree_hash: str) -> None:
    _add(
        connection,
        "run",
        id=run_id,
        pipeline_name="first",
        status="SUCCESS",
        trigger="api",
        submitted_by="user:ada",
        params=json.dumps({"CITY": "Oslo"}),
        executor="process",
        priority=0,
        queue_rank=0,
        capsule=json.dumps({"tree_hash": tree_hash, "script": "main.py"}),
        queued_at=AT.isoformat(),
        finished_at=AT.isoformat(),
        lease_token=1,
        attempt_token=1,
    )


def _add_event(connection: Connection, run_id: str, number: int) -> None:
    data = json.dumps({"number": number})
    _add(connection, "run_event", run_id=run_id, at=AT.isoformat(), kind="metric", data=data, source_offset=number)


def test_first_schema_when_brought_up_then_its_runs_and_events_are_whole(first: Database) -> None:
    with first.write() as connection:
        _add_run(connection, "run-1", "a" * 64)
        _add_run(connection, "run-2", "b" * 64)
        for number in range(3):
            _add_event(connection, f"run-{number % 2 + 1}", number)
    assert current_revision(first) == "0001"

    migrate(first)

    assert current_revision(first) == head_revision()
    with first.read() as connection:
        runs = connection.execute(select(RUN.c.id, RUN.c.tree_hash, RUN.c.params).order_by(RUN.c.id)).all()
        events = connection.execute(select(EVENT).order_by(EVENT.c.id)).all()
    assert [tuple(run) for run in runs] == [
        ("run-1", "a" * 64, {"CITY": "Oslo"}),
        ("run-2", "b" * 64, {"CITY": "Oslo"}),
    ]
    assert [(event.id, event.run_id, event.data, event.source_offset) for event in events] == [
        (1, "run-1", {"number": 0}, 0),
        (2, "run-2", {"number": 1}, 1),
        (3, "run-1", {"number": 2}, 2),
    ]


def test_event_ids_when_the_newest_rows_are_deleted_then_none_is_given_out_again(first: Database) -> None:
    with first.write() as connection:
        _add_run(connection, "run-1", "a" * 64)
        for number in range(3):
            _add_event(connection, "run-1", number)
    migrate(first)

    with first.write() as connection:
        connection.execute(delete(EVENT).where(EVENT.c.id >= 2))
    with first.write() as connection:
        row = {"run_id": "run-1", "at": AT, "kind": "metric", "data": {}, "source_offset": 9}
        connection.execute(insert(EVENT), [row])
        assert connection.execute(select(EVENT.c.id).order_by(EVENT.c.id)).scalars().all() == [1, 4]
        # a run that goes takes its events with it, and an event is still told once
        with pytest.raises(Exception, match=r"(?i)unique"), connection.begin_nested():
            connection.execute(insert(EVENT), [row])
        connection.execute(delete(RUN))
        assert connection.execute(select(EVENT.c.id)).all() == []
