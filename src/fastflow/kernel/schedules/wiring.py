"""Assembles schedules: the services for the web process and the command line, the scheduler for the runner process."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.wiring import read_host_id
from fastflow.kernel.schedules.infra.ledger_store import SqlLedger
from fastflow.kernel.schedules.infra.pause_store import SqlPauseStore
from fastflow.kernel.schedules.infra.schedule_store import SqlScheduleStore
from fastflow.kernel.schedules.ports import Pipelines, Runs, WakeUp
from fastflow.kernel.schedules.service import (
    DeclaredSchedules,
    PauseService,
    Scheduler,
    SchedulerRules,
    SchedulerStatus,
    ScheduleService,
    SimulationService,
)
from fastflow.kit.clock import Clock, SystemClock
from fastflow.kit.identity import SYSTEM
from fastflow.kit.ids import new_id


@dataclass(frozen=True, kw_only=True)
class SchedulesRoom:
    """The services of the room, and what makes its scheduler.

    Attributes:
        declared: what pipelines declare in their settings.
    """

    schedules: ScheduleService
    pauses: PauseService
    simulations: SimulationService
    declared: DeclaredSchedules
    ledger: SqlLedger
    runs: Runs
    rules: SchedulerRules
    clock: Clock

    def make_scheduler(self) -> Scheduler:
        """The scheduler of this data directory's runner."""
        return Scheduler(ledger=self.ledger, runs=self.runs, declared=self.declared, rules=self.rules, clock=self.clock)


def build_schedules(
    database: Database,
    *,
    pipelines: Pipelines,
    runs: Runs,
    wakeup: WakeUp,
    data_dir: Path,
    grace: float = 60.0,
    ledger_days: float | None = None,
    clock: Clock | None = None,
) -> SchedulesRoom:
    """Schedules on the product's database.

    Args:
        database: migrated.
        pipelines: what can be run.
        runs: where runs are submitted.
        wakeup: wakes the runner.
        data_dir: its id tells this scheduler from those of other servers.
        grace: seconds that a due time may be late without counting as missed.
        ledger_days: days a row of the ledger is kept; None: for ever.
        clock: None: the machine's own.
    """
    clock = clock or SystemClock()
    rules = SchedulerRules(grace=timedelta(seconds=grace), ledger_days=ledger_days)
    store, pauses = SqlScheduleStore(database), SqlPauseStore(database)
    ledger = SqlLedger(database, host=read_host_id(data_dir), process=new_id())
    schedules = ScheduleService(
        store=store, ledger=ledger, pauses=pauses, pipelines=pipelines, wakeup=wakeup, rules=rules, clock=clock
    )
    return SchedulesRoom(
        schedules=schedules,
        pauses=PauseService(pauses, store, pipelines, wakeup, clock),
        simulations=SimulationService(schedules, pauses),
        declared=DeclaredSchedules(store, pipelines, rules, clock),
        ledger=ledger,
        runs=runs,
        rules=rules,
        clock=clock,
    )


def look_at_schedules(database: Database, pipelines: Pipelines) -> SchedulerStatus:
    """How schedules stand, for who only looks."""
    pauses = SqlPauseStore(database)
    service = ScheduleService(
        store=SqlScheduleStore(database),
        ledger=SqlLedger(database, host="", process=""),
        pauses=pauses,
        pipelines=pipelines,
        wakeup=_Nobody(),
        rules=SchedulerRules(),
        clock=SystemClock(),
    )
    return service.status(actor=SYSTEM)


class _Nobody:
    """A `WakeUp` for who changes nothing."""

    def wake_runner(self, message: str) -> None:
        """See `WakeUp.wake_runner`."""
