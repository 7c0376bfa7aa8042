"""Schedules on a real database under a clock that the test moves, with doubles of runs and pipelines."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.schedules.domain.schedule import Occurrence, Schedule
from fastflow.kernel.schedules.infra.ledger_store import SqlLedger
from fastflow.kernel.schedules.infra.rows import OCCURRENCE, OCCURRENCE_COLUMNS, occurrence_of
from fastflow.kernel.schedules.service import Scheduler, SchedulerRules
from fastflow.kernel.schedules.service.schedules import ScheduleView
from fastflow.kernel.schedules.wiring import SchedulesRoom, build_schedules
from fastflow.kit.identity import Actor, Role
from fastflow.testing.clock import FakeClock
from fastflow.testing.run_doubles import RecordingWakeUp
from fastflow.testing.schedule_doubles import MemoryPipelines, MemoryRuns, make_definition

OPERATOR = Actor(name="user:olga", role=Role.OPERATOR)
ADMIN = Actor(name="user:ada", role=Role.ADMIN)


@dataclass
class Desk:
    """The services, what they stand on, and schedulers of any number of servers."""

    database: Database
    folder: Path
    clock: FakeClock
    runs: MemoryRuns = field(default_factory=MemoryRuns)
    pipelines: MemoryPipelines = field(default_factory=MemoryPipelines)
    wakeup: RecordingWakeUp = field(default_factory=RecordingWakeUp)

    def __post_init__(self) -> None:
        self.room: SchedulesRoom = build_schedules(
            self.database,
            pipelines=self.pipelines,
            runs=self.runs,
            wakeup=self.wakeup,
            data_dir=self.folder,
            clock=self.clock,
        )

    def scheduler(self, host: str = "host-1", process: str = "1", **rules: Any) -> Scheduler:
        return Scheduler(
            ledger=SqlLedger(self.database, host=host, process=process),
            runs=self.runs,
            declared=None,
            rules=SchedulerRules(**rules),
            clock=self.clock,
        )

    def add(self, expression: str = "1h", **values: Any) -> Schedule:
        return self.add_view(expression, **values).schedule

    def add_view(self, expression: str = "1h", *, is_enabled: bool = True, **values: Any) -> ScheduleView:
        return self.room.schedules.create(make_definition(expression, **values), actor=OPERATOR, is_enabled=is_enabled)

    def get(self, schedule: Schedule) -> Schedule:
        return self.room.schedules.get(schedule.id, actor=OPERATOR).schedule

    def rows(self, schedule: Schedule) -> list[Occurrence]:
        """The schedule's ledger, earliest first."""
        query = select(*OCCURRENCE_COLUMNS).where(OCCURRENCE.c.schedule_id == schedule.id).order_by(OCCURRENCE.c.due_at)
        with self.database.read() as connection:
            return [occurrence_of(row) for row in connection.execute(query)]

    def count_rows(self) -> int:
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(OCCURRENCE)).scalar_one()

    def outcomes(self, schedule: Schedule) -> list[str]:
        return [row.outcome.value for row in self.rows(schedule)]


@pytest.fixture
def desk(database: Database, data_dir: Path, clock: FakeClock) -> Desk:
    return Desk(database, data_dir, clock)


@pytest.fixture
def desk_of(data_dir: Path, clock: FakeClock) -> Callable[[Database], Desk]:
    """A desk on another connection pool, as another server has one."""
    return lambda database: Desk(database, data_dir, clock)
