"""What no event tells: runs that do not start, do not end, did not come."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update
from tests.integration.notifications.conftest import Desk

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.rows import RUN, RUNNER
from fastflow.kernel.schedules.infra.ledger_store import SqlLedger
from fastflow.kernel.schedules.infra.rows import OCCURRENCE
from fastflow.kernel.schedules.service import Scheduler, SchedulerRules
from fastflow.kernel.schedules.wiring import build_schedules
from fastflow.kit.identity import Actor, Role
from fastflow.testing.run_doubles import RecordingWakeUp, make_run
from fastflow.testing.schedule_doubles import MemoryRuns, make_definition

ONE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


class Scheduled:
    """A schedule of demo every hour, and its scheduler."""

    def __init__(self, desk: Desk) -> None:
        self.runs = MemoryRuns()
        self.desk = desk
        room = build_schedules(
            desk.database,
            pipelines=desk.pipelines,
            runs=self.runs,
            wakeup=RecordingWakeUp(),
            data_dir=desk.folder,
            clock=desk.clock,
        )
        view = room.schedules.create(make_definition("1h"), actor=Actor(name="user:olga", role=Role.OPERATOR))
        self.due = view.schedule.next_due_at
        self._scheduler = Scheduler(
            ledger=SqlLedger(desk.database, host="host-1", process="1"),
            runs=self.runs,
            declared=None,
            rules=SchedulerRules(),
            clock=desk.clock,
        )

    def fire(self) -> str:
        """Start what is due; the run's id, which is in the database too."""
        self._scheduler.tick()
        run = list(self.runs.made.values())[-1].run
        self.desk.keep(replace(run, queued_at=self.desk.clock.now()))
        return run.id


def test_due_time_when_its_run_waits_too_long_then_it_is_told_once_and_over_with_the_next_success(desk: Desk) -> None:
    desk.channel()
    desk.rule("late", after=300.0)
    scheduled = Scheduled(desk)
    assert scheduled.due is not None
    desk.at(scheduled.due)
    run_id = scheduled.fire()
    desk.clock.advance(299)
    assert desk.watcher.look() == 0
    desk.clock.advance(2)
    assert desk.watcher.look() == 1
    assert desk.watcher.look() == 0
    (alert,) = desk.alerts()
    assert (alert.event, alert.run_id, alert.pipeline_name) == ("late", run_id, "demo")
    assert "waits in the queue" in alert.facts["why"]
    desk.end("SUCCESS")
    assert desk.alerts()[0].resolved_at == desk.clock.now()


@ONE
@pytest.mark.parametrize(
    ("started_after", "status", "told"),
    [(10, "RUNNING", 0), (400, "RUNNING", 1), (None, "FAILED", 0)],
    ids=["in-time", "late", "failed-before-start"],
)
def test_due_time_when_its_run_has_started_or_ended_then_only_a_late_start_is_told(
    desk: Desk, started_after: int | None, status: str, told: int
) -> None:
    desk.channel()
    desk.rule("late", after=300.0)
    scheduled = Scheduled(desk)
    assert scheduled.due is not None
    desk.at(scheduled.due)
    run_id = scheduled.fire()
    started = None if started_after is None else scheduled.due + timedelta(seconds=started_after)
    values = {
        "status": status,
        "started_at": started,
        "finished_at": scheduled.due + timedelta(seconds=5) if status == "FAILED" else None,
    }
    with desk.database.write() as connection:
        connection.execute(update(RUN).where(RUN.c.id == run_id).values(**values))
    desk.clock.advance(600)
    assert desk.watcher.look() == told


@ONE
def test_due_time_when_no_scheduler_handles_it_or_it_was_missed_then_it_is_told_once(desk: Desk) -> None:
    desk.channel()
    desk.rule("late", after=300.0, pipeline_name=None)
    scheduled = Scheduled(desk)
    assert scheduled.due is not None
    desk.at(scheduled.due + timedelta(seconds=301))
    assert desk.watcher.look() == 1
    assert "no scheduler has handled it" in desk.alerts()[0].facts["why"]
    row = {
        "schedule_id": desk.alerts()[0].schedule_id, "due_at": scheduled.due, "fire_at": scheduled.due, "outcome": "missed",
        "why": "nobody was there", "recorded_at": desk.clock.now(),
    }  # fmt: skip
    with desk.database.write() as connection:
        connection.execute(insert(OCCURRENCE), row)
    desk.clock.advance(60)
    assert desk.watcher.look() == 0


def running(desk: Desk, since: timedelta, **values: Any) -> str:
    started = desk.clock.now() - since
    run = make_run(status=RunStatus.RUNNING, started_at=started, queued_at=started, **values)
    return desk.keep(run).id


