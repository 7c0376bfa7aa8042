"""The run stores on real databases: order of the queue, limits, retention, plans."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Select, select, text

from fastflow.kernel.db.engine import Database
from fastflow.kernel.executors.port import RunKey, ToldEvent
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.run import Artifact, Ending, Run, RunFilter, failure
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.claim_query import _IN_ORDER, _OF_PIPELINE, _pending_pipelines
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kernel.runs.infra.read_store import SqlReadStore, _page, _Stretch
from fastflow.kernel.runs.infra.retention_store import SqlRetentionStore
from fastflow.kernel.runs.infra.rows import RUN_COLUMNS
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.runs.infra.tallies import _query
from fastflow.kit.identity import SYSTEM
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run

NOW = START


def add(database: Database, *runs: Run) -> tuple[Run, ...]:
    store = SqlSubmitStore(database)
    for run in runs:
        store.insert(run, admission=None, actor=SYSTEM, action="run.submit", detail={})
    return runs


def claim(
    database: Database, limit: int = 10, max_concurrent: int = 100, owner: str = "owner", host: str = "host-1"
) -> list[str]:
    wanted = command.Claim(owner=owner, host=host, max_concurrent=max_concurrent, limit=limit)
    (claimed,) = SqlLeaseStore(database).apply([wanted], NOW)
    return [run.id for run in claimed.runs]


def found(database: Database, run: Run) -> Run:
    run_now = SqlReadStore(database).find(run.id)
    assert run_now is not None
    return run_now


def lease(run: Run, token: int = 1) -> command.Lease:
    return command.Lease(run_id=run.id, token=token)


def test_claim_when_priorities_differ_takes_highest_first_then_oldest(database: Database) -> None:
    low, high, high_later, mid = add(
        database, make_run(priority=-1), make_run(priority=9), make_run(priority=9), make_run(priority=1)
    )
    assert claim(database) == [high.id, high_later.id, mid.id, low.id]


def test_claim_when_pipeline_and_key_limits_hold_passes_over_the_blocked(database: Database) -> None:
    narrow = [make_run("narrow", pipeline_limit=2, priority=5) for _ in range(30)]
    keyed = [make_run("keyed", concurrency_key="a", key_limit=1, priority=4) for _ in range(30)]
    other_key = make_run("keyed", concurrency_key="b", key_limit=1)
    free = make_run("free")
    add(database, *narrow, *keyed, other_key, free)
    assert claim(database) == [narrow[0].id, narrow[1].id, keyed[0].id, other_key.id, free.id]
    assert claim(database) == []
    done = command.Finish(lease=lease(narrow[0]), ending=failure("exit", "x", NOW))
    SqlLeaseStore(database).apply([done], NOW)
    assert claim(database) == [narrow[2].id]


def test_claim_when_slots_are_few_takes_no_more(database: Database) -> None:
    runs = add(database, *(make_run() for _ in range(5)))
    assert claim(database, max_concurrent=2) == [runs[0].id, runs[1].id]
    assert claim(database, max_concurrent=2) == []
    assert claim(database, max_concurrent=4, limit=1) == [runs[2].id]


def test_claim_when_the_same_key_is_used_by_two_pipelines_counts_them_apart(database: Database) -> None:
    runs = add(database, *(make_run(name, concurrency_key="a", key_limit=1) for name in ("one", "two", "one")))
    assert claim(database) == [runs[0].id, runs[1].id]


def test_finish_when_written_once_is_refused_the_second_time(database: Database) -> None:
    (run,) = add(database, make_run())
    claim(database)
    store = SqlLeaseStore(database)
    first = command.Finish(
        lease=lease(run),
        ending=Ending(status=RunStatus.SUCCESS, reason=None, reason_text=None, finished_at=NOW, exit_code=0),
        artifacts=[Artifact(path="a", size_bytes=1, sha256="0" * 64)],
    )
    second = command.Finish(lease=lease(run), ending=failure("lost", "late", NOW))
    assert [bool(done) for done in store.apply([first, second], NOW)] == [True, False]
    assert found(database, run).status is RunStatus.SUCCESS
    assert [artifact.path for artifact in SqlReadStore(database).load_artifacts(run.id)] == ["a"]


def test_finish_when_the_run_waits_is_refused(database: Database) -> None:
    (run,) = add(database, make_run())
    ending = command.Finish(lease=lease(run, 0), ending=failure("lost", "x", NOW))
    assert SqlLeaseStore(database).apply([ending], NOW) == [command.Finished(applied=False)]


def test_apply_when_one_command_is_at_fault_keeps_the_others(database: Database) -> None:
    good, bad = add(database, make_run(), make_run())
    claim(database)
    twice = [Artifact(path="same", size_bytes=1, sha256="0" * 64)] * 2
    results: Any = SqlLeaseStore(database).apply(
        [
            command.Finish(lease=lease(bad), ending=failure("exit", "x", NOW), artifacts=twice),
            command.Finish(lease=lease(good), ending=failure("exit", "x", NOW)),
        ],
        NOW,
    )
    assert isinstance(results[0], Exception) and results[1] == command.Finished(applied=True)
    assert found(database, bad).status is RunStatus.RUNNING


def test_heartbeat_when_sent_renews_the_leases_of_its_owner_alone(database: Database) -> None:
    mine, other = add(database, make_run(), make_run())
    claim(database, limit=1)
    claim(database, limit=1, owner="someone", host="host-2")
    later = NOW + timedelta(seconds=20)
    beat = command.Heartbeat(owner="owner", host="host-1", hostname="h", pid=1, started_at=NOW)
    assert SqlLeaseStore(database).apply([beat], later) == [[mine.id]]
    reads = SqlReadStore(database)
    assert found(database, mine).lease_expires_at == later + timedelta(seconds=30)
    assert found(database, other).lease_expires_at == NOW + timedelta(seconds=30)
    (runner,) = reads.load_runners()
    assert runner.is_alive(later) and not runner.is_alive(later + timedelta(seconds=31))


def test_events_when_repeated_are_kept_once(database: Database) -> None:
    (run,) = add(database, make_run())
    claim(database)
    key = RunKey(run_id=run.id, token=1)
    told = tuple(
        ToldEvent(key=key, offset=place * 10, at=NOW, kind="metric", data={f"m{place}": place}) for place in range(3)
    )
    store = SqlLeaseStore(database)
    record = command.RecordEvents(lease=lease(run), events=told)
    assert store.apply([record, record], NOW) == [True, True]
    events = SqlReadStore(database).load_events(run.id, after_id=0, limit=50)
    assert [event.data for event in events if event.kind == "metric"] == [{"m0": 0}, {"m1": 1}, {"m2": 2}]
    assert store.last_event_offset(run.id) == 20
    assert store.apply([command.RecordEvents(lease=lease(run, 0), events=told)], NOW) == [False]


def test_wait_deadline_when_passed_ends_waiting_runs_alone(database: Database) -> None:
    late = make_run(wait_deadline=NOW)
    running = make_run(wait_deadline=NOW, priority=5)
    add(database, late, make_run(wait_deadline=NOW + timedelta(hours=1)), running)
    claim(database, limit=1)
    assert SqlLeaseStore(database).is_work_due("owner", NOW).overdue
    assert SqlLeaseStore(database).apply([command.Sweep(host="host-1")], NOW)[0].ended == [late.id]
    assert found(database, late).reason == "timeout"


def test_retention_when_counted_or_dated_finds_the_oldest(database: Database) -> None:
    runs = add(database, *(make_run() for _ in range(5)), make_run("other"))
    store = SqlLeaseStore(database)
    claim(database)
    for age, run in enumerate(runs):
        ended = failure("exit", "x", NOW - timedelta(days=10 - age))
        store.apply([command.Finish(lease=lease(run), ending=ended)], NOW)
    retention = SqlRetentionStore(database, "host-1")
    expired = retention.find_expired(keep_runs=2, before=None, limit=10)
    assert sorted(expired) == sorted(run.id for run in runs[:3])
    assert retention.find_expired(keep_runs=None, before=NOW - timedelta(days=9), limit=10) == [runs[0].id]
    retention.mark_log_deleted(expired, NOW)
    assert retention.find_expired(keep_runs=2, before=NOW - timedelta(days=8), limit=10) == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "wanted",
    [
        RunFilter(),
        RunFilter(pipeline_name="p"),
        RunFilter(status=RunStatus.FAILED),
        RunFilter(pipeline_name="p", status=RunStatus.RUNNING),
        RunFilter(reason="oom"),
        RunFilter(pipeline_name="p", reason="oom"),
        RunFilter(trigger="cli"),
        RunFilter(pipeline_name="p", trigger="cli"),
    ],
)
def test_list_when_filtered_reads_along_an_index_without_sorting(database: Database, wanted: RunFilter) -> None:
    for oldest_first in (False, True):
        query = _page(
            select(*RUN_COLUMNS),
            wanted,
            _Stretch(beyond_id="00" if oldest_first else "zzz", limit=51, oldest_first=oldest_first),
        )
        compiled = query.compile(database.engine, compile_kwargs={"literal_binds": True})
        with database.read() as connection:
            plan = " ".join(row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
        assert "SCAN run" not in plan and "TEMP B-TREE" not in plan, plan


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("query", [_IN_ORDER, _OF_PIPELINE.params(name="p", full_keys=["k"]), _pending_pipelines()])
def test_claim_when_planned_reads_the_queue_along_its_indexes(database: Database, query: Select[Any]) -> None:
    compiled = query.params(count=10).compile(database.engine, compile_kwargs={"literal_binds": True})
    with database.read() as connection:
        plan = " ".join(row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
    assert "ix_run_pending" in plan and "TEMP B-TREE" not in plan, plan


def test_claim_when_thousands_are_blocked_finds_those_behind_them(database: Database) -> None:
    blocked = [make_run("narrow", pipeline_limit=1, priority=5) for _ in range(40)]
    same_key = [make_run("keyed", concurrency_key="a", key_limit=1, priority=4) for _ in range(40)]
    other_key, free = make_run("keyed", concurrency_key="b", key_limit=1), make_run("free")
    later = make_run("free")
    add(database, *blocked, *same_key, later, other_key, free)
    assert claim(database, limit=2) == [blocked[0].id, same_key[0].id]
    assert claim(database, limit=2) == sorted([later.id, other_key.id, free.id])[:2]
    assert claim(database, limit=2) == sorted([later.id, other_key.id, free.id])[2:]
    assert claim(database) == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", [None, "p"])
def test_tally_when_planned_then_it_counts_along_indexes_alone(database: Database, name: str | None) -> None:
    query = _query([(START - timedelta(hours=1), START)], name)
    compiled = query.compile(database.engine, compile_kwargs={"literal_binds": True})
    with database.read() as connection:
        plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
    looks = [step for step in plan if "run" in step.split()]
    assert len(looks) == 6
    *by_id, by_attempt = looks
    assert all("USING COVERING INDEX" in step and "id>? AND id<?" in step for step in by_id), plan
    assert "uq_run_retry_of" in by_attempt and "retry_of>? AND retry_of<?" in by_attempt, (
        plan
    )  # few, and an index of their own


def test_page_when_an_end_of_an_id_is_given_then_the_runs_that_end_like_that(database: Database) -> None:
    ids = [
        "019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e",
        "019a6c1f-7d4b-7cc0-8000-aaaa1b0c9d8e",
        "019a6c20-7d4b-7cc0-8000-3f2a1b0c9d8f",
    ]
    add(database, *(make_run(id=run_id) for run_id in ids))
    store = SqlReadStore(database)

    def page(id_tail: str, **values: Any) -> list[str]:
        return [run.id for run in store.load_page(RunFilter(id_tail=id_tail, **values), beyond_id=None, limit=10)]

    assert page("0c9d8e") == [ids[1], ids[0]]
    assert page("3f2a1b0c9d8e") == [ids[0]]
    assert page("0c9d8e", pipelines=("demo", "other")) == [ids[1], ids[0]]
    assert page("0c9d8e", pipelines=("other",)) == []
