"""Assembles the figures: the service for the web process, the keeper for the runner process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.metrics.infra.disk import LocalDisk
from fastflow.kernel.metrics.infra.store import SqlMetricsStore
from fastflow.kernel.metrics.service import MetricsKeeper, MetricsService
from fastflow.kit.clock import Clock


@dataclass(frozen=True, kw_only=True)
class MetricsRoom:
    """The service, and what makes the worker."""

    metrics: MetricsService
    make_keeper: Callable[[], MetricsKeeper]


def build_metrics(
    database: Database,
    *,
    data_dir: Path,
    logs_dir: Path,
    max_pipelines: int,
    schedule_grace: float,
    clock: Clock,
) -> MetricsRoom:
    """The figures on the product's database.

    Args:
        database: migrated.
        data_dir: of this server.
        logs_dir: of this server.
        max_pipelines: how many pipelines appear under their own name.
        schedule_grace: seconds a due time may be handled late.
        clock: the product's.
    """
    store = SqlMetricsStore(database)
    disk = LocalDisk({"DATA_DIR": data_dir, "LOGS_DIR": logs_dir}, logs_dir, data_dir / "run" / "logs.json")
    service = MetricsService(store, disk, max_pipelines=max_pipelines, schedule_grace=schedule_grace, clock=clock)
    return MetricsRoom(metrics=service, make_keeper=lambda: MetricsKeeper(store, disk, clock))
