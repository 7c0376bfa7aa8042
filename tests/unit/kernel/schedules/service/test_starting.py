"""What becomes of a due time whose run is submitted, refused, or cannot be submitted now."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from fastflow.kernel.pipelines.domain.errors import PipelineChanging, PipelineNotFound
from fastflow.kernel.runs.domain.errors import IdempotencyMismatch, InvalidParams, QueueFull, RunSkipped
from fastflow.kernel.schedules.domain.schedule import Occurrence, Outcome
from fastflow.kernel.schedules.ports import Claimed, Settled
from fastflow.kernel.schedules.service.rules import SchedulerRules
from fastflow.kernel.schedules.service.starting import Starter
from fastflow.kit.errors import Bug, Unavailable
from fastflow.testing.clock import START
from fastflow.testing.schedule_doubles import MemoryRuns, make_demo_schedule

DUE = START + timedelta(hours=1)


def claimed(**values: Any) -> Claimed:
    schedule = make_demo_schedule("1h", timezone="Europe/Berlin", **values)
    occurrence = Occurrence(
        schedule_id=schedule.id, due_at=DUE, fire_at=DUE, outcome=Outcome.STARTING, why="On time.", recorded_at=DUE
    )
    return Claimed(schedule=schedule, occurrence=occurrence)


def start(error: Callable[[], Exception], now: datetime = DUE, **values: Any) -> Settled:
    runs = MemoryRuns()

    def fail(_pipeline: str, _schedule: object) -> None:
        raise error()

    runs.on_submit = fail
    return Starter(runs, SchedulerRules()).start(claimed(**values), now)


def test_due_time_when_submitted_then_started_and_the_run_knows_it() -> None:
    runs = MemoryRuns()
    one = claimed(params={"CITY": "Ulm"}, priority=3, overlap="skip")
    settled = Starter(runs, SchedulerRules()).start(one, DUE)
    (made,) = runs.made.values()
    assert (settled.occurrence.outcome, settled.occurrence.run_id) == (Outcome.STARTED, made.run.id)
    assert made.key == one.occurrence.idempotency_key
    assert (made.run.params, made.run.priority, made.run.submitted_by) == ({"CITY": "Ulm"}, 3, "schedule:demo/demo")
    assert (made.schedule.due_at, made.schedule.overlap) == (DUE, "skip")
    assert made.schedule.to_json()["local"] == "2026-01-15T14:00:00+01:00"


def test_due_time_when_submitted_again_after_a_crash_then_it_is_the_same_run() -> None:
    runs, one = MemoryRuns(), claimed()
    starter = Starter(runs, SchedulerRules())
    assert starter.start(one, DUE) == starter.start(one, DUE + timedelta(hours=5))
    assert len(runs.made) == 1


def test_due_time_when_its_run_was_submitted_before_the_schedule_changed_then_that_run_counts() -> None:
    settled = start(lambda: IdempotencyMismatch("other parameters", extra={"run_id": "the first"}))
    assert (settled.occurrence.outcome, settled.occurrence.run_id) == (Outcome.STARTED, "the first")


@pytest.mark.parametrize("error", [RunSkipped("an earlier run is not over"), QueueFull("all slots are taken")])
def test_due_time_when_a_limit_stands_in_the_way_then_skipped_with_its_words(error: Exception) -> None:
    settled = start(lambda: error)
    assert (settled.occurrence.outcome, settled.occurrence.why) == (Outcome.SKIPPED, str(error.args[0]))


@pytest.mark.parametrize(
    "error", [PipelineNotFound("There is no pipeline 'demo'."), InvalidParams({"params.CITY": "missing"})]
)
def test_due_time_when_its_pipeline_is_gone_or_refuses_then_missed_with_its_words(error: Exception) -> None:
    occurrence = start(lambda: error).occurrence
    assert occurrence.outcome is Outcome.MISSED
    assert occurrence.why == f"It could not be started: {error.args[0]}"


@pytest.mark.parametrize("error", [Bug("impossible"), ValueError("impossible")])
def test_due_time_when_we_are_at_fault_then_missed_and_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    occurrence = start(lambda: error).occurrence
    assert (occurrence.outcome, occurrence.run_id) == (Outcome.MISSED, None)
    assert "fault of ours" in occurrence.why
    assert "schedule.not_started" in caplog.text


@pytest.mark.parametrize("error", [Unavailable("The database is away."), PipelineChanging("Its files change.")])
def test_due_time_when_something_is_away_then_tried_again_until_its_window_is_over(error: Exception) -> None:
    window = timedelta(hours=2)
    soon = start(lambda: error, DUE + window, catch_up_window=window.total_seconds())
    assert soon.retry_at is not None and soon.retry_at > DUE + window
    late = start(lambda: error, DUE + window + timedelta(seconds=1), catch_up_window=window.total_seconds())
    assert (late.retry_at, late.occurrence.outcome) == (None, Outcome.MISSED)
    assert error.args[0] in late.occurrence.why
    assert start(lambda: error, DUE + timedelta(days=99), catch_up_window=None).retry_at is not None


def test_due_time_when_missed_ones_are_not_made_up_for_then_tried_again_for_the_grace_alone() -> None:
    def away() -> Exception:
        return Unavailable("away")

    assert start(away, DUE + timedelta(seconds=60), missed="none").retry_at is not None
    assert start(away, DUE + timedelta(seconds=61), missed="none").occurrence.outcome is Outcome.MISSED
