"""The audit log is a chain: whatever is done to it behind the product's back is found, and where."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import delete, insert, select, text, update

from fastflow.kernel.audit import record
from fastflow.kernel.audit.domain.entries import AuditFilter
from fastflow.kernel.audit.infra.chain import AUDIT, HEAD
from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.audit.wiring import build_audit
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import alembic_config, migrate
from fastflow.kit.errors import NotFound
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.testing.clock import FakeClock

ANN = Actor(name="user:ann", role=Role.ADMIN, address="127.0.0.1")
DETAIL = {"name": "Zoë", "n": 3, "f": 0.1, "e": 1e22, "whole": 2.0, "none": None, "list": [1, {"x": True}], "": ""}


def _write(database: Database, clock: FakeClock, count: int = 1) -> None:
    for _ in range(count):
        with database.write() as connection:
            record(connection, at=clock.now(), actor=ANN, action="test.change", subject="thing", detail=DETAIL)


@pytest.fixture
def audit(database: Database, clock: FakeClock) -> AuditLog:
    """Ten entries, one a minute."""
    for _ in range(10):
        _write(database, clock)
        clock.advance(60)
    return build_audit(database, clock=clock)


def test_log_when_untouched_holds_and_tells_its_end(audit: AuditLog, database: Database, clock: FakeClock) -> None:
    found = audit.verify()
    assert (found.checked, found.broken, found.removed) == (10, None, 0)
    assert found.anchor == audit.anchor()
    _write(database, clock)
    assert audit.verify(found.anchor).broken is None
    assert audit.anchor() != found.anchor


def test_change_when_rolled_back_leaves_the_chain_as_it_was(
    audit: AuditLog, database: Database, clock: FakeClock
) -> None:
    anchor = audit.anchor()
    with pytest.raises(RuntimeError), database.write() as connection:
        record(connection, at=clock.now(), actor=SYSTEM, action="test.lost", subject="x")
        raise RuntimeError
    assert audit.anchor() == anchor
    assert audit.verify().checked == 10


def _change(database: Database, ids: list[int]) -> int:
    with database.write() as connection:
        connection.execute(update(AUDIT).where(AUDIT.c.id == ids[3]).values(actor="user:bob"))
    return ids[3]


def _change_and_rehash(database: Database, ids: list[int]) -> int:
    with database.write() as connection:
        connection.execute(update(AUDIT).where(AUDIT.c.id == ids[3]).values(actor="user:bob", hash="f" * 64))
    return ids[3]


def _delete(database: Database, ids: list[int]) -> int:
    with database.write() as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.id.in_(ids[4:6])))
    return ids[6]


def _delete_the_first(database: Database, ids: list[int]) -> int:
    with database.write() as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.id == ids[0]))
    return ids[1]


def _insert(database: Database, ids: list[int]) -> int:
    with database.write() as connection:
        row = dict(connection.execute(select(AUDIT).where(AUDIT.c.id == ids[9])).mappings().one())
        connection.execute(insert(AUDIT), {**row, "id": ids[9] + 1, "seq": 11, "previous": row["hash"]})
    return ids[9] + 1


def _reorder(database: Database, ids: list[int]) -> int:
    with database.write() as connection:
        for number, seq in ((2, -1), (3, 3), (2, 4)):
            connection.execute(update(AUDIT).where(AUDIT.c.id == ids[number]).values(seq=seq))
    return ids[3]


def _truncate(database: Database, ids: list[int]) -> int:
    with database.write() as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.id.in_(ids[8:])))
    return ids[7]


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (_change, "changed after it was written"),
        (_change_and_rehash, "changed after it was written"),
        (_delete, "2 entries are missing before it"),
        (_delete_the_first, "1 entry is missing before it"),
        (_insert, "changed after it was written"),
        (_reorder, "does not follow the entry before it"),
        (_truncate, "2 entries after it are missing"),
    ],
)
def test_log_when_tampered_with_names_the_first_entry_that_does_not_hold(
    audit: AuditLog, database: Database, tamper: Callable[[Database, list[int]], int], problem: str
) -> None:
    ids = sorted(entry.id for entry in audit.list(limit=100).items)
    expected = tamper(database, ids)
    broken = audit.verify().broken
    assert broken is not None
    assert broken.entry_id == expected
    assert problem in broken.problem
    assert audit.verify().anchor is None


def test_end_when_cut_off_with_its_record_is_shown_by_an_anchor_alone(audit: AuditLog, database: Database) -> None:
    anchor = audit.anchor()
    with database.write() as connection:
        kept = connection.execute(select(AUDIT).where(AUDIT.c.seq == 7)).mappings().one()
        connection.execute(delete(AUDIT).where(AUDIT.c.seq > 7))
        connection.execute(update(HEAD).values(seq=7, hash=kept["hash"]))
    assert audit.verify().broken is None, "nothing in the database shows it"
    broken = audit.verify(anchor).broken
    assert broken is not None
    assert (broken.entry_id, "the anchor shows one with the number 10" in broken.problem) == (kept["id"], True)


def test_retention_when_it_removes_leaves_a_checkpoint_that_the_chain_begins_at(
    audit: AuditLog, database: Database, clock: FakeClock
) -> None:
    anchor = audit.anchor()
    keeper = build_audit(database, retention_days=1, clock=clock)
    clock.advance(86_400 - 5 * 60)
    keeper.keep()
    found = audit.verify(anchor)
    assert (found.broken, found.removed, found.checked) == (None, 5, 6)
    clock.advance(86_401)
    _write(database, clock, 2)
    keeper.keep()
    keeper.keep()
    found = audit.verify(anchor)
    assert (found.broken, found.removed, found.checked) == (None, 11, 3)
    (checkpoint,) = audit.list(AuditFilter(action="audit.checkpoint")).items
    assert checkpoint.detail["removed"] == 6
    with database.write() as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.action == "test.change"))
    broken = audit.verify().broken
    assert broken is not None and "missing before it" in broken.problem


def test_writers_when_many_at_once_wait_for_nobody_and_every_lane_holds(
    database: Database, clock: FakeClock, audit: AuditLog
) -> None:
    together = threading.Barrier(1 if database.is_sqlite else 4)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(10):
                with database.write() as connection:
                    record(connection, at=clock.now(), actor=ANN, action="test.first", subject="x")
                    together.wait(30)  # all of them hold a lane at this moment
                    record(connection, at=clock.now(), actor=ANN, action="test.second", subject="x")
        except BaseException as error:
            failed.append(error)
            together.abort()
            raise

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    found = audit.verify()
    assert (found.checked, found.broken) == (90, None)
    assert found.lanes == (1 if database.is_sqlite else 4)


def test_export_when_asked_gives_every_entry_oldest_first(audit: AuditLog, clock: FakeClock) -> None:
    entries = list(audit.export())
    assert [entry.seq for entry in entries] == list(range(1, 11))
    late = list(audit.export(AuditFilter(since=clock.now() - timedelta(minutes=3), until=clock.now())))
    assert [entry.seq for entry in late] == [8, 9, 10]


def test_entry_when_asked_by_its_number_then_that_one_or_none(audit: AuditLog) -> None:
    newest, second = audit.list(limit=2).items
    assert audit.get(second.id) == second
    with pytest.raises(NotFound, match="no entry"):
        audit.get(newest.id + 1)


def test_migration_when_there_are_entries_chains_them_in_their_order(data_dir: Path, clock: FakeClock) -> None:
    with closing(Database(f"sqlite:///{data_dir / 'old.db'}")) as old:
        migrate(old)
        config = alembic_config()
        with old.write() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0012")
            for number in range(3):
                connection.execute(
                    text(
                        "INSERT INTO audit (at, actor, action, subject, detail) VALUES "
                        "('2026-11-21 04:35:18.000000', 'system', 'test.old', :subject, '{\"n\": 1.50}')"
                    ),
                    {"subject": str(number)},
                )
        migrate(old)
        _write(old, clock)
        audit = build_audit(old, clock=clock)
        assert [entry.subject for entry in audit.export()] == ["0", "1", "2", "thing"]
        found = audit.verify()
        assert (found.checked, found.lanes, found.broken) == (4, 1, None)
