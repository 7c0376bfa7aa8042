"""The composition root: settings in, running product out. Tests call it with settings of their own."""

import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import migrate
from fastflow.kit.clock import Clock, SystemClock
from fastflow.kit.errors import FastFlowError, Unavailable
from fastflow.rooms import Rooms
from fastflow.settings import Settings
from fastflow.terms import (
    MEGABYTE,
    disk_floor,
    executor_settings,
    runs_on_nodes,
    settings_repository,
    starts_from_image,
)

if TYPE_CHECKING:
    from fastflow.kernel.daemons.service import DaemonKeeper
    from fastflow.kernel.executors.port import Executor
    from fastflow.kernel.failures.service import FailureSorter
    from fastflow.kernel.flows.service import FlowKeeper
    from fastflow.kernel.metrics.service import MetricsKeeper
    from fastflow.kernel.notifications.service import Notifier
    from fastflow.kernel.pipelines.domain.pipeline import Pipeline
    from fastflow.kernel.pipelines.service import WarmUp
    from fastflow.kernel.runs.dispatcher import Dispatcher
    from fastflow.kernel.schedules.service import Scheduler
    from fastflow.kernel.sync.service import Syncer
    from fastflow.kernel.tracing.service import TraceKeeper
    from fastflow.kernel.upkeep.service import Upkeep

logger = logging.getLogger(__name__)


class Product(Rooms):
    """The services, and what processes make of them."""

    _complaint = ""

    def environments_in_use(self) -> Collection[str]:
        """Hashes of the environments of unfinished runs."""
        from sqlalchemy import select

        from fastflow.kernel.runs.infra.tables import RunRow

        unfinished = RunRow.__table__.c.status.in_(("PENDING", "RUNNING"))  # type: ignore[attr-defined]
        with self.database.read() as connection:
            found = connection.scalars(select(RunRow.__table__.c.environment).where(unfinished))  # type: ignore[attr-defined]
            return {environment for environment in found if environment}

    def make_executors(self, *, ahead: bool = True) -> "Mapping[str, Executor]":
        """The executors by kind, not open yet.

        Args:
            ahead: prepare containers for runs to come; False for a process that sees a single run through.
        """
        from fastflow.kernel.executors.registry import kinds, make_executor

        given = executor_settings(self.settings, ahead=ahead)
        return {kind: make_executor(kind, given) for kind in kinds()}

    def make_dispatcher(self, executors: "Mapping[str, Executor]") -> "Dispatcher":
        """The dispatcher over the executors.

        Raises:
            Unavailable: logs cannot be written, so every run would fail.
        """
        from fastflow.kernel.runs.wiring import build_dispatcher

        settings = self.settings
        _require_writable(settings.logs_dir, "LOGS_DIR")
        limit = settings.log_max_size_mb
        return build_dispatcher(
            self.database,
            snapshots=self.pipelines,
            environments=self.environments,
            secrets=self.secrets,
            executors=executors,
            data_dir=settings.data_dir,
            logs_dir=settings.logs_dir,
            max_concurrent_runs=settings.max_concurrent_runs,
            log_max_bytes=None if limit is None else int(limit * MEGABYTE),
            log_retention_runs=settings.log_retention_runs,
            log_retention_days=settings.log_retention_days,
            code_retention_days=settings.environment_retention_days,
            lost_after=settings.lost_after,
            url=settings.server_url,
            min_free_disk_mb=settings.min_free_disk_mb,
            at_end=self.at_end,
            handing=self.flows.handing,
            trace_share=self.tracing.share,
            is_code_needed=self.flows.store.find_needed_code,
            clock=self.clock,
        )

    def look_after_workbenches(self) -> None:
        """Take in what runs of workbenches left; never fails: what keeps it from that is told in the log, once."""
        from fastflow.workbenches import is_churn_used

        if not is_churn_used(self.settings):
            return
        try:
            self.churn.taking_in.look()
            self._complaint = ""
        except FastFlowError as error:
            if error.message != self._complaint:
                logger.warning("churn.not_looked_at", extra={"fields": {"error": error.message}})
            self._complaint = error.message

    def make_flow_keeper(self) -> "FlowKeeper":
        """What looks at flows that are due."""
        return self.flows.make_keeper()

    def make_scheduler(self) -> "Scheduler":
        """What starts runs at their schedules' due times."""
        return self.schedules.make_scheduler()

    def make_daemon_keeper(self) -> "DaemonKeeper":
        """What keeps daemons running."""
        return self.daemons.make_keeper()

    def make_failure_sorter(self) -> "FailureSorter":
        """What puts failed runs into groups."""
        return self.failures.sorter

    def make_notifier(self) -> "Notifier":
        """What watches for alerts and sends them."""
        return self.notifications.make_notifier()

    def make_syncer(self) -> "Syncer":
        """What makes commits of repositories active."""
        return self.sync.make_syncer()

    def make_upkeep(self) -> "Upkeep":
        """What removes what has outlived its time."""
        from fastflow.kernel.upkeep.domain.bounds import Bounds
        from fastflow.kernel.upkeep.wiring import build_upkeep

        settings = self.settings
        return build_upkeep(
            self.database,
            Bounds(
                run_days=settings.run_retention_days,
                run_count=settings.run_retention_runs,
                environment_days=settings.environment_retention_days,
            ),
            environments=self.environments,
            in_use=self.environments_in_use,
            data_dir=settings.data_dir,
            logs_dir=settings.logs_dir,
            clock=self.clock,
        )

    def make_metrics_keeper(self) -> "MetricsKeeper":
        """What adds ended runs to the totals."""
        return self.metrics.make_keeper()

    def make_trace_keeper(self) -> "TraceKeeper":
        """What sends the traces of ended runs."""
        return self.tracing.make_keeper()

    def make_warm_up(self) -> "WarmUp":
        """Builds environments ahead of runs."""
        from fastflow.kernel.pipelines.service import WarmUp

        why_not = disk_floor(self.settings)
        return WarmUp(self.pipelines, self.environments, is_elsewhere=self.is_made_elsewhere, why_not=why_not)

    def is_made_elsewhere(self, pipeline: "Pipeline") -> bool:
        """Whether the pipeline's environment is made where its runs are, and not on this machine."""
        return starts_from_image(self.settings, pipeline) or runs_on_nodes(self.settings, pipeline)

    def close(self) -> None:
        """Give back what the services hold."""
        if self.has("runs_room"):
            self.runs_room.sender.close()
        if self.has("churn"):
            self.churn.close()
        self.database.close()


