"""The scheduler's own loop: it sleeps until the earliest due time, and nothing that goes wrong ends it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from tests.integration.schedules.conftest import OPERATOR, Desk

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain.scheduled import Scheduled
from fastflow.kernel.schedules.service import Scheduler
from fastflow.kernel.schedules.wiring import build_schedules
from fastflow.kit.clock import SystemClock
from fastflow.kit.errors import Unavailable
from fastflow.testing.clock import FakeClock
from fastflow.testing.schedule_doubles import make_definition

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
PATIENCE = 20.0


@asynccontextmanager
async def serving(scheduler: Scheduler) -> AsyncIterator[Scheduler]:
    working = asyncio.ensure_future(scheduler.run())
    try:
        yield scheduler
    finally:
        scheduler.stop()
        async with asyncio.timeout(PATIENCE):
            await working


class Rounds:
    """Counts the looks at the due-table, and lets a test wait for the next one to be over."""

    def __init__(self, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._over = asyncio.Event()
        whole = scheduler._work

        async def work() -> float:
            seconds = await whole()
            self.count += 1
            self._over.set()
            return seconds

        monkeypatch.setattr(scheduler, "_work", work)

    async def next(self) -> None:
        self._over.clear()
        async with asyncio.timeout(PATIENCE):
            await self._over.wait()


async def test_loop_when_a_due_time_comes_then_starts_it_then_and_not_before(
    database: Database, data_dir: Path
) -> None:
    desk = Desk(database, data_dir, SystemClock())  # type: ignore[arg-type]  # the machine's own: it is the loop that waits
    started: asyncio.Queue[Any] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def note(_name: str, due: Scheduled) -> None:
        loop.call_soon_threadsafe(started.put_nowait, (due.due_at, SystemClock().now()))

    desk.runs.on_submit = note
    async with serving(desk.scheduler()) as scheduler:

        def wake(message: str) -> None:
            loop.call_soon_threadsafe(scheduler.notify, message)

        desk.wakeup.on_runner = wake
        await asyncio.to_thread(desk.add, "1s")
        async with asyncio.timeout(PATIENCE):
            seen = [await started.get() for _ in range(3)]
    assert all(at >= due for due, at in seen), "never too early"
    assert min(at - due for due, at in seen) < timedelta(seconds=1)
    assert [due - seen[0][0] for due, _ in seen] == [timedelta(seconds=number) for number in range(3)]


async def test_loop_when_nothing_is_due_then_sleeps_until_it_is_woken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = desk.scheduler()
    rounds = Rounds(scheduler, monkeypatch)
    async with serving(scheduler):
        await rounds.next()
        scheduler.notify("wake")
        scheduler.notify("cancel 0198")
        await asyncio.sleep(0)
        assert rounds.count == 1
        schedule = await asyncio.to_thread(desk.add, "1h")
        desk.clock.advance(timedelta(hours=1))
        scheduler.notify("schedules")
        await rounds.next()
        assert desk.outcomes(schedule) == ["started"]


async def test_loop_when_the_database_is_away_or_a_bug_shows_then_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    schedule, scheduler = await asyncio.to_thread(desk.add, "1h"), desk.scheduler()
    desk.clock.advance(timedelta(hours=1))
    monkeypatch.setattr("fastflow.kernel.schedules.service.scheduler._PAUSE_AFTER_ERROR", 0.01)
    troubles = [Unavailable("The database does not answer."), ValueError("impossible")]
    whole = scheduler.tick

    def tick() -> int:
        if troubles:
            raise troubles.pop(0)
        return whole()

    monkeypatch.setattr(scheduler, "tick", tick)
    rounds = Rounds(scheduler, monkeypatch)
    async with serving(scheduler):
        for _ in range(3):
            await rounds.next()
    assert desk.outcomes(schedule) == ["started"]
    assert [record.message for record in caplog.records] == ["scheduler.waits", "scheduler.failed"]


async def test_loop_when_told_that_the_code_changed_then_looks_at_what_is_declared(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = desk.room.make_scheduler()
    rounds = Rounds(scheduler, monkeypatch)
    async with serving(scheduler):
        await rounds.next()
        desk.pipelines.add("report", schedules=[{"every": "1h"}])
        scheduler.notify("schedules")
        await rounds.next()
        assert desk.room.schedules.list(actor=OPERATOR).items == [], "not each time"
        scheduler.notify("schedules declared")
        await rounds.next()
    (view,) = desk.room.schedules.list(actor=OPERATOR).items
    assert (view.schedule.label, view.schedule.origin) == ("report/default", "code")


async def test_loop_when_stopped_in_the_middle_of_much_work_then_leaves_the_rest_to_the_next(desk: Desk) -> None:
    schedules = [await asyncio.to_thread(desk.add, "1h", name=f"s{number}") for number in range(60)]
    scheduler = desk.scheduler()
    desk.runs.on_submit = lambda _name, _due: scheduler._stopping.set()
    desk.clock.advance(timedelta(hours=1))
    async with asyncio.timeout(PATIENCE):
        await scheduler.run()
    assert 0 < len(desk.runs.made) < 60
    desk.runs.on_submit = None
    await asyncio.to_thread(desk.scheduler(process="2").tick)
    assert len(desk.runs.made) == 60
    assert all(desk.outcomes(schedule) == ["started"] for schedule in schedules)


async def test_loop_when_rows_have_outlived_their_time_then_forgets_them_once_an_hour(
    database: Database, data_dir: Path, clock: FakeClock
) -> None:
    desk = Desk(database, data_dir, clock)
    room = build_schedules(
        database,
        pipelines=desk.pipelines,
        runs=desk.runs,
        wakeup=desk.wakeup,
        data_dir=data_dir,
        ledger_days=1.0,
        clock=clock,
    )
    schedule = room.schedules.create(make_definition("6h"), actor=OPERATOR).schedule
    scheduler = room.make_scheduler()
    for _ in range(8):
        clock.advance(timedelta(hours=6))
        await asyncio.to_thread(scheduler._round)
    assert len(desk.rows(schedule)) == 5


async def test_loop_when_the_code_cannot_be_followed_then_due_times_are_kept_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    schedule, scheduler = await asyncio.to_thread(desk.add, "1h"), desk.room.make_scheduler()
    for trouble in (Unavailable("PIPELINES_DIR cannot be read."), ValueError("impossible")):
        desk.clock.advance(timedelta(hours=1))
        monkeypatch.setattr(desk.pipelines, "list", Mock(side_effect=trouble))
        await asyncio.to_thread(scheduler._round)
    assert desk.outcomes(schedule) == ["started", "started"]
    assert [record.message for record in caplog.records] == ["schedules.not_followed"] * 2
