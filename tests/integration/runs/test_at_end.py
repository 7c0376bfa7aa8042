"""The seam at a run's end: features act once, with the end or not at all, and never keep a run from ending."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.run import Run, failure
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.at_end import AtEnd, EndedRun
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kernel.runs.infra.queueing import put_in_queue
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.runs.ports import Admission, Verdict
from fastflow.kit.identity import SYSTEM
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run

NOW = START


class Follower:
    """Submits a run of pipeline `after` for each end of `demo`."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []
        self.made: list[str] = []

    def run_ended(self, connection: Connection, ended: EndedRun, now: datetime) -> bool:
        whole = ended.load(connection)
        assert (whole.id, whole.status, whole.reason) == (ended.id, ended.status, ended.reason)
        self.seen.append((ended.pipeline_name, ended.reason))
        if ended.pipeline_name != "demo":
            return False
        run = make_run("after", queued_at=now)
        self.made.append(run.id)
        put_in_queue(connection, run, actor=SYSTEM, action="run.submit", detail={})
        return True


class Faulty:
    """Breaks its own write after it was made."""

    def run_ended(self, connection: Connection, ended: EndedRun, _now: datetime) -> bool:
        connection.execute(text("UPDATE run SET reason_text = 'half' WHERE id = :id"), {"id": ended.id})
        put_in_queue(connection, make_run(id=ended.id), actor=SYSTEM, action="run.submit", detail={})  # the id is taken
        return True


def running(database: Database, run: Run, *at_end: AtEnd) -> tuple[SqlLeaseStore, command.Finish]:
    SqlSubmitStore(database).insert(run, admission=None, actor=SYSTEM, action="run.submit", detail={})
    store = SqlLeaseStore(database, at_end=at_end)
    store.apply([command.Claim(owner="me", host="host-1", max_concurrent=9, limit=9)], NOW)
    lease = command.Lease(run_id=run.id, token=1)
    return store, command.Finish(lease=lease, ending=failure("exit", "x", NOW))


def all_ids(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(text("SELECT id FROM run")).scalars())


def test_end_when_written_lets_the_feature_write_once(database: Database) -> None:
    follower, run = Follower(), make_run()
    store, finish = running(database, run, follower)
    done, late = store.apply([finish, finish], NOW)
    assert (done.applied, done.queued, late.applied) == (True, True, False)
    assert follower.seen == [("demo", "exit")] and all_ids(database) == {run.id, *follower.made}


def test_end_when_the_transaction_is_undone_leaves_nothing_of_the_feature(database: Database) -> None:
    follower, run = Follower(), make_run()
    store, finish = running(database, run, follower, Faulty())
    (error,) = store.apply([finish], NOW)
    assert isinstance(error, Exception) and all_ids(database) == {run.id}
    found = SqlReadStore(database).find(run.id)
    assert found is not None and found.status is RunStatus.RUNNING


def test_end_when_guarded_is_written_without_the_feature_that_fails(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    follower, run = Follower(), make_run()
    store, finish = running(database, run, Faulty(), follower)
    guarded = command.Finish(lease=finish.lease, ending=finish.ending, guarded=True)
    assert store.apply([guarded], NOW) == [command.Finished(applied=True, queued=True)]
    found = SqlReadStore(database).find(run.id)
    assert found is not None and (found.status, found.reason_text) == (RunStatus.FAILED, "x")
    assert all_ids(database) == {run.id, *follower.made}
    assert "at_end.failed" in [record.message for record in caplog.records]


def test_end_when_somebody_else_writes_it_passes_the_same_seam(database: Database) -> None:
    follower = Follower()
    submits, store = SqlSubmitStore(database, at_end=[follower]), SqlLeaseStore(database, at_end=[follower])
    waits, too_long = make_run("waits"), make_run("late", wait_deadline=NOW)
    arrived = make_run("arrived", status=RunStatus.FAILED, reason="cancelled", finished_at=NOW)
    for run in (waits, too_long, arrived):
        submits.insert(run, admission=None, actor=SYSTEM, action="run.submit", detail={})
    submits.cancel(waits.id, at=NOW, actor=SYSTEM, why="no need")
    (swept,) = store.apply([command.Sweep(host="host-1")], NOW)
    assert swept == command.Swept(ended=[too_long.id])
    assert follower.seen == [("arrived", "cancelled"), ("waits", "cancelled"), ("late", "timeout")]


def test_end_when_a_host_is_lost_passes_the_same_seam(database: Database) -> None:
    follower, run = Follower(), make_run()
    store, _ = running(database, run, follower)
    (swept,) = store.apply([command.Sweep(host="host-2")], NOW + timedelta(hours=1))
    assert swept == command.Swept(ended=[run.id], queued=True) and follower.seen == [("demo", "lost")]


def test_end_when_a_newcomer_replaces_a_waiting_run_passes_the_same_seam(database: Database) -> None:
    follower = Follower()
    submits = SqlSubmitStore(database, at_end=[follower])
    old, new = make_run("old"), make_run("old")
    submits.insert(old, admission=None, actor=SYSTEM, action="run.submit", detail={})
    admission = Admission(
        decide=lambda run, active, _: Verdict(run=run, cancel=active, why="replaced"),
        needs_active=True,
        needs_occupancy=False,
    )
    submits.insert(new, admission=admission, actor=SYSTEM, action="run.submit", detail={})
    assert follower.seen == [("old", "cancelled")]
