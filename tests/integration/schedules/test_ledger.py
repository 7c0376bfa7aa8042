"""The due-table and its ledger: one row for every due time, whatever crashes, however many servers there are."""

import threading
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError
from tests.integration.schedules.conftest import ADMIN, OPERATOR, Desk

from fastflow.kernel.db.engine import Database
from fastflow.kernel.schedules.domain.schedule import Outcome
from fastflow.kernel.schedules.infra.recording import LEASE
from fastflow.kernel.schedules.infra.rows import OCCURRENCE, SCHEDULE
from fastflow.kernel.schedules.service import SchedulerRules
from fastflow.kernel.schedules.service.starting import RETRY
from fastflow.kit.errors import Unavailable
from fastflow.testing.clock import START

HOUR = timedelta(hours=1)


class Crash(BaseException):
    """The process is gone: nothing catches it."""


# -- the normal course --------------------------------------------------------------------------------------------------


def test_due_times_when_they_come_then_each_has_a_row_and_a_run(desk: Desk) -> None:
    schedule, scheduler = desk.add("1h"), desk.scheduler()
    for _ in range(3):
        desk.clock.advance(HOUR)
        assert scheduler.tick() == 1
        assert scheduler.tick() == 0
    rows = desk.rows(schedule)
    assert [row.due_at for row in rows] == [START + HOUR, START + 2 * HOUR, START + 3 * HOUR]
    assert {row.outcome for row in rows} == {Outcome.STARTED}
    assert [row.run_id for row in rows] == [made.run.id for made in desk.runs.made.values()]
    assert [made.schedule.due_at for made in desk.runs.made.values()] == [row.due_at for row in rows]
    assert desk.get(schedule).next_due_at == START + 4 * HOUR
    assert desk.get(schedule).last_due_at == START + 3 * HOUR


def test_due_table_when_asked_then_tells_the_earliest_start(desk: Desk) -> None:
    ledger = desk.room.ledger
    assert ledger.next_fire() is None
    desk.add("3h")
    desk.add("2h")
    assert ledger.next_fire() == START + 2 * HOUR
    desk.add("2026-01-15T13:00")
    assert ledger.next_fire() == START + HOUR
    desk.clock.advance(HOUR)
    desk.scheduler().tick()
    assert ledger.next_fire() == START + 2 * HOUR


def test_many_schedules_when_due_at_once_then_all_start_in_several_batches(desk: Desk) -> None:
    schedules = [desk.add("1h", name=f"s{number}") for number in range(450)]
    desk.clock.advance(HOUR)
    assert desk.scheduler().tick() == 450
    assert len(desk.runs.made) == 450
    assert all(desk.outcomes(schedule) == ["started"] for schedule in schedules[::50])


def test_due_times_when_very_many_were_missed_then_all_get_rows_in_batches(desk: Desk) -> None:
    schedule = desk.add("1m", missed="last")
    desk.clock.advance(timedelta(days=3, seconds=90))
    assert desk.scheduler(batch=500).tick() == 3 * 1440 + 1
    rows = desk.rows(schedule)
    assert len({row.due_at for row in rows}) == len(rows) == 3 * 1440 + 1
    assert [row.outcome.value for row in rows[:2880]] == ["missed"] * 2880  # beyond the window of a day
    assert {row.outcome.value for row in rows[2882:-1]} == {"coalesced"}
    assert rows[-1].outcome is Outcome.STARTED
    assert len(desk.runs.made) == 1


def test_row_when_written_twice_then_the_database_refuses(desk: Desk) -> None:
    schedule = desk.add("1h")
    desk.clock.advance(HOUR)
    desk.scheduler().tick()
    (row,) = desk.rows(schedule)
    with pytest.raises(IntegrityError), desk.database.write() as connection:
        values = {**vars(row), "outcome": "missed", "lease_owner": None, "lease_expires_at": None}
        connection.execute(insert(OCCURRENCE), values)


# -- the clock jumps ------------------------------------------------------------------------------------------------------