def test_run_when_it_takes_much_longer_than_others_did_then_it_is_told_while_it_goes_on(desk: Desk) -> None:
    desk.channel()
    desk.rule("slow", factor=3.0, min_history=3)
    run_id = running(desk, timedelta(seconds=200))
    assert desk.watcher.look() == 0, "nothing is known of its pipeline"
    for seconds in (50, 60, 70):
        desk.end("SUCCESS", took=seconds)
    desk.clock.advance(121)  # what was known is looked up anew, and the run goes on since 321 s
    assert desk.watcher.look() == 1
    (alert,) = desk.alerts()
    assert (alert.event, alert.run_id) == ("slow", run_id)
    assert (alert.facts["median"], alert.facts["limit"], alert.facts["history"]) == (60.0, 180.0, 3)


@ONE
def test_deadline_when_no_run_succeeded_by_then_it_is_told_with_the_reason_and_checked_again_the_next_day(
    desk: Desk,
) -> None:
    desk.at(datetime(2026, 1, 16, 0, 0, tzinfo=UTC))  # a Friday
    desk.channel()
    days = ("mon", "tue", "wed", "thu", "fri")
    desk.rule("deadline", by="08:00", timezone="Europe/Berlin", days=days, within=6 * 3600.0)
    desk.at(datetime(2026, 1, 16, 6, 59, tzinfo=UTC))
    desk.end("FAILED")
    assert desk.watcher.look() == 0
    desk.at(datetime(2026, 1, 16, 7, 0, 5, tzinfo=UTC))
    assert desk.watcher.look() == 1
    (alert,) = desk.alerts()
    assert alert.facts["last_end"] == "the last run ended FAILED: exit code 3"
    assert alert.facts["last_success"] is None
    (rule,) = desk.sights.load_rules()
    assert rule.next_check_at == datetime(2026, 1, 19, 7, 0, tzinfo=UTC)
    desk.at(datetime(2026, 1, 19, 6, 30, tzinfo=UTC))
    desk.end("SUCCESS")
    desk.at(datetime(2026, 1, 19, 9, 0, tzinfo=UTC))  # judged late, by what was true at the deadline
    desk.end("FAILED")
    assert desk.watcher.look() == 0


@ONE
def test_deadline_when_a_success_came_after_it_then_it_was_missed_all_the_same(desk: Desk) -> None:
    desk.at(datetime(2026, 1, 16, 0, 0, tzinfo=UTC))
    desk.channel()
    desk.rule("deadline", by="08:00")
    desk.at(datetime(2026, 1, 16, 8, 30, tzinfo=UTC))
    desk.end("SUCCESS")
    assert desk.watcher.look() == 1


@ONE
def test_system_when_a_disk_is_nearly_full_or_a_server_silent_then_it_is_told_once_a_day(desk: Desk) -> None:
    desk.channel()
    desk.rule("system", pipeline_name=None)
    desk.free.update(DATA_DIR=10 * 2**30, LOGS_DIR=3 * 2**20)
    now = desk.clock.now()
    beat = {
        "host": "host-2", "owner": "x", "hostname": "alpha", "pid": 1, "started_at": now, "seen_at": now - timedelta(hours=1),
        "stopped_at": None,
    }  # fmt: skip
    with desk.database.write() as connection:
        connection.execute(insert(RUNNER), beat)
    assert desk.watcher.look() == 2
    assert desk.watcher.look() == 0
    texts = sorted(str(alert.facts["text"]) for alert in desk.alerts())
    assert texts[0].startswith("LOGS_DIR has 3 MB left") and texts[1].startswith("the server alpha has not reported")
    desk.clock.advance(timedelta(days=1))
    assert desk.watcher.look() == 1


def test_watchers_when_two_servers_look_at_once_then_each_thing_is_told_once(
    desk: Desk, database_url: str, desk_of: Callable[[Database], Desk]
) -> None:
    desk.channel()
    desk.rule("slow", "late", min_history=2)
    for _ in range(2):
        desk.end("SUCCESS", took=5)
    running(desk, timedelta(hours=1))
    with closing(Database(database_url)) as other:
        second = desk_of(other)
        assert desk.watcher.look() + second.watcher.look() == 1
    assert len(desk.alerts()) == len(desk.outbox()) == 1


@ONE
def test_rules_when_declared_in_code_then_they_follow_the_settings(desk: Desk, tmp_path: Path) -> None:
    desk.channel()
    entry = {"on": ["failure", "slow"], "channels": ["ops"], "mad": 5}
    desk.pipelines.add("demo", notify=[entry])
    assert desk.room.declared.keep_in_step() == 1
    assert desk.room.declared.keep_in_step() == 0
    (view,) = desk.room.rules.list(actor=Actor(name="user:olga", role=Role.OPERATOR)).items
    assert (view.rule.origin, view.rule.name, view.rule.events) == ("code", "default", ("failure", "slow"))
    assert (view.rule.mad, view.rule.factor) == (5.0, None)
    desk.pipelines.add("demo", notify=[{**entry, "channels": ["nobody"]}])
    assert desk.room.declared.keep_in_step() == 1
    (view,) = desk.room.rules.list(actor=Actor(name="user:olga", role=Role.OPERATOR)).items
    assert view.problem == "There is no channel nobody."
    desk.pipelines.add("demo")
    assert desk.room.declared.keep_in_step() == 1
    assert not desk.room.rules.list(actor=Actor(name="user:olga", role=Role.OPERATOR)).items
