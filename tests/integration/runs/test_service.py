"""The use cases of runs on real databases."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from tests.integration.runs.conftest import Bench

from fastflow.kernel.audit.domain.entries import AuditFilter
from fastflow.kernel.audit.infra.store import SqlAuditStore
from fastflow.kernel.executors.port import Limits, Reason, ToldEvent
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.errors import (
    CapsuleIncomplete,
    IdempotencyMismatch,
    InvalidParams,
    QueueFull,
    RunEnded,
    RunNotFound,
    RunNotQueued,
    RunSkipped,
)
from fastflow.kernel.runs.domain.explain import Explanation
from fastflow.kernel.runs.domain.run import Run, RunFilter, failure
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kit.clock import SystemClock
from fastflow.kit.errors import Forbidden, InvalidInput, NotFound
from fastflow.kit.identity import Actor, Grant, Role
from fastflow.kit.ids import new_id

VIEWER = Actor(name="user:vera", role=Role.VIEWER)
SCHEMA = {
    "required": ["CITY"],
    "properties": {"CITY": {"type": "string"}, "TOP": {"type": "integer", "default": 3}},
}


def claim(bench: Bench, limit: int = 10) -> Sequence[Run]:
    wanted = command.Claim(owner="owner", host="host-1", max_concurrent=10, limit=limit)
    return bench.store.apply([wanted], SystemClock().now())[0].runs


def beat(bench: Bench, stopped: bool = False) -> None:
    now = SystemClock().now()
    sent = command.Heartbeat(owner="owner", host="host-1", hostname="h", pid=1, started_at=now, stopped=stopped)
    bench.store.apply([sent], now)


def finish(bench: Bench, run: Run, reason: Reason = "exit") -> None:
    ending = failure(reason, "for a test", SystemClock().now())
    done = command.Finish(lease=command.Lease(run_id=run.id, token=run.lease_token or 1), ending=ending)
    assert bench.store.apply([done], SystemClock().now()) == [command.Finished(applied=True)]


def test_submit_when_accepted_freezes_everything_and_wakes_the_runner(bench_with: Callable[..., Bench]) -> None:
    bench = bench_with(default_limits=Limits(pids=64), default_run_timeout=60.0, default_grace=3.0)
    bench.catalogue.add("demo", params_schema=SCHEMA, secrets=("TOKEN",), limits=Limits(cpus=0.5), network=False)
    run = bench.submit(params={"CITY": "Ulm"}, priority=5)
    assert run == bench.get(run)
    assert (run.status, run.params, run.priority) == (RunStatus.PENDING, {"CITY": "Ulm", "TOP": 3}, 5)
    capsule = run.capsule
    assert capsule["secrets"] == {"TOKEN": 1} and capsule["network"] is False and capsule["grace"] == 3.0
    assert capsule["limits"] == {"cpus": 0.5, "memory_bytes": None, "pids": 64, "file_size_bytes": None}
    assert capsule["timeouts"] == {"run": 60.0, "idle": None, "wait": None}
    assert (run.commit, run.environment) == ("c" * 40, "e" * 64)
    assert run.log_file == str(bench.folder / "logs" / f"{run.id}.log")
    assert bench.wakeup.to_runner == ["wake"]
    assert "s3cret" not in json.dumps(capsule)


def test_submit_when_done_leaves_one_audit_entry(bench: Bench) -> None:
    run = bench.submit()
    (entry,) = SqlAuditStore(bench.database).load(AuditFilter(), before_id=None, limit=10)
    assert (entry.action, entry.subject, entry.actor) == ("run.submit", run.id, "user:olga")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "params.CITY"),
        ({"CITY": 3}, "params.CITY"),
        ({"CITY": "x", "TIP": 1}, "params.TIP"),
        ({"CITY": "x", "TOP": "3"}, "params.TOP"),
    ],
)
def test_submit_when_a_parameter_is_wrong_names_it_and_writes_nothing(
    bench: Bench, params: dict[str, Any], field: str
) -> None:
    bench.catalogue.add("demo", params_schema=SCHEMA)
    with pytest.raises(InvalidParams) as caught:
        bench.submit(params=params)
    assert set(caught.value.fields) == {field}
    assert not bench.service.list(actor=bench.actor).items and not bench.wakeup.to_runner


def test_submit_when_refused_for_other_reasons_says_which(bench: Bench) -> None:
    with pytest.raises(NotFound):
        bench.submit("nosuch")
    with pytest.raises(InvalidInput) as caught:
        bench.submit(executor="docker")
    assert caught.value.fields == {"executor": "there is no executor 'docker'"}
    with pytest.raises(InvalidInput, match="out of range"):
        bench.submit(priority=10**9)
    bench.catalogue.add("demo", secrets=("NOSUCH",))
    with pytest.raises(NotFound, match="NOSUCH"):
        bench.submit()
    with pytest.raises(Forbidden):
        bench.service.submit("demo", actor=VIEWER)
    with pytest.raises(Forbidden):
        bench.service.submit("demo", actor=replace(bench.actor, pipelines={"other"}))


def test_idempotency_key_when_repeated_gives_the_first_run(bench: Bench) -> None:
    first = bench.submit(params={"A": 1}, idempotency_key="k")
    assert bench.submit(params={"A": 1}, idempotency_key="k") == first
    bench.catalogue.add("other")
    assert bench.submit("other", params={"A": 1}, idempotency_key="k").id != first.id
    with pytest.raises(IdempotencyMismatch) as caught:
        bench.submit(params={"A": 2}, idempotency_key="k")
    assert first.id in caught.value.message
    assert len(bench.service.list(actor=bench.actor).items) == 2


async def test_idempotency_key_when_used_by_many_at_once_makes_one_run(bench: Bench) -> None:
    runs = await asyncio.gather(*(asyncio.to_thread(bench.submit, idempotency_key="k") for _ in range(8)))
    assert len({run.id for run in runs}) == 1


def test_skip_when_limit_is_held_names_the_holder_and_records_nothing(bench: Bench) -> None:
    bench.catalogue.add("demo", concurrency={"key": "{CITY}", "per_key": 1, "policy": "skip"})
    first = bench.submit(params={"CITY": "Ulm"})
    bench.submit(params={"CITY": "Bonn"})
    with pytest.raises(RunSkipped, match=f"key=Ulm 1/1 held by run {first.id}"):
        bench.submit(params={"CITY": "Ulm"})
    assert len(bench.service.list(actor=bench.actor).items) == 2


def test_cancel_new_when_limit_is_held_records_the_run_as_cancelled(bench: Bench) -> None:
    bench.catalogue.add("demo", concurrency={"limit": 1, "policy": "cancel-new"})
    first = bench.submit()
    second = bench.submit()
    assert (second.status, second.reason) == (RunStatus.FAILED, "cancelled")
    assert f"pipeline demo 1/1 held by run {first.id}" in str(second.reason_text)
    assert bench.get(first).status is RunStatus.PENDING
    assert bench.get(second).finished_at is not None


def test_cancel_old_when_limit_is_held_ends_the_holder_and_queues_the_new_run(bench: Bench) -> None:
    bench.catalogue.add("demo", concurrency={"limit": 1, "policy": "cancel-old"})
    first = bench.submit()
    (running,) = claim(bench)
    second = bench.submit()
    third = bench.submit()
    assert bench.get(running).cancel_requested_at is not None and bench.get(running).status is RunStatus.RUNNING
    assert bench.get(second).reason == "cancelled" and third.id in str(bench.get(second).reason_text)
    assert bench.get(third).status is RunStatus.PENDING
    assert f"cancel {first.id}" in bench.wakeup.to_runner and f"run {second.id}" in bench.wakeup.to_web


def test_key_when_its_parameter_is_missing_names_it(bench: Bench) -> None:
    bench.catalogue.add("demo", concurrency={"key": "{CITY}", "per_key": 1})
    with pytest.raises(InvalidInput) as caught:
        bench.submit()
    assert set(caught.value.fields) == {"params.CITY"}


def test_submit_when_full_and_queueing_is_off_is_refused(bench_with: Callable[..., Bench]) -> None:
    bench = bench_with(queue_when_full=False, max_concurrent_runs=2)
    bench.submit()
    bench.submit()
    with pytest.raises(QueueFull) as caught:
        bench.submit()
    assert caught.value.retry_after_seconds
    assert len(bench.service.list(actor=bench.actor).items) == 2


def test_cancel_when_waiting_ends_it_at_once(bench: Bench) -> None:
    run = bench.submit()
    after = bench.service.cancel(run.id, actor=bench.actor, reason="no need")
    assert (after.status, after.reason) == (RunStatus.FAILED, "cancelled")
    assert after.reason_text == "cancelled by user:olga: no need" and after.finished_at
    assert bench.wakeup.to_web == [f"run {run.id}"]
    assert claim(bench) == []
    with pytest.raises(RunEnded):
        bench.service.cancel(run.id, actor=bench.actor)


def test_cancel_when_asked_twice_keeps_the_first_reason(bench: Bench) -> None:
    run = bench.submit()
    claim(bench)
    first = bench.service.cancel(run.id, actor=bench.actor, reason="one")
    second = bench.service.cancel(run.id, actor=bench.actor, reason="two")
    assert second == first and str(second.cancel_reason).endswith("one")
    entries = SqlAuditStore(bench.database).load(AuditFilter(action="run.cancel"), before_id=None, limit=10)
    assert len(entries) == 1


def test_priority_when_raised_moves_the_run_ahead_and_only_while_it_waits(bench: Bench) -> None:
    first, second = bench.submit(), bench.submit()
    bench.service.set_priority(second.id, 7, actor=bench.actor)
    assert [run.id for run in claim(bench, limit=1)] == [second.id]
    with pytest.raises(RunNotQueued):
        bench.service.set_priority(second.id, 1, actor=bench.actor)
    bench.service.cancel(first.id, actor=bench.actor)
    with pytest.raises(RunEnded):
        bench.service.set_priority(first.id, 1, actor=bench.actor)


def test_get_when_unknown_or_out_of_scope_says_so(bench: Bench) -> None:
    with pytest.raises(RunNotFound):
        bench.service.get(new_id(), actor=VIEWER)
    with pytest.raises(InvalidInput):
        bench.service.get("../etc/passwd", actor=VIEWER)
    run = bench.submit()
    with pytest.raises(Forbidden):
        bench.service.get(run.id, actor=replace(VIEWER, pipelines={"other"}))


def test_list_when_paged_gives_every_run_once_newest_first(bench: Bench) -> None:
    ids = [bench.submit().id for _ in range(7)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = bench.service.list(actor=VIEWER, cursor=cursor, limit=3)
        seen += [run.id for run in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ids[::-1]


def test_list_when_the_oldest_come_first_gives_every_run_once_in_that_order(bench: Bench) -> None:
    bench.catalogue.add("other")
    runs = [bench.submit("demo" if number % 2 else "other").id for number in range(5)]
    for actor in (VIEWER, Actor(name="user:sven", role=Role.VIEWER, pipelines=("demo", "other"))):
        found: list[str] = []
        cursor = None
        while not found or cursor:
            page = bench.service.list(actor=actor, cursor=cursor, limit=2, oldest_first=True)
            found += [run.id for run in page.items]
            cursor = page.next_cursor
        assert found == runs
    mine = Actor(name="user:otto", role=Role.VIEWER, grants=(Grant(role=Role.OPERATOR, pipelines="demo"),))
    operated = bench.service.list(actor=mine, role=Role.OPERATOR).items
    assert [run.id for run in operated] == [runs[3], runs[1]]


def test_tally_when_runs_went_differently_then_each_is_counted_in_its_time_as_far_as_it_may_be_seen(
    bench: Bench,
) -> None:
    bench.catalogue.add("other")
    begin = SystemClock().now() - timedelta(seconds=5)
    runs = [bench.submit(name) for name in ("demo", "other", "demo", "demo")]
    end = SystemClock().now() + timedelta(seconds=5)
    claimed = {run.id: run for run in claim(bench)}
    for run, reason in zip(runs[:2], ("exit", "cancelled"), strict=True):
        finish(bench, claimed[run.id], reason=cast("Reason", reason))
    edges = [begin - timedelta(hours=1), begin, end]
    before, now = bench.service.tally(edges, actor=VIEWER)
    assert (before.total, now.begin) == (0, begin)
    assert (now.succeeded, now.failed, now.cancelled, now.under_way) == (0, 1, 1, 2)
    for scope in (("demo",), ("dem*",)):
        _, mine = bench.service.tally(edges, actor=replace(VIEWER, pipelines=scope))
        assert (mine.failed, mine.cancelled, mine.under_way) == (1, 0, 2)
    assert bench.service.tally([], actor=VIEWER) == []


def test_latest_events_when_kinds_are_named_then_those_after_what_is_known_in_order(bench: Bench) -> None:
    run = bench.submit()
    (running,) = claim(bench)
    at = SystemClock().now()
    kinds = ("metric", "progress", "sample", "metric", "output")
    events = tuple(
        ToldEvent(key=running.key, offset=number, at=at, kind=kind, data={"n": number})
        for number, kind in enumerate(kinds, 1)
    )
    lease = command.Lease(run_id=run.id, token=running.lease_token)
    bench.store.apply([command.RecordEvents(lease=lease, events=events)], at)
    found = bench.service.latest_events(run.id, ("metric", "sample"), actor=VIEWER)
    assert [event.data["n"] for event in found] == [1, 3, 4]
    later = bench.service.latest_events(run.id, ("metric", "sample"), actor=VIEWER, after_id=found[0].id)
    assert [event.data["n"] for event in later] == [3, 4]
    with pytest.raises(Forbidden):
        bench.service.latest_events(run.id, ("metric",), actor=replace(VIEWER, pipelines={"other"}))


def test_list_when_filtered_gives_what_was_asked_for(bench: Bench) -> None:
    bench.catalogue.add("other")
    before = SystemClock().now()
    demo, other = bench.submit(), bench.submit("other", trigger="cli")
    (running,) = [run for run in claim(bench) if run.id == demo.id]
    finish(bench, running, reason="oom")

    def ids(actor: Actor = VIEWER, **wanted: Any) -> list[str]:
        return [run.id for run in bench.service.list(RunFilter(**wanted), actor=actor).items]

    assert ids(pipeline_name="other") == [other.id]
    assert ids(status=RunStatus.FAILED) == ids(reason="oom") == ids(pipeline_name="demo", reason="oom") == [demo.id]
    assert ids(trigger="cli") == [other.id]
    assert ids(since=before) == [other.id, demo.id] and ids(until=before) == []
    assert ids(since=SystemClock().now() + timedelta(hours=1)) == []
    assert ids(actor=replace(VIEWER, pipelines={"other"})) == [other.id]
    assert ids(actor=replace(VIEWER, pipelines={"other", "demo"})) == [other.id, demo.id]
    assert ids(actor=replace(VIEWER, pipelines=())) == []
    with pytest.raises(Forbidden):
        ids(actor=replace(VIEWER, pipelines={"other"}), pipeline_name="demo")


def test_list_when_cursor_is_made_up_is_refused(bench: Bench) -> None:
    for cursor in ("x", "WyJhIl0", "WzFd"):
        with pytest.raises(InvalidInput):
            bench.service.list(actor=VIEWER, cursor=cursor)


def test_explain_when_waiting_gives_the_one_reason(bench_with: Callable[..., Bench]) -> None:
    bench = bench_with(max_concurrent_runs=2)
    bench.catalogue.add("keyed", concurrency={"key": "{CITY}", "per_key": 1})
    bench.catalogue.add("narrow", concurrency={"limit": 1})

    def why(run: Run) -> Explanation:
        return bench.service.explain(run.id, actor=VIEWER)

    first = bench.submit("keyed", params={"CITY": "acme"})
    assert why(first).code == "runner_away" and "nor has one ever been" in why(first).text
    beat(bench)
    assert why(first).code == "starting"
    claim(bench)
    assert (why(first).code, "its environment is being made ready" in why(first).text) == ("setup", True)
    bench.submit("demo")
    second = bench.submit("keyed", params={"CITY": "acme"})
    assert (why(second).code, why(second).position, why(second).held_by) == ("key_limit", 2, [first.id])
    assert f"and run {first.id} does; it starts when that run has ended." in why(second).text
    narrow = bench.submit("narrow")
    claim(bench)
    late = bench.submit("narrow")
    assert (why(late).code, why(late).position, why(late).held_by) == ("pipeline_limit", 2, [narrow.id])
    assert f"at most 1 run of pipeline narrow may run at once, and run {narrow.id} does" in why(late).text
    plain = bench.submit("demo")
    assert (why(plain).code, why(plain).position) == ("slots_in_use", 3)
    assert "all 2 slots of this installation (MAX_CONCURRENT_RUNS) are in use" in why(plain).text
    beat(bench, stopped=True)
    assert ", was stopped at " in why(plain).text
    finish(bench, bench.get(first))
    assert "(exit: for a test); the end of its log says why" in why(first).text


def test_rerun_when_plain_takes_the_present_pipeline(bench: Bench) -> None:
    run = bench.submit(params={"A": 1})
    bench.catalogue.add("demo", network=False)
    again = bench.service.rerun(run.id, actor=bench.actor)
    assert (again.trigger, again.rerun_of, again.params) == ("rerun", run.id, {"A": 1})
    assert again.capsule["network"] is False


def test_rerun_when_exact_repeats_the_capsule_even_of_a_deleted_pipeline(bench: Bench) -> None:
    bench.catalogue.add("demo", secrets=("TOKEN",), network=False)
    run = bench.submit(params={"A": 1})
    bench.catalogue.remove("demo")
    with pytest.raises(NotFound, match="`exact` repeats it with the code it had"):
        bench.service.rerun(run.id, actor=bench.actor)
    again = bench.service.rerun(run.id, actor=bench.actor, exact=True)
    assert again.capsule == {**run.capsule, "exact": True}
    assert (again.environment, again.params) == ("e" * 64, {"A": 1})
    assert not bench.service.diff(run.id, again.id, actor=VIEWER).differences


def test_rerun_when_exact_and_parts_are_gone_names_each(bench: Bench) -> None:
    bench.catalogue.add("demo", secrets=("TOKEN",))
    run = bench.submit()
    bench.catalogue.snapshots.clear()
    bench.environments.is_gone = True
    bench.secrets.values.clear()
    with pytest.raises(CapsuleIncomplete) as caught:
        bench.service.rerun(run.id, actor=bench.actor, exact=True)
    missing = caught.value.extra["missing"]
    assert [part.split()[0] for part in missing] == ["code", "environment", "secrets:"]
    bench.catalogue.remove("demo")
    with pytest.raises(NotFound) as told:
        bench.service.rerun(run.id, actor=bench.actor)
    assert "exact" not in told.value.hint


def test_diff_when_runs_differ_names_the_fields(bench: Bench) -> None:
    left = bench.submit(params={"A": 1})
    bench.catalogue.add("demo", limits=Limits(pids=5))
    right = bench.submit(params={"A": 2})
    fields = [each.field for each in bench.service.diff(left.id, right.id, actor=VIEWER).differences]
    assert fields == ["capsule.limits.pids", "params.A"]


async def test_wait_when_signal_comes_answers_within_milliseconds(bench: Bench) -> None:
    run = bench.submit()
    (running,) = claim(bench)
    waiting = asyncio.ensure_future(bench.service.wait(run.id, 30, actor=VIEWER))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(finish, bench, running)
    before = time.perf_counter()
    bench.signals.notify(f"run {run.id}")
    assert (await waiting).has_ended
    assert time.perf_counter() - before < 0.5


async def test_wait_when_nothing_happens_answers_with_the_run_as_it_is(bench: Bench) -> None:
    run = bench.submit()
    assert (await bench.service.wait(run.id, 0.05, actor=VIEWER)).status is RunStatus.PENDING


async def test_wait_when_signal_is_lost_looks_by_itself(bench: Bench) -> None:
    run = bench.submit()
    waiting = asyncio.ensure_future(bench.service.wait(run.id, 30, actor=VIEWER))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(bench.service.cancel, run.id, actor=bench.actor)
    assert (await waiting).reason == "cancelled"