def build_product(settings: Settings, *, clock: Clock | None = None, with_repositories: bool = True) -> Product:
    """The product on these settings: folders made, schema brought up to date, every service assembled.

    Args:
        settings: checked.
        clock: None: the machine's own.
        with_repositories: False: the catalogue is PIPELINES_DIR alone, whatever is active of repositories.

    Raises:
        InvalidInput: a setting cannot be used.
        Unavailable: a folder cannot be made, or the database is away or of a newer schema.
    """
    return _build(settings, clock, with_repositories=with_repositories, at_need=False)


def open_product(settings: Settings, *, with_repositories: bool = True) -> Product:
    """As `build_product`, for a process that does one thing: each service is assembled when it is first used."""
    return _build(settings, None, with_repositories=with_repositories, at_need=True)


def _build(settings: Settings, clock: Clock | None, *, with_repositories: bool, at_need: bool) -> Product:
    settings_repository(settings)  # a setting that cannot be used is told before anything is made
    _make_folders(settings)
    database = Database(settings.effective_database_url)
    migrate(database)
    return Product(settings, database, clock or SystemClock(), with_repositories=with_repositories, at_need=at_need)


def _make_folders(settings: Settings) -> None:
    data, logs = settings.data_dir, settings.logs_dir
    for setting, folder, mode in (
        ("DATA_DIR", data, 0o711),
        ("LOGS_DIR", logs, 0o750),
        ("DATA_DIR", data / "run", 0o700),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=mode)
        except OSError as error:
            raise Unavailable(
                f"{folder} ({setting}) cannot be made: {error.strerror}.",
                code="folder_unusable",
                hint=f"Set {setting} to a folder that the server's user may write.",
                fields={setting: "cannot be made"},
            ) from error


def _require_writable(folder: Path, setting: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise Unavailable(
            f"{folder} ({setting}) cannot be written by this user.",
            code="folder_unusable",
            hint=f"Make it writable for the user the server runs as, or set {setting} to a folder that is.",
        )