def test_clock_when_it_goes_back_then_nothing_fires_again(desk: Desk) -> None:
    schedule, scheduler = desk.add("1h"), desk.scheduler()
    desk.clock.advance(2 * HOUR)
    scheduler.tick()
    before = desk.rows(schedule)
    desk.clock.set(START)
    for _ in range(5):
        scheduler.tick()
        desk.clock.advance(timedelta(minutes=29))
    assert desk.rows(schedule) == before
    desk.clock.set(START + 3 * HOUR)
    scheduler.tick()
    assert len(desk.rows(schedule)) == len(before) + 1


def test_clock_when_it_jumps_ahead_then_that_is_a_miss(desk: Desk) -> None:
    schedule = desk.add("1h", missed="none")
    desk.clock.advance(timedelta(days=2, minutes=30))
    desk.scheduler().tick()
    assert desk.outcomes(schedule) == ["missed"] * 48


def test_clock_when_it_was_ahead_and_the_schedule_changes_then_decided_due_times_stay_decided(desk: Desk) -> None:
    schedule = desk.add("1h", missed="all", catch_up_window=None)
    desk.clock.advance(10 * HOUR)
    desk.scheduler().tick()
    assert len(desk.runs.made) == 10
    desk.clock.set(START + timedelta(minutes=30))
    view = desk.room.schedules.change(schedule.id, {"expression": "30m", "start_at": START}, actor=OPERATOR)
    assert "The clock has gone back" in str(view.problem)
    desk.clock.set(START + 3 * HOUR)
    desk.scheduler().tick()
    rows = desk.rows(schedule)
    assert len({row.due_at for row in rows}) == len(rows)
    assert len({made.schedule.due_at for made in desk.runs.made.values()}) == len(desk.runs.made)
    assert desk.get(schedule).last_due_at == START + 10 * HOUR


# -- crashes ---------------------------------------------------------------------------------------------------------------


def crash(*_: Any, **__: Any) -> None:
    raise Crash


def test_crash_when_before_the_row_is_committed_then_the_next_server_decides_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = desk.add("1h")
    desk.clock.advance(HOUR)
    with monkeypatch.context() as patch:
        patch.setattr("fastflow.kernel.schedules.infra.recording.Recorder.write", crash)
        with pytest.raises(Crash):
            desk.scheduler().tick()
    assert desk.rows(schedule) == []
    assert desk.scheduler(process="2").tick() == 1
    assert desk.outcomes(schedule) == ["started"]


