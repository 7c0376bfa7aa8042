"""Retries on real databases: decided with the end, once; waiting outside the queue; hurried, cancelled, awaited."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fastflow.kernel.db.engine import Database
from fastflow.kernel.executors.port import RunSpec
from fastflow.kernel.pipelines.domain.retry import RetryPolicy
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.errors import RunEnded, RunNotDelayed
from fastflow.kernel.runs.domain.run import Run, RunFilter, failure
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.lease_store import _ANY_TO_CLAIM, _RELEASE, SqlLeaseStore
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.kernel.runs.infra.retrying import Retries
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.runs.service import RunService
from fastflow.kit.identity import SYSTEM
from fastflow.testing.clock import START
from fastflow.testing.memory_executor import MemoryExecutor
from fastflow.testing.run_doubles import make_run

NOW = START
PAUSE = timedelta(seconds=30)
TWICE = RetryPolicy(max_retries=2, policy="fixed", delay=PAUSE.total_seconds(), jitter=0)
AT_ONCE = RetryPolicy(max_retries=2, policy="list", delays=(0,))
LATER = RetryPolicy(max_retries=1, policy="fixed", delay=3600, max_delay=3600)


def store_of(database: Database) -> SqlLeaseStore:
    return SqlLeaseStore(database, at_end=[Retries()])


def submits_of(database: Database) -> SqlSubmitStore:
    return SqlSubmitStore(database, at_end=[Retries()])


def with_rules(policy: RetryPolicy, **values: Any) -> Run:
    run = make_run(**values)
    return make_run(**{**vars(run), "capsule": {**run.capsule, "retry": policy.to_json()}})


def claim(database: Database, at: datetime, owner: str = "me") -> list[Run]:
    wanted = command.Claim(owner=owner, host="host-1", max_concurrent=100, limit=100)
    return list(store_of(database).apply([wanted], at)[0].runs)


def fail(database: Database, run: Run, at: datetime, reason: Any = "exit") -> command.Finished:
    done = command.Finish(lease=command.Lease(run_id=run.id, token=run.lease_token), ending=failure(reason, "x", at))
    result: command.Finished = store_of(database).apply([done], at)[0]
    return result


def attempts(database: Database, root: Run) -> list[Run]:
    return list(reversed(SqlReadStore(database).load_page(RunFilter(root_id=root.id), beyond_id=None, limit=50)))


def start(database: Database, run: Run) -> Run:
    submits_of(database).insert(run, admission=None, actor=SYSTEM, action="run.submit", detail={})
    (claimed,) = claim(database, NOW)
    return claimed


def test_retry_when_a_run_fails_is_made_with_its_end_and_waits_for_its_time(database: Database) -> None:
    run = start(database, with_rules(TWICE))
    assert fail(database, run, NOW) == command.Finished(applied=True)
    first, second = attempts(database, run)
    assert (first.retried_by, second.retry_of, second.attempt, second.not_before) == (second.id, run.id, 2, NOW + PAUSE)
    store = store_of(database)
    early, due = NOW + PAUSE - timedelta(seconds=1), NOW + PAUSE
    assert (claim(database, early), store.is_work_due("me", early).pending) == ([], False)
    assert store.is_work_due("me", due).pending
    (claimed,) = claim(database, due)
    assert (claimed.id, claimed.not_before) == (second.id, None)


def test_retry_when_the_end_is_written_twice_is_made_once(database: Database) -> None:
    run = start(database, with_rules(AT_ONCE))
    assert fail(database, run, NOW) == command.Finished(applied=True, queued=True)
    assert fail(database, run, NOW) == command.Finished(applied=False)
    assert len(attempts(database, run)) == 2


def test_retries_when_used_up_end(database: Database) -> None:
    run = start(database, with_rules(TWICE))
    at, current = NOW, run
    for number in (2, 3):
        fail(database, current, at)
        at += PAUSE
        (current,) = claim(database, at)
        assert current.attempt == number
    fail(database, current, at)
    assert [(one.attempt, one.status, one.retried_by is None) for one in attempts(database, run)] == [
        (1, RunStatus.FAILED, False),
        (2, RunStatus.FAILED, False),
        (3, RunStatus.FAILED, True),
    ]


def test_retry_when_the_run_was_cancelled_is_not_made(database: Database) -> None:
    run = start(database, with_rules(AT_ONCE))
    submits_of(database).cancel(run.id, at=NOW, actor=SYSTEM, why="enough")
    fail(database, run, NOW, reason="exit")  # it ended by itself, just before the wish came through
    assert len(attempts(database, run)) == 1


def test_retry_when_the_server_is_lost_is_made_by_the_sweep_once(database: Database) -> None:
    run = start(database, with_rules(TWICE))
    later = NOW + timedelta(hours=1)
    sweeps = [store_of(database).apply([command.Sweep(host=host)], later)[0].ended for host in ("host-2", "host-3")]
    assert sweeps == [[run.id], []]
    first, second = attempts(database, run)
    assert (first.reason, second.attempt, second.not_before) == ("lost", 2, later + PAUSE)


def test_waiting_retry_when_cancelled_ends_and_is_not_tried_again(database: Database) -> None:
    run = start(database, with_rules(TWICE))
    fail(database, run, NOW)
    waiting = attempts(database, run)[1]
    after = submits_of(database).cancel(waiting.id, at=NOW, actor=SYSTEM, why="enough")
    assert after is not None and (after.reason, after.retried_by) == ("cancelled", None)
    assert claim(database, NOW + timedelta(days=1)) == []


def test_waiting_retry_when_hurried_is_in_the_queue_at_once(database: Database) -> None:
    run = start(database, with_rules(TWICE))
    fail(database, run, NOW)
    waiting = attempts(database, run)[1]
    after, changed = submits_of(database).hurry(waiting.id, at=NOW, actor=SYSTEM)
    assert changed and after is not None and after.not_before is None
    assert submits_of(database).hurry(waiting.id, at=NOW, actor=SYSTEM)[1] is False
    assert [one.id for one in claim(database, NOW)] == [waiting.id]
    with database.read() as connection:
        actions = connection.execute(text("SELECT action FROM audit ORDER BY id")).scalars().all()
    assert actions == ["run.submit", "run.retry", "run.hurry"]


def test_waiting_retries_when_there_are_many_do_not_hold_up_the_queue(database: Database) -> None:
    for _ in range(40):
        delayed = make_run("demo", priority=9, not_before=NOW + PAUSE)
        submits_of(database).insert(delayed, admission=None, actor=SYSTEM, action="run.submit", detail={})
    free = start(database, make_run("free"))
    assert free.pipeline_name == "free"
    view = SqlReadStore(database).view_queue(make_run("free"), 10)
    assert view.position == 1


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("query", "index"), [(_RELEASE, "ix_run_not_before"), (_ANY_TO_CLAIM, "ix_run_not_before")])
def test_claim_when_planned_looks_for_due_times_along_an_index(database: Database, query: Any, index: str) -> None:
    compiled = str(query.compile(database.engine))
    with database.read() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", ("",) * compiled.count("?")).all()
    plan = " ".join(row[3] for row in rows)
    assert index in plan and "SCAN run" not in plan, plan


# -- through the service and a dispatcher ----------------------------------------------------------------------------------


def failing_until(attempt: int) -> Callable[[MemoryExecutor, RunSpec], None]:
    def launched(executor: MemoryExecutor, spec: RunSpec) -> None:
        executor.end(spec.key, exit_code=0 if int(spec.env["FASTFLOW_ATTEMPT"]) >= attempt else 1)

    return launched


async def test_wait_when_the_run_is_tried_again_answers_with_the_last_attempt(bench: Any) -> None:
    bench.catalogue.add("demo", retry=AT_ONCE)
    executor = MemoryExecutor(failing_until(3))
    async with bench.serving(executor):
        run = await asyncio.to_thread(bench.submit, params={"CITY": "Ulm"}, idempotency_key="once")
        last = await bench.ended(run)
        again = await asyncio.to_thread(bench.submit, params={"CITY": "Ulm"}, idempotency_key="once")
    assert (last.status, last.attempt, last.root_id, last.params) == (RunStatus.SUCCESS, 3, run.id, {"CITY": "Ulm"})
    assert again.id == run.id
    assert [spec.env["FASTFLOW_ATTEMPT"] for spec in executor.launched] == ["1", "2", "3"]


def fail_first(bench: Any) -> Run:
    """A run of `demo` that has failed; its retry waits."""
    run: Run = bench.submit()
    now = bench.service._clock.now()
    wanted = command.Claim(owner="me", host="host-1", max_concurrent=9, limit=9)
    done = command.Finish(lease=command.Lease(run_id=run.id, token=1), ending=failure("exit", "x", now))
    bench.store.apply([wanted, done], now)
    first: Run = bench.get(run)
    return first


def test_explain_when_a_retry_waits_says_until_when_and_why(bench: Any) -> None:
    bench.catalogue.add("demo", retry=LATER)
    service: RunService = bench.service
    first = fail_first(bench)
    assert first.retried_by is not None
    waits = service.explain(first.retried_by, actor=bench.actor)
    why = service.explain(first.id, actor=bench.actor)
    assert waits.code == "not_before" and "it is attempt 2 of at most 2, after run" in waits.text
    assert f"run {first.retried_by} tries it again, as attempt 2 of at most 2" in why.text
    service.hurry(first.retried_by, actor=bench.actor)
    assert service.explain(first.retried_by, actor=bench.actor).code == "runner_away"
    service.cancel(first.retried_by, actor=bench.actor)
    with pytest.raises(RunEnded):
        service.hurry(first.retried_by, actor=bench.actor)


def test_hurry_when_the_run_waits_for_no_time_says_so(bench: Any) -> None:
    run = bench.submit()
    with pytest.raises(RunNotDelayed, match="in the queue already"):
        bench.service.hurry(run.id, actor=bench.actor)


def test_submission_when_a_retry_waits_finds_the_pipelines_limit_taken(bench: Any) -> None:
    """A retry that waits is work that is not over: the policy skip counts it."""
    from fastflow.kernel.pipelines.domain.pipeline import Concurrency
    from fastflow.kernel.runs.domain.errors import RunSkipped

    bench.catalogue.add("demo", retry=LATER, concurrency=Concurrency(limit=1, policy="skip"))
    fail_first(bench)
    with pytest.raises(RunSkipped, match="held by run"):
        bench.submit()
