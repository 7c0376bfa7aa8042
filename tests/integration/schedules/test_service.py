"""Schedules as people make, change, pause and remove them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.integration.schedules.conftest import ADMIN, OPERATOR, Desk

from fastflow.kernel.audit.domain.entries import AuditFilter
from fastflow.kernel.audit.wiring import build_audit
from fastflow.kernel.pipelines.domain.errors import PipelineBroken
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.schedules.domain.errors import (
    InvalidSchedule,
    ScheduleDeclared,
    ScheduleNameTaken,
    ScheduleNotFound,
)
from fastflow.kernel.schedules.domain.schedule import Outcome
from fastflow.kernel.schedules.ports import LedgerFilter, ScheduleFilter
from fastflow.kernel.schedules.service.simulating import SimulationRequest
from fastflow.kit.errors import Forbidden, InvalidInput, NotFound
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.kit.ids import new_id
from fastflow.testing.clock import START
from fastflow.testing.schedule_doubles import instant, make_definition, make_demo_schedule

HOUR = timedelta(hours=1)
SCHEMA = {"properties": {"CITY": {"type": "string"}, "TOP": {"type": "integer", "default": 3}}, "required": ["CITY"]}
VIEWER = Actor(name="user:vera", role=Role.VIEWER)
SCOPED = replace(OPERATOR, pipelines=("other",))


# -- make ------------------------------------------------------------------------------------------------------------------


def test_schedule_when_made_then_kept_as_asked_and_the_runner_is_woken(desk: Desk) -> None:
    view = desk.add_view("30 2 * * *", timezone="Europe/Berlin", params={"A": 1}, jitter=30.0, catch_up_window=None)
    schedule = view.schedule
    assert (schedule.name, schedule.origin, schedule.created_by) == ("cron-1", "user", "user:olga")
    assert schedule.next_due_at == instant("2026-01-16T02:30+01:00")
    assert schedule.next_fire_at is not None and schedule.next_fire_at >= schedule.next_due_at
    assert desk.get(schedule) == schedule
    assert (view.pauses, view.last, view.problem) == ([], None, None)
    assert desk.wakeup.to_runner == ["schedules"]
    assert [desk.add("1h").name, desk.add("1h").name, desk.add("@daily").name] == ["interval-1", "interval-2", "cron-2"]


def test_schedule_when_its_name_is_taken_then_refused(desk: Desk) -> None:
    desk.add("1h", name="a")
    with pytest.raises(ScheduleNameTaken, match="has a schedule named 'a'"):
        desk.add("1h", name="a")
    desk.pipelines.add("other")
    assert desk.add("1h", name="a", pipeline_name="other").name == "a"


def test_schedule_when_its_parameters_do_not_fit_then_the_problem_names_them(desk: Desk) -> None:
    desk.pipelines.add("demo", params_schema=SCHEMA)
    with pytest.raises(InvalidSchedule) as caught:
        desk.add("0", trigger="interval", params={"CITI": "Ulm", "TOP": "3"})
    assert set(caught.value.fields) == {"expression", "params.CITI", "params.CITY", "params.TOP"}
    assert desk.add("1h", params={"CITY": "Ulm"}).params == {"CITY": "Ulm"}, "defaults are those of the run's day"


def test_schedule_when_its_pipeline_is_unknown_or_broken_then_refused(desk: Desk) -> None:
    with pytest.raises(NotFound, match="no pipeline 'nothing'"):
        desk.add("1h", pipeline_name="nothing")
    desk.pipelines.add("broken", faults=(Fault(pipeline="broken", file="main.py", message="wrong", hint="mend"),))
    with pytest.raises(PipelineBroken):
        desk.add("1h", pipeline_name="broken")
    assert desk.room.schedules.list(actor=OPERATOR).items == []


@pytest.mark.parametrize("actor", [VIEWER, SCOPED], ids=["viewer", "scoped"])
def test_schedule_when_the_actor_may_not_then_nothing_is_done(desk: Desk, actor: Actor) -> None:
    schedule, room = desk.add("1h"), desk.room
    for forbidden in (
        lambda: room.schedules.create(make_definition("1h"), actor=actor),
        lambda: room.schedules.change(schedule.id, {"priority": 3}, actor=actor),
        lambda: room.schedules.delete(schedule.id, actor=actor),
        lambda: room.pauses.pause_schedule(schedule.id, actor=actor),
        lambda: room.pauses.resume_schedule(schedule.id, actor=actor),
        lambda: room.pauses.pause_pipeline("demo", actor=actor),
        lambda: room.pauses.pause_system(actor=actor),
        lambda: room.pauses.resume_system(actor=actor),
    ):
        with pytest.raises(Forbidden):
            forbidden()
    assert desk.get(schedule) == schedule
    assert desk.room.pauses.in_force() == []


# -- look ------------------------------------------------------------------------------------------------------------------


def test_list_when_paged_and_filtered_then_shows_each_once_and_only_what_one_may_see(desk: Desk) -> None:
    desk.pipelines.add("other")
    made = [desk.add("1h", pipeline_name=name) for name in ("demo", "other", "demo", "demo")]
    first = desk.room.schedules.list(actor=OPERATOR, limit=3)
    second = desk.room.schedules.list(actor=OPERATOR, limit=3, cursor=first.next_cursor)
    assert [view.schedule for view in [*first.items, *second.items]] == made
    assert second.next_cursor is None
    wanted = ScheduleFilter(pipeline_name="demo", name="interval-2", origin="user")
    assert [view.schedule for view in desk.room.schedules.list(wanted, actor=OPERATOR).items] == [made[2]]
    assert [view.schedule for view in desk.room.schedules.list(actor=SCOPED).items] == [made[1]]
    with pytest.raises(Forbidden):
        desk.room.schedules.list(ScheduleFilter(pipeline_name="demo"), actor=SCOPED)


def test_schedule_when_unknown_then_not_found(desk: Desk) -> None:
    for ask in (desk.room.schedules.get, desk.room.schedules.delete, desk.room.pauses.pause_schedule):
        with pytest.raises(ScheduleNotFound):
            ask(new_id(), actor=OPERATOR)
        with pytest.raises(InvalidInput, match="is not a UUID"):
            ask("nightly", actor=OPERATOR)


def test_next_due_times_when_asked_then_tell_what_clocks_do(desk: Desk) -> None:
    desk.clock.set(instant("2027-03-26T12:00"))
    schedule = desk.add("30 2 * * *", timezone="Europe/Berlin")
    due = desk.room.schedules.next_due_times(schedule.id, 3, actor=OPERATOR)
    assert [one.due_at for one in due] == [
        instant(f"2027-03-{day}T{time}") for day, time in ((27, "01:30"), (28, "01:00"), (29, "00:30"))
    ]
    assert [one.note is not None for one in due] == [False, True, False]
    assert len(desk.room.schedules.next_due_times(schedule.id, 20, actor=OPERATOR)) == 20


def test_next_due_times_when_over_then_there_are_none(desk: Desk) -> None:
    schedule = desk.add("2026-01-15T13:00")
    assert len(desk.room.schedules.next_due_times(schedule.id, 20, actor=OPERATOR)) == 1
    desk.clock.advance(HOUR)
    desk.scheduler().tick()
    assert desk.room.schedules.next_due_times(schedule.id, 20, actor=OPERATOR) == ()
    assert desk.outcomes(schedule) == ["started"]


def test_ledger_when_paged_and_filtered_then_latest_first(desk: Desk) -> None:
    schedule, scheduler = desk.add("1h"), desk.scheduler()
    for hour in range(7):
        if hour == 3:
            desk.room.pauses.pause_schedule(schedule.id, actor=OPERATOR)
        desk.clock.advance(HOUR)
        scheduler.tick()
    ask = desk.room.schedules.occurrences
    first = ask(schedule.id, actor=OPERATOR, limit=4)
    second = ask(schedule.id, actor=OPERATOR, limit=4, cursor=first.next_cursor)
    assert [row.due_at for row in [*first.items, *second.items]] == [START + HOUR * hours for hours in range(7, 0, -1)]
    assert second.next_cursor is None
    paused = ask(schedule.id, LedgerFilter(outcome=Outcome.PAUSED, until=START + 6 * HOUR), actor=OPERATOR)
    assert [row.due_at for row in paused.items] == [START + 5 * HOUR, START + 4 * HOUR]
    since = ask(schedule.id, LedgerFilter(since=START + 6 * HOUR), actor=OPERATOR)
    assert len(since.items) == 2
    for cursor in ("nonsense", "WyJub3RoaW5nIl0", "WyIyMDI2LTAxLTAxIl0"):
        with pytest.raises(InvalidInput, match="cursor"):
            ask(schedule.id, actor=OPERATOR, cursor=cursor)


# -- change ----------------------------------------------------------------------------------------------------------------


def test_schedule_when_changed_then_what_came_before_is_decided_by_the_old_form(desk: Desk) -> None:
    schedule = desk.add("1h", missed="all")
    desk.clock.advance(2 * HOUR + timedelta(minutes=30))  # and no scheduler was at work
    after = desk.room.schedules.change(schedule.id, {"expression": "10m"}, actor=OPERATOR).schedule
    assert desk.outcomes(schedule) == ["starting", "starting"]
    assert after.next_due_at == desk.clock.now() + timedelta(minutes=10)
    desk.scheduler().tick()
    assert desk.outcomes(schedule) == ["started", "started"]
    desk.clock.advance(timedelta(minutes=20))
    desk.scheduler().tick()
    assert [row.due_at for row in desk.rows(schedule)] == [
        START + HOUR, START + 2 * HOUR, START + timedelta(minutes=160), START + timedelta(minutes=170)
    ]  # fmt: skip


def test_schedule_when_changed_to_what_cannot_be_then_stays_as_it_is(desk: Desk) -> None:
    schedule = desk.add("1h", name="a")
    desk.add("1h", name="b")
    with pytest.raises(InvalidSchedule, match="no time at all"):
        desk.room.schedules.change(schedule.id, {"expression": "0"}, actor=OPERATOR)
    with pytest.raises(InvalidSchedule, match="stays so"):
        desk.room.schedules.change(schedule.id, {"pipeline_name": "other"}, actor=OPERATOR)
    with pytest.raises(ScheduleNameTaken):
        desk.room.schedules.change(schedule.id, {"name": "b"}, actor=OPERATOR)
    assert desk.get(schedule) == schedule


def test_schedule_when_over_then_can_still_be_renamed_and_not_put_into_the_past(desk: Desk) -> None:
    schedule = desk.add("2026-01-15T13:00")
    desk.clock.advance(2 * HOUR)
    desk.scheduler().tick()
    assert desk.room.schedules.change(schedule.id, {"name": "done"}, actor=OPERATOR).schedule.name == "done"
    with pytest.raises(InvalidSchedule, match="in the past"):
        desk.room.schedules.change(schedule.id, {"expression": "2026-01-15T13:30"}, actor=OPERATOR)
    again = desk.room.schedules.change(schedule.id, {"expression": "2026-01-15T18:00"}, actor=OPERATOR).schedule
    assert again.next_due_at == START + 6 * HOUR


def test_schedule_when_declared_in_code_then_can_be_paused_alone(desk: Desk) -> None:
    schedule = make_demo_schedule("1h", origin="code")
    from fastflow.kernel.schedules.infra.schedule_store import SqlScheduleStore

    SqlScheduleStore(desk.database).add(schedule, None, actor=SYSTEM)
    desk.pipelines.add("demo", schedules=[{"name": "demo", "every": "1h"}])
    with pytest.raises(ScheduleDeclared):
        desk.room.schedules.change(schedule.id, {"priority": 3}, actor=OPERATOR)
    with pytest.raises(ScheduleDeclared):
        desk.room.schedules.delete(schedule.id, actor=OPERATOR)
    desk.room.pauses.pause_schedule(schedule.id, actor=OPERATOR)
    desk.pipelines.remove("demo")
    desk.room.schedules.delete(schedule.id, actor=OPERATOR)


# -- pause -----------------------------------------------------------------------------------------------------------------


def test_pauses_when_of_schedule_pipeline_and_system_then_each_holds_what_is_below_it(desk: Desk) -> None:
    desk.pipelines.add("other")
    one, two, three = desk.add("1h"), desk.add("1h"), desk.add("1h", pipeline_name="other")
    scheduler, pauses = desk.scheduler(), desk.room.pauses

    def hour() -> list[str]:
        desk.clock.advance(HOUR)
        scheduler.tick()
        return [desk.outcomes(schedule)[-1] for schedule in (one, two, three)]

    pauses.pause_schedule(one.id, actor=OPERATOR, reason="stocktaking")
    assert hour() == ["paused", "started", "started"]
    assert "(stocktaking)" in desk.rows(one)[-1].why
    pauses.pause_pipeline("demo", actor=OPERATOR)
    assert hour() == ["paused", "paused", "started"]
    pauses.pause_system(actor=ADMIN)
    assert hour() == ["paused", "paused", "paused"]
    assert [pause.scope for pause in desk.room.schedules.get(one.id, actor=OPERATOR).pauses] == [
        "schedule",
        "pipeline",
        "system",
    ]
    assert [pause.scope for pause in desk.room.schedules.status(actor=OPERATOR).pauses] == ["pipeline", "system"]
    assert pauses.resume_system(actor=ADMIN)
    assert pauses.resume_pipeline("demo", actor=OPERATOR)
    assert hour() == ["paused", "started", "started"]
    assert pauses.resume_schedule(one.id, actor=OPERATOR)
    assert not pauses.resume_schedule(one.id, actor=OPERATOR)
    assert hour() == ["started", "started", "started"]


def test_coming_when_paused_or_its_pipeline_is_gone_then_left_out_also_of_the_status(desk: Desk) -> None:
    for name in ("other", "gone"):
        desk.pipelines.add(name)
    lost = desk.add("1h", pipeline_name="gone")
    paused, later = desk.add("1h"), desk.add("3h", pipeline_name="other")
    desk.room.pauses.pause_schedule(paused.id, actor=OPERATOR)
    desk.pipelines.remove("gone")
    assert lost.next_due_at is not None and later.next_due_at is not None and lost.next_due_at < later.next_due_at
    found = desk.room.schedules.coming(actor=OPERATOR, limit=5, at_most=100)
    assert [schedule.id for schedule in found] == [later.id]
    assert desk.room.schedules.status(actor=OPERATOR).counts.next_fire_at == later.next_fire_at


def test_pause_when_twice_then_the_first_stays(desk: Desk) -> None:
    schedule = desk.add("1h")
    first = desk.room.pauses.pause_schedule(schedule.id, actor=OPERATOR, reason="first")
    desk.clock.advance(60)
    assert desk.room.pauses.pause_schedule(schedule.id, actor=OPERATOR, reason="second") == first


def test_pause_when_it_was_lifted_while_no_scheduler_was_at_work_then_its_due_times_are_paused_all_the_same(
    desk: Desk,
) -> None:
    schedule = desk.add("1h", missed="all")
    desk.clock.advance(HOUR + timedelta(minutes=30))
    desk.room.pauses.pause_schedule(schedule.id, actor=OPERATOR)
    desk.clock.advance(HOUR)
    desk.room.pauses.resume_schedule(schedule.id, actor=OPERATOR)
    desk.clock.advance(HOUR)
    desk.scheduler().tick()
    assert desk.outcomes(schedule) == ["started", "paused", "started"]


def test_pause_when_of_a_pipeline_that_is_gone_then_possible_while_it_has_schedules(desk: Desk) -> None:
    desk.add("1h")
    desk.pipelines.remove("demo")
    desk.room.pauses.pause_pipeline("demo", actor=OPERATOR)
    assert desk.room.pauses.resume_pipeline("demo", actor=OPERATOR)
    with pytest.raises(NotFound):
        desk.room.pauses.pause_pipeline("never", actor=OPERATOR)


def test_schedule_when_made_disabled_then_paused_from_the_beginning(desk: Desk) -> None:
    view = desk.add_view("1h", is_enabled=False)
    assert [pause.by for pause in view.pauses] == ["user:olga"]
    desk.clock.advance(HOUR)
    desk.scheduler().tick()
    assert desk.outcomes(view.schedule) == ["paused"]


# -- status, simulation, audit ------------------------------------------------------------------------------------------------


def test_health_when_due_times_are_not_handled_then_says_so(desk: Desk) -> None:
    assert desk.room.schedules.health() == {"ok": True, "schedules": 0, "next_fire_at": None, "paused": False}
    desk.add("1h")
    desk.clock.advance(HOUR + timedelta(seconds=70))
    assert desk.room.schedules.health()["ok"]
    desk.clock.advance(10)
    health = desk.room.schedules.health()
    assert not health["ok"] and "came 1 min 20 s ago" in health["problem"]
    desk.room.pauses.pause_system(actor=ADMIN)
    desk.scheduler().tick()
    assert desk.room.schedules.health() == {
        "ok": True, "schedules": 1, "next_fire_at": "2026-01-15T14:00:00+00:00", "paused": True
    }  # fmt: skip


def test_simulation_when_of_all_schedules_then_due_times_come_in_order_with_what_clocks_do(desk: Desk) -> None:
    berlin = desk.add("30 2 * * *", name="berlin", timezone="Europe/Berlin")
    desk.add("0 12 * * *", name="noon")
    desk.room.pauses.pause_schedule(berlin.id, actor=OPERATOR)
    request = SimulationRequest(since=instant("2027-03-27T12:00"), until=instant("2027-03-29T12:00"))
    found = desk.room.simulations.simulate(request, actor=OPERATOR)
    assert [(item.due.schedule.name, item.due.due_at.isoformat()) for item in found.items] == [
        ("noon", "2027-03-27T12:00:00+00:00"),
        ("berlin", "2027-03-28T01:00:00+00:00"),
        ("noon", "2027-03-28T12:00:00+00:00"),
        ("berlin", "2027-03-29T00:30:00+00:00"),
    ]
    assert [bool(item.paused) for item in found.items] == [False, True, False, True]
    (felt,) = found.changes
    assert (felt.change.kind, [schedule.id for schedule in felt.schedules]) == ("gap", [berlin.id])
    assert found.items[1].due.note == felt.change.text
    assert (found.is_cut, found.schedules) == (False, 2)
    cut = desk.room.simulations.simulate(replace(request, limit=1), actor=OPERATOR)
    assert (len(cut.items), cut.is_cut) == (1, True)
    assert desk.room.simulations.simulate(request, actor=SCOPED).schedules == 0


def test_simulation_when_of_a_schedule_that_is_not_made_then_nothing_is_kept(desk: Desk) -> None:
    request = SimulationRequest(since=START, until=START + 3 * HOUR, definition=make_definition("1h", pipeline_name=""))
    found = desk.room.simulations.simulate(request, actor=VIEWER)
    assert [item.due.due_at for item in found.items] == [START + HOUR, START + 2 * HOUR]
    assert desk.room.schedules.list(actor=OPERATOR).items == []
    with pytest.raises(InvalidSchedule, match="Did you mean"):
        wrong = replace(request, definition=make_definition("1h", timezone="Berlin", pipeline_name=""))
        desk.room.simulations.simulate(wrong, actor=VIEWER)
    with pytest.raises(NotFound):
        desk.room.simulations.simulate(
            replace(request, definition=make_definition("1h", pipeline_name="x")), actor=VIEWER
        )


def test_simulation_when_its_times_are_wrong_then_says_so(desk: Desk) -> None:
    for until, said in ((START, "is not after the beginning"), (START + timedelta(days=5000), "more than 3660 days")):
        with pytest.raises(InvalidSchedule, match=said) as caught:
            desk.room.simulations.simulate(SimulationRequest(since=START, until=until), actor=VIEWER)
        assert list(caught.value.fields) == ["until"]


def test_changes_when_made_then_each_is_in_the_audit_log(desk: Desk) -> None:
    schedule = desk.add("1h")
    desk.room.schedules.change(schedule.id, {"expression": "2h"}, actor=OPERATOR)
    desk.room.schedules.change(schedule.id, {"expression": "2h"}, actor=OPERATOR)  # nothing new
    desk.room.pauses.pause_schedule(schedule.id, actor=OPERATOR)
    desk.room.pauses.resume_schedule(schedule.id, actor=OPERATOR)
    desk.room.pauses.pause_schedule(schedule.id, actor=OPERATOR)
    desk.room.schedules.delete(schedule.id, actor=OPERATOR)  # which resumes nothing
    entries = build_audit(desk.database).list(AuditFilter(action="schedule.")).items
    assert [(entry.action, entry.subject) for entry in reversed(entries)] == [
        (f"schedule.{word}", schedule.id) for word in ("create", "change", "pause", "resume", "pause", "delete")
    ]
