"""Ten years in twenty zones, with random downtime, crashes and two servers: every due time has one row, none has two."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from sqlalchemy import insert, select
from tests.integration.schedules.conftest import Desk

from fastflow.kernel.db.engine import Database
from fastflow.kernel.schedules.domain.due_times import fire_time
from fastflow.kernel.schedules.domain.schedule import Schedule
from fastflow.kernel.schedules.infra.rows import OCCURRENCE, SCHEDULE, values_of_schedule
from fastflow.kernel.schedules.service import Scheduler
from fastflow.testing.clock import START
from fastflow.testing.schedule_doubles import make_demo_schedule

ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/New_York", "America/Santiago",
    "America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Jerusalem", "Asia/Kathmandu", "Atlantic/Azores",
    "Australia/Adelaide", "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin", "Pacific/Auckland", "Pacific/Chatham",
    "Pacific/Easter", "UTC",
]  # fmt: skip
LINES = ["30 2 * * 0,4-6", "*/30 2 * * 0", "0 0 L * *"]
"""A time of day that changes of clocks leave out and repeat, on the days on which they change; hours that pass; the ends of
months."""
END = START + timedelta(days=3653)
STEPS_ON_TIME = 300
DOWNTIMES = 120
CRASHES = 0.01


class Crash(BaseException):
    """The process is gone: nothing catches it."""


@lru_cache
def expected(zone: str, line: str, until: datetime) -> tuple[datetime, ...]:
    """The due times by another reckoning than the product's."""
    if line == LINES[1]:
        return tuple(_sundays(ZoneInfo(zone), until))
    found: list[datetime] = []
    for wall in CronSim(line, START.astimezone(ZoneInfo(zone))):  # its own way with zones, right for times of day
        due = wall.astimezone(UTC)
        if due > until:
            break
        found.append(due)
    return tuple(found)


def _sundays(zone: ZoneInfo, until: datetime) -> Iterator[datetime]:
    """Every quarter of an hour around the small hours of Sundays, looked at on the zone's clocks."""
    sunday = START + timedelta(days=-START.weekday() - 1, hours=-12)
    while sunday < until:
        offset = (sunday + timedelta(hours=12)).astimezone(zone).utcoffset()
        assert offset is not None
        for quarter in range(36):
            instant = sunday - offset + timedelta(minutes=15 * quarter - 120)
            wall = instant.astimezone(zone)
            if wall.weekday() == 6 and wall.hour == 2 and wall.minute in (0, 30) and START < instant <= until:
                yield instant
        sunday += timedelta(days=7)


@dataclass
class Server:
    """A scheduler that is started again after each crash."""

    desk: Desk
    host: str
    starts: int = 0
    scheduler: Scheduler = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.starts += 1
        self.scheduler = self.desk.scheduler(host=self.host, process=str(self.starts), batch=4000)

    def tick(self) -> None:
        try:
            self.scheduler.tick()
        except Crash:
            self.restart()


def populate(desk: Desk, chance: random.Random) -> list[Schedule]:
    schedules = [
        make_demo_schedule(
            line,
            name=f"{zone.replace('/', '-')}-{number}",
            timezone=zone,
            missed=chance.choice(["last", "last", "none"]),
            catch_up_window=chance.choice([None, 3600.0, 86_400.0 * 3]),
            jitter=chance.choice([0.0, 0.0, 120.0]),
        )
        for zone in ZONES
        for number, line in enumerate(LINES)
    ]
    with desk.database.write() as connection:
        connection.execute(insert(SCHEDULE), [values_of_schedule(schedule) for schedule in schedules])
    return schedules


def tick_both(servers: list[Server]) -> None:
    """Both at the same moment."""
    threads = [threading.Thread(target=server.tick) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def live(desk: Desk, servers: list[Server], chance: random.Random) -> None:
    """Ten years: due times met by one server or both, between downtimes of minutes to two months."""
    events = ["on time"] * STEPS_ON_TIME + ["down"] * DOWNTIMES
    chance.shuffle(events)
    down = [chance.expovariate(1.0) + 0.0001 for _ in range(DOWNTIMES)]
    scale = (END - START) * 0.95 / sum(down)
    for event in events:
        if event == "down":
            desk.clock.advance(scale * down.pop())
        else:
            following = desk.room.ledger.next_fire()
            assert following is not None
            desk.clock.set(max(desk.clock.now(), following))
        if chance.random() < 0.4:
            tick_both(servers)
        else:
            chance.choice(servers).tick()
    desk.clock.set(max(END, desk.clock.now()) + timedelta(minutes=5))


@pytest.mark.long
@pytest.mark.parametrize("seed", [20_261])
def test_ten_years_when_lived_through_with_downtime_and_crashes_then_every_due_time_has_one_row(
    desk: Desk, database_url: str, seed: int
) -> None:
    chance, trouble = random.Random(seed), random.Random(seed + 1)
    lock = threading.Lock()

    def maybe_crash(*_: Any) -> None:
        with lock:
            if trouble.random() < CRASHES:
                raise Crash

    schedules = populate(desk, chance)
    with closing(Database(database_url)) as elsewhere:
        other = Desk(elsewhere, desk.folder, desk.clock, runs=desk.runs)
        servers = [Server(desk, "host-1"), Server(other, "host-2")]
        desk.runs.on_submit = maybe_crash
        live(desk, servers, chance)
        desk.runs.on_submit = None
        for _ in range(2):  # what the last crash left has its lease until then
            tick_both(servers)
            desk.clock.advance(timedelta(seconds=31))
    crashes = sum(server.starts - 1 for server in servers)
    assert crashes > 5

    rows: dict[str, list[datetime]] = {schedule.id: [] for schedule in schedules}
    outcomes: Counter[str] = Counter()
    started: dict[tuple[str, datetime], str] = {}
    wanted = select(OCCURRENCE.c.schedule_id, OCCURRENCE.c.due_at, OCCURRENCE.c.outcome, OCCURRENCE.c.run_id)
    with desk.database.read() as connection:
        for schedule_id, due, outcome, run_id in connection.execute(wanted.order_by(OCCURRENCE.c.due_at)):
            rows[schedule_id].append(due)
            outcomes[outcome] += 1
            if outcome == "started":
                started[schedule_id, due] = run_id
    now = desk.clock.now()
    for schedule in schedules:
        came = [
            due
            for due in expected(schedule.timezone, schedule.expression, now)
            if fire_time(schedule.id, due, schedule.jitter) <= now
        ]
        last = rows[schedule.id][-1]
        assert rows[schedule.id] == came[: len(rows[schedule.id])], schedule.name
        assert [due for due in came if due > last and now - due > timedelta(minutes=10)] == [], schedule.name
    assert sum(outcomes.values()) > 60_000
    assert outcomes["starting"] == 0
    assert min(outcomes[word] for word in ("started", "coalesced", "missed")) > 500
    runs = {(made.schedule.schedule_id, made.schedule.due_at): made.run.id for made in desk.runs.made.values()}
    assert runs == started