@pytest.mark.parametrize("is_submitted", [False, True])
def test_crash_when_between_row_and_run_then_the_next_process_of_the_host_starts_it_once(
    desk: Desk, is_submitted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = desk.add("1h")
    desk.clock.advance(HOUR)
    with monkeypatch.context() as patch:
        if is_submitted:
            patch.setattr("fastflow.kernel.schedules.infra.ledger_store.SqlLedger.settle", crash)
        else:
            desk.runs.on_submit = crash
        with pytest.raises(Crash):
            desk.scheduler(process="1").tick()
    desk.runs.on_submit = None
    assert desk.outcomes(schedule) == ["starting"]
    assert len(desk.runs.made) == int(is_submitted)
    assert desk.room.ledger.next_fire() is not None

    desk.scheduler(host="host-2").tick()
    assert desk.outcomes(schedule) == ["starting"], "another server waits for the lease's end"
    assert desk.scheduler(process="2").tick() == 0
    assert desk.outcomes(schedule) == ["started"]
    (made,) = desk.runs.made.values()
    assert desk.rows(schedule)[0].run_id == made.run.id


def test_crash_when_its_server_stays_away_then_another_one_starts_it_after_the_lease(desk: Desk) -> None:
    schedule = desk.add("1h")
    desk.clock.advance(HOUR)
    desk.runs.on_submit = crash
    with pytest.raises(Crash):
        desk.scheduler().tick()
    desk.runs.on_submit = None
    desk.clock.advance(LEASE)
    desk.scheduler(host="host-2").tick()
    assert desk.outcomes(schedule) == ["started"]
    desk.scheduler(host="host-1", process="2").tick()
    assert len(desk.runs.made) == 1


def test_lease_when_written_by_a_clock_that_was_ahead_then_does_not_hold_for_long(desk: Desk) -> None:
    schedule = desk.add("1h")
    desk.clock.advance(HOUR)
    desk.runs.on_submit = crash
    with pytest.raises(Crash):
        desk.scheduler().tick()
    desk.runs.on_submit = None
    with desk.database.write() as connection:
        connection.execute(update(OCCURRENCE).values(lease_expires_at=START + timedelta(days=365)))
    desk.scheduler(host="host-2").tick()
    assert desk.outcomes(schedule) == ["started"]


def test_due_time_when_something_is_away_then_waits_and_starts_later(desk: Desk) -> None:
    def away(*_: object) -> None:
        raise Unavailable("The folder of pipelines is away.")

    schedule, scheduler = desk.add("1h", catch_up_window=600.0), desk.scheduler()
    desk.clock.advance(HOUR)
    desk.runs.on_submit = away
    scheduler.tick()
    (row,) = desk.rows(schedule)
    assert (row.outcome, row.why) == (Outcome.STARTING, "The folder of pipelines is away. It is tried again.")
    assert desk.room.ledger.next_fire() == desk.clock.now() + RETRY
    scheduler.tick()
    assert desk.runs.asked == 1, "not before its time"
    desk.clock.advance(RETRY)
    desk.runs.on_submit = None
    scheduler.tick()
    assert desk.outcomes(schedule) == ["started"]


def test_pipeline_when_gone_then_the_row_says_so_and_the_schedule_tells(desk: Desk) -> None:
    schedule = desk.add("1h")
    desk.pipelines.remove("demo")

    def gone(name: str, _schedule: object) -> None:
        desk.pipelines.get(name)

    desk.runs.on_submit = gone
    desk.clock.advance(HOUR)
    desk.scheduler().tick()
    (row,) = desk.rows(schedule)
    assert (row.outcome, row.why) == (Outcome.MISSED, "It could not be started: There is no pipeline 'demo'.")
    view = desk.room.schedules.get(schedule.id, actor=OPERATOR)
    assert (view.problem, view.last) == ("There is no pipeline 'demo'.", row)
    (troubled,) = desk.room.schedules.status(actor=OPERATOR).troubled
    assert troubled.schedule.id == schedule.id


def test_schedule_when_its_zone_is_gone_then_the_others_go_on_and_it_tells(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    lost, other = desk.add("0 * * * *", timezone="Europe/Berlin"), desk.add("1h")
    with desk.database.write() as connection:
        connection.execute(update(SCHEDULE).where(SCHEDULE.c.id == lost.id).values(timezone="Mars/Base"))
    scheduler = desk.scheduler()
    desk.clock.advance(HOUR)
    assert scheduler.tick() == 1
    assert (desk.outcomes(other), desk.outcomes(lost)) == (["started"], [])
    assert "schedule.not_decided" in caplog.text
    assert desk.room.ledger.next_fire() == desk.clock.now() + timedelta(seconds=60)
    view = desk.room.schedules.get(lost.id, actor=OPERATOR)
    assert "'Mars/Base' is no time zone" in str(view.problem)
    assert [one.schedule.id for one in desk.room.schedules.status(actor=OPERATOR).troubled] == [lost.id]
    assert desk.room.schedules.next_due_times(lost.id, 20, actor=OPERATOR) == ()
    with desk.database.write() as connection:
        connection.execute(update(SCHEDULE).values(timezone="Europe/Berlin"))
    desk.clock.advance(HOUR)
    scheduler.tick()
    assert desk.outcomes(lost) == ["coalesced", "started"]


def test_due_times_when_many_schedules_missed_many_then_no_transaction_holds_them_all(desk: Desk) -> None:
    schedules = [desk.add("1m", name=f"s{number}", missed="none") for number in range(6)]
    desk.clock.advance(timedelta(minutes=900, seconds=-1))
    ledger, rules = desk.room.ledger, SchedulerRules()
    sizes = []
    while (advanced := ledger.advance(desk.clock.now(), rules.decide(desk.clock.now()), limit=200)).has_more:
        sizes.append(advanced.decided)
    assert sizes == [899 * 3]
    assert {len(desk.rows(schedule)) for schedule in schedules} == {899}


def test_due_times_when_the_lease_would_not_last_for_all_then_the_rest_is_claimed_anew(desk: Desk) -> None:
    schedule = desk.add("1h", missed="all", catch_up_window=None)
    desk.runs.on_submit = lambda _name, _due: desk.clock.advance(1)
    desk.clock.advance(50 * HOUR)
    desk.scheduler().tick()
    assert desk.outcomes(schedule) == ["started"] * 50
    assert desk.runs.asked == len(desk.runs.made) == 50


# -- two servers ------------------------------------------------------------------------------------------------------------


def test_servers_when_two_look_at_the_same_moment_then_each_due_time_is_handled_once(
    desk: Desk, database_url: str
) -> None:
    for number in range(60):
        desk.add("1h", name=f"s{number}", missed="all", catch_up_window=None)
    with closing(Database(database_url)) as one, closing(Database(database_url)) as other:
        desks = [Desk(database, desk.folder, desk.clock, runs=desk.runs) for database in (one, other)]
        schedulers = [each.scheduler(host=f"host-{number}") for number, each in enumerate(desks)]
        for hours in (1, 1, 5, 1):
            desk.clock.advance(HOUR * hours)
            barrier, decided = threading.Barrier(2), [0, 0]

            def work(number: int, barrier: threading.Barrier = barrier, decided: list[int] = decided) -> None:
                barrier.wait()
                decided[number] = schedulers[number].tick()

            threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sum(decided) == 60 * hours
    assert desk.count_rows() == 60 * 8 == len(desk.runs.made) == desk.runs.asked
    with desk.database.read() as connection:
        left = connection.execute(OCCURRENCE.select().where(OCCURRENCE.c.outcome != "started")).all()
    assert left == []


# -- housekeeping ----------------------------------------------------------------------------------------------------------


def test_ledger_when_rows_have_outlived_their_time_then_they_go_and_others_stay(desk: Desk) -> None:
    first, second = desk.add("1h"), desk.add("2h")
    for _ in range(6):
        desk.clock.advance(HOUR)
        desk.scheduler().tick()
    ledger, before = desk.room.ledger, START + 4 * HOUR
    assert ledger.forget(before, after_id="", limit=1) == first.id
    assert ledger.forget(before, after_id=first.id, limit=1) == second.id
    assert ledger.forget(before, after_id=second.id, limit=1) is None
    assert [row.due_at for row in desk.rows(first)] == [START + HOUR * hours for hours in (4, 5, 6)]
    assert [row.due_at for row in desk.rows(second)] == [START + HOUR * hours for hours in (4, 6)]


def test_schedule_when_removed_then_its_ledger_goes_with_it(desk: Desk) -> None:
    schedule, other = desk.add("1h"), desk.add("1h")
    desk.room.pauses.pause_schedule(schedule.id, actor=ADMIN)
    desk.clock.advance(HOUR)
    desk.scheduler().tick()
    desk.room.schedules.delete(schedule.id, actor=OPERATOR)
    assert (desk.rows(schedule), len(desk.rows(other))) == ([], 1)
    assert desk.room.pauses.in_force() == []


def test_due_table_when_a_schedule_was_moved_on_by_another_server_then_it_is_left_alone(desk: Desk) -> None:
    """The condition that guards the move, should a lock ever fail."""
    from fastflow.kernel.schedules.infra.recording import _MOVE_ON

    schedule = desk.add("1h")
    later: datetime = START + 9 * HOUR
    values = {"schedule_id": schedule.id, "expected": START, "due": later, "fire": later, "last": START}
    with desk.database.write() as connection:
        assert connection.execute(_MOVE_ON, values).rowcount == 0
        assert connection.execute(SCHEDULE.select()).one().next_due_at == START + HOUR
