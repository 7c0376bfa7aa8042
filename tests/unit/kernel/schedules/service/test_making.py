"""New schedules, and new forms of those there are."""

from dataclasses import replace
from datetime import timedelta

from fastflow.kernel.schedules.service.making import make_schedule, remake
from fastflow.kit.identity import SYSTEM
from fastflow.testing.clock import START
from fastflow.testing.schedule_doubles import instant, make_definition, make_demo_schedule

LATER = START + timedelta(hours=5, minutes=20, microseconds=5)


def test_schedule_when_made_then_is_first_due_after_now() -> None:
    schedule = make_schedule(make_definition("1h"), "user", SYSTEM, START + timedelta(microseconds=7))
    assert (schedule.anchor_at, schedule.next_due_at) == (START, START + timedelta(hours=1))
    assert schedule.next_fire_at == schedule.next_due_at and schedule.last_due_at is None


def test_schedule_when_made_with_jitter_then_fires_after_it_is_due() -> None:
    schedule = make_demo_schedule("1h", jitter=600.0)
    assert schedule.next_due_at is not None and schedule.next_fire_at is not None
    assert schedule.next_due_at < schedule.next_fire_at <= schedule.next_due_at + timedelta(minutes=10)


def test_schedule_when_its_start_lies_ahead_then_is_first_due_there() -> None:
    start = instant("2026-02-01T00:10")
    schedule = make_demo_schedule("1h", start_at=start)
    assert (schedule.anchor_at, schedule.next_due_at) == (start, start)


def test_form_when_the_same_then_nothing_changes() -> None:
    schedule = make_demo_schedule("1h")
    assert remake(schedule, schedule.definition, SYSTEM, LATER) is schedule


def test_form_when_only_parameters_change_then_it_stays_where_it_stands() -> None:
    schedule = make_demo_schedule("1h")
    after = remake(schedule, replace(schedule.definition, params={"CITY": "Ulm"}), SYSTEM, LATER)
    assert (after.params, after.next_due_at, after.anchor_at) == ({"CITY": "Ulm"}, schedule.next_due_at, START)
    assert (after.updated_at, after.created_at) == (LATER, START)


def test_form_when_the_period_changes_then_counts_from_now() -> None:
    schedule = make_demo_schedule("1h")
    after = remake(schedule, replace(schedule.definition, expression="2h"), SYSTEM, LATER)
    anchor = LATER.replace(microsecond=0)
    assert (after.anchor_at, after.next_due_at) == (anchor, anchor + timedelta(hours=2))


def test_form_when_the_window_alone_changes_then_counts_as_before() -> None:
    schedule = make_demo_schedule("1h")
    after = remake(schedule, replace(schedule.definition, end_at=START + timedelta(days=9)), SYSTEM, LATER)
    assert (after.anchor_at, after.next_due_at) == (START, START + timedelta(hours=6))


def test_form_when_nothing_is_due_any_more_then_it_is_over() -> None:
    schedule = make_demo_schedule("1h")
    after = remake(schedule, replace(schedule.definition, end_at=START + timedelta(hours=5)), SYSTEM, LATER)
    assert (after.next_due_at, after.next_fire_at) == (None, None)
