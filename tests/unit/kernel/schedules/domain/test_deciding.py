"""What becomes of due times that have come: on time, late, in pauses, in batches."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflow.kernel.schedules.domain.deciding import Decision, decide
from fastflow.kernel.schedules.domain.due_times import due_times, fire_time
from fastflow.kernel.schedules.domain.schedule import Occurrence, Outcome, Pause, Schedule
from fastflow.testing.clock import START
from fastflow.testing.schedule_doubles import make_demo_schedule

GRACE = timedelta(seconds=60)
HOUR = timedelta(hours=1)
STARTING, MISSED, COALESCED, PAUSED = Outcome.STARTING, Outcome.MISSED, Outcome.COALESCED, Outcome.PAUSED


def hourly(**values: Any) -> Schedule:
    """Due at 13:00, 14:00 … of a day on which it is noon."""
    return make_demo_schedule("1h", **values)


def at(schedule: Schedule, now: datetime, pauses: Sequence[Pause] = (), limit: int = 1000) -> Decision:
    return decide(schedule, pauses, now, grace=GRACE, limit=limit)


def outcomes(decision: Decision) -> list[Outcome]:
    return [one.outcome for one in decision.occurrences]


def pause(scope: str = "system", subject: str = "*", since: datetime = START, until: datetime | None = None) -> Pause:
    return Pause(scope=scope, subject=subject, since=since, by="user:olga", reason="stocktaking", until=until)  # type: ignore[arg-type]


# -- on time ---------------------------------------------------------------------------------------------------------------


def test_due_time_when_it_has_not_come_then_nothing_is_decided() -> None:
    schedule = hourly()
    decision = at(schedule, START + HOUR - timedelta(microseconds=1))
    assert (decision.occurrences, decision.next_due_at) == ([], schedule.next_due_at)


def test_due_time_when_noticed_within_the_grace_then_starts() -> None:
    for late, why in (
        (0, "On time."),
        (4, "On time."),
        (59, "Started 59 s late, which counts as in time."),
        (60, "Started 1 min late, which counts as in time."),
    ):
        decision = at(hourly(missed="none"), START + HOUR + timedelta(seconds=late))
        (one,) = decision.occurrences
        assert (one.outcome, one.due_at, one.why) == (STARTING, START + HOUR, why)
        assert (decision.next_due_at, decision.has_more) == (START + 2 * HOUR, False)


def test_due_times_when_several_come_within_the_grace_then_each_starts() -> None:
    decision = at(make_demo_schedule("10s"), START + timedelta(seconds=60))
    assert outcomes(decision) == [STARTING] * 6


def test_schedule_when_never_due_again_then_nothing_is_decided() -> None:
    over = replace(hourly(), next_due_at=None, next_fire_at=None)
    assert at(over, START + 5 * HOUR) == Decision(occurrences=[], next_due_at=None, next_fire_at=None, has_more=False)


def test_one_shot_when_decided_then_is_not_due_again() -> None:
    decision = at(make_demo_schedule("2026-01-15T13:00"), START + HOUR)
    assert (outcomes(decision), decision.next_due_at, decision.next_fire_at) == ([STARTING], None, None)


# -- missed ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("all", [STARTING, STARTING, STARTING]),
        ("last", [COALESCED, COALESCED, STARTING]),
        ("none", [MISSED, MISSED, MISSED]),
    ],
)
def test_missed_due_times_when_noticed_then_the_policy_decides(missed: str, expected: list[Outcome]) -> None:
    decision = at(hourly(missed=missed), START + 3 * HOUR + timedelta(minutes=30))
    assert outcomes(decision) == expected
    assert "Noticed 2 h 30 min late" in decision.occurrences[0].why
    assert f"(missed: {missed})" in decision.occurrences[0].why


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("all", [STARTING, STARTING, STARTING]),
        ("last", [COALESCED, COALESCED, STARTING]),
        ("none", [MISSED, MISSED, STARTING]),
    ],
)
def test_missed_due_times_when_the_latest_is_on_time_then_that_one_starts(missed: str, expected: list[Outcome]) -> None:
    assert outcomes(at(hourly(missed=missed), START + 3 * HOUR)) == expected


def test_missed_due_times_when_older_than_the_window_then_are_not_made_up_for() -> None:
    every = at(hourly(missed="all", catch_up_window=2 * 3600.0), START + 5 * HOUR + timedelta(minutes=10))
    assert outcomes(every) == [MISSED, MISSED, MISSED, STARTING, STARTING]
    assert "beyond the catch-up window of 2 h" in every.occurrences[0].why
    last = at(hourly(missed="last", catch_up_window=300.0), START + 5 * HOUR + timedelta(minutes=10))
    assert outcomes(last) == [MISSED] * 5


def test_missed_due_times_when_the_window_has_no_limit_then_all_are_made_up_for() -> None:
    decision = at(hourly(missed="all", catch_up_window=None), START + timedelta(days=30, minutes=5))
    assert outcomes(decision) == [STARTING] * 720


def test_missed_due_times_when_more_than_the_limit_then_the_last_alone_starts_at_the_end() -> None:
    schedule, now = hourly(missed="last"), START + 10 * HOUR + timedelta(minutes=30)
    found: list[Outcome] = []
    while True:
        decision = at(schedule, now, limit=4)
        found += outcomes(decision)
        schedule = replace(schedule, next_due_at=decision.next_due_at, next_fire_at=decision.next_fire_at)
        if not decision.has_more:
            break
    assert found == [COALESCED] * 9 + [STARTING]
    assert schedule.next_due_at == START + 11 * HOUR


# -- pauses -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scope", "subject"), [("system", "*"), ("pipeline", "demo"), ("schedule", None)])
def test_due_time_when_anything_above_it_is_paused_then_starts_nothing(scope: str, subject: str | None) -> None:
    schedule = hourly()
    decision = at(schedule, START + HOUR, [pause(scope, subject or schedule.id)])
    (one,) = decision.occurrences
    assert one.outcome is PAUSED
    assert "paused, by user:olga at 2026-01-15 12:00:00 UTC (stocktaking)" in one.why


@pytest.mark.parametrize(("scope", "subject"), [("pipeline", "other"), ("schedule", "another")])
def test_due_time_when_something_else_is_paused_then_starts(scope: str, subject: str) -> None:
    assert outcomes(at(hourly(), START + HOUR, [pause(scope, subject)])) == [STARTING]


def test_due_times_when_a_pause_was_lifted_then_those_within_it_start_nothing() -> None:
    lifted = pause(since=START + HOUR, until=START + 3 * HOUR)
    decision = at(hourly(missed="all"), START + 4 * HOUR + timedelta(minutes=10), [lifted])
    assert outcomes(decision) == [PAUSED, PAUSED, STARTING, STARTING]


def test_missed_due_times_when_paused_since_then_start_nothing() -> None:
    since = pause(since=START + 2 * HOUR + timedelta(minutes=30))
    decision = at(hourly(missed="all"), START + 3 * HOUR, [since])
    assert outcomes(decision) == [PAUSED] * 3
    assert decision.occurrences[0].why.startswith("Noticed 2 h late, and the whole system was paused")


def test_due_time_when_jitter_puts_its_start_into_a_pause_then_it_is_not_called_late() -> None:
    schedule = replace(hourly(), jitter=600.0)
    fire = fire_time(schedule.id, START + HOUR, 600.0)
    decision = at(schedule, fire + timedelta(seconds=1), [pause(since=fire - timedelta(microseconds=1))])
    assert outcomes(decision) == [PAUSED]
    assert decision.occurrences[0].why.startswith("Put off by ") and "late" not in decision.occurrences[0].why


def test_missed_due_times_when_the_latest_is_in_a_pause_then_the_one_before_it_starts() -> None:
    lifted = pause(since=START + 3 * HOUR, until=START + 3 * HOUR + timedelta(minutes=5))
    decision = at(hourly(missed="last"), START + 3 * HOUR + timedelta(minutes=30), [lifted])
    assert outcomes(decision) == [COALESCED, STARTING, PAUSED]
    in_batches = at(hourly(missed="last"), START + 3 * HOUR + timedelta(minutes=30), [lifted], limit=2)
    assert outcomes(in_batches) == [COALESCED, STARTING]


# -- jitter -------------------------------------------------------------------------------------------------------------------


def test_jitter_when_set_then_the_due_time_waits_for_it_and_is_on_time() -> None:
    schedule = hourly(jitter=1800.0, missed="none")
    fire = fire_time(schedule.id, START + HOUR, 1800.0)
    assert START + HOUR < fire < START + 1.5 * HOUR
    assert at(schedule, fire - timedelta(milliseconds=1)).occurrences == []
    (one,) = at(schedule, fire).occurrences
    assert (one.outcome, one.due_at, one.fire_at) == (STARTING, START + HOUR, fire)
    assert "of jitter" in one.why
    assert outcomes(at(schedule, START + 1.5 * HOUR + GRACE)) == [STARTING]
    assert outcomes(at(schedule, START + 1.5 * HOUR + GRACE + timedelta(seconds=1))) == [MISSED]


# -- any history ------------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    expression=st.sampled_from(["13m", "0 * * * *", "*/20 2 * * *", "30 2 * * *"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    missed=st.sampled_from(["all", "last", "none"]),
    window=st.sampled_from([None, 300.0, 7200.0]),
    jitter=st.sampled_from([0.0, 30.0]),
    steps=st.lists(st.integers(1, 200_000), min_size=1, max_size=12),
    limit=st.integers(1, 50),
)
def test_due_times_when_time_goes_on_in_any_steps_then_each_is_decided_once_and_in_order(
    expression: str, zone: str, missed: str, window: float | None, jitter: float, steps: list[int], limit: int
) -> None:
    schedule = make_demo_schedule(expression, timezone=zone, missed=missed, catch_up_window=window, jitter=jitter)
    first, now = schedule.next_due_at, START
    decided: list[Occurrence] = []
    for step in steps:
        now += timedelta(seconds=step)
        while True:
            decision = decide(schedule, (), now, grace=GRACE, limit=limit)
            decided += decision.occurrences
            schedule = replace(schedule, next_due_at=decision.next_due_at, next_fire_at=decision.next_fire_at)
            if not decision.has_more:
                break
        late_starts = [
            one
            for one in decided
            if one.outcome is STARTING and one.recorded_at == now and one.why.startswith("Noticed")
        ]
        assert missed == "all" or len(late_starts) <= (missed == "last")
    assert first is not None
    expected = [first]
    for due in due_times(schedule, first):
        if due > now or fire_time(schedule.id, due, jitter) > now:
            break
        expected.append(due)
    assert [one.due_at for one in decided] == (expected if fire_time(schedule.id, first, jitter) <= now else [])
