"""What happens at a due time while an earlier run of the schedule is not over: decided where the run is inserted."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runs.conftest import Bench, make_bench
from tests.integration.schedules.conftest import Desk

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.schedules.domain.schedule import Schedule
from fastflow.kernel.schedules.service import Scheduler, SchedulerRules

HOUR = timedelta(hours=1)


@pytest.fixture
def bench_with(database: Database, data_dir: Path) -> Callable[..., Bench]:
    return lambda **policy: make_bench(database, data_dir, **policy)


def hours(desk: Desk, bench: Bench, schedule: Schedule, count: int) -> list[Run]:
    """The runs after so many due times, oldest first; nothing ever executes them."""
    scheduler = Scheduler(
        ledger=desk.room.ledger, runs=bench.service, declared=None, rules=SchedulerRules(), clock=desk.clock
    )
    for _ in range(count):
        desk.clock.advance(HOUR)
        scheduler.tick()
    found = bench.service.list(RunFilter(schedule_id=schedule.id), actor=bench.actor).items
    return list(reversed(found))


def test_overlap_when_queue_then_each_due_time_has_its_run(desk: Desk, bench_with: Callable[..., Bench]) -> None:
    schedule, bench = desk.add("1h", overlap="queue", params={"CITY": "Ulm"}, priority=4), bench_with()
    runs = hours(desk, bench, schedule, 3)
    assert [run.status for run in runs] == ["PENDING"] * 3
    assert desk.outcomes(schedule) == ["started"] * 3
    first = runs[0]
    assert (first.trigger, first.submitted_by, first.schedule_id) == (
        "schedule",
        "schedule:demo/interval-1",
        schedule.id,
    )
    assert (first.params, first.priority) == ({"CITY": "Ulm"}, 4)
    assert first.capsule["schedule"] == {
        "id": schedule.id, "name": "interval-1", "due_at": "2026-01-15T13:00:00Z", "local": "2026-01-15T13:00:00+00:00"
    }  # fmt: skip


def test_overlap_when_skip_then_the_row_names_the_run_in_the_way(desk: Desk, bench_with: Callable[..., Bench]) -> None:
    schedule, bench = desk.add("1h", overlap="skip"), bench_with()
    bench.submit()  # of the same pipeline, and not of this schedule
    (run,) = hours(desk, bench, schedule, 3)
    assert desk.outcomes(schedule) == ["started", "skipped", "skipped"]
    assert f"run {run.id} of the same schedule is not over" in desk.rows(schedule)[1].why
    bench.service.cancel(run.id, actor=bench.actor)
    assert len(hours(desk, bench, schedule, 1)) == 2


def test_overlap_when_cancel_old_then_the_newest_takes_its_place(desk: Desk, bench_with: Callable[..., Bench]) -> None:
    schedule, bench = desk.add("1h", overlap="cancel-old"), bench_with()
    bystander = bench.submit()
    first, second, third = hours(desk, bench, schedule, 3)
    assert [run.status for run in (first, second, third)] == ["FAILED", "FAILED", "PENDING"]
    assert (first.reason, second.reason_text) == (
        "cancelled", f"replaced by run {third.id} (the schedule's overlap is cancel-old)"
    )  # fmt: skip
    assert bench.get(bystander).status == "PENDING"
    assert desk.outcomes(schedule) == ["started"] * 3


@pytest.mark.parametrize(
    ("policy", "concurrency", "said"),
    [
        ({"queue_when_full": False, "max_concurrent_runs": 1}, {}, "All 1 slots are taken"),
        ({}, {"limit": 1, "policy": "skip"}, "pipeline demo 1/1 held by run"),
    ],
)
def test_due_time_when_a_limit_is_reached_then_skipped_with_its_words(
    desk: Desk, bench_with: Callable[..., Bench], policy: dict[str, Any], concurrency: dict[str, Any], said: str
) -> None:
    schedule, bench = desk.add("1h"), bench_with(**policy)
    bench.catalogue.add("demo", concurrency=concurrency)
    hours(desk, bench, schedule, 2)
    assert desk.outcomes(schedule) == ["started", "skipped"]
    assert said in desk.rows(schedule)[1].why


def test_run_when_repeated_then_it_stands_for_the_same_due_time_and_for_no_due_time_of_the_schedule(
    desk: Desk, bench_with: Callable[..., Bench]
) -> None:
    schedule, bench = desk.add("1h", overlap="skip"), bench_with()
    (run,) = hours(desk, bench, schedule, 1)
    bench.service.cancel(run.id, actor=bench.actor)
    again = bench.service.rerun(run.id, actor=bench.actor)
    exactly = bench.service.rerun(run.id, actor=bench.actor, exact=True)
    for repeated in (again, exactly):
        assert repeated.capsule["schedule"] == run.capsule["schedule"]
        assert (repeated.schedule_id, repeated.trigger) == (None, "rerun")
    assert len(hours(desk, bench, schedule, 1)) == 2, "what somebody repeats keeps no due time from starting"


def test_pipeline_when_its_parameters_changed_since_then_the_row_names_them(
    desk: Desk, bench_with: Callable[..., Bench]
) -> None:
    schedule, bench = desk.add("1h"), bench_with()
    bench.catalogue.add("demo", params_schema={"properties": {"CITY": {"type": "string"}}, "required": ["CITY"]})
    assert hours(desk, bench, schedule, 1) == []
    (row,) = desk.rows(schedule)
    assert (row.outcome.value, "params.CITY: missing" in row.why) == ("missed", True)
