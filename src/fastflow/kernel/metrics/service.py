"""Gathers the figures, and keeps the totals behind them small."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from fastflow.kernel.metrics.domain.labels import PipelineLabels
from fastflow.kernel.metrics.domain.snapshot import Figures
from fastflow.kernel.metrics.ports import Disk, MetricsStore
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor

logger = logging.getLogger(__name__)

_FOLD_SECONDS = 10.0
_FOLD_AT_MOST = 5000
_LOGS_SECONDS = 600.0


class MetricsService:
    """The figures as a caller may see them.

    Args:
        store: the database.
        disk: this server's.
        max_pipelines: how many pipelines appear under their own name.
        schedule_grace: seconds a due time may be handled late.
        clock: the machine's.
    """

    def __init__(
        self, store: MetricsStore, disk: Disk, *, max_pipelines: int, schedule_grace: float, clock: Clock
    ) -> None:
        self._store = store
        self._disk = disk
        self._max_pipelines = max_pipelines
        self._grace = timedelta(seconds=schedule_grace)
        self._clock = clock

    def gather(self) -> Figures:
        """Look at the database and the disk.

        Raises:
            Unavailable: the database is away.
        """
        now = self._clock.now()
        return Figures(
            snapshot=self._store.look(now, self._grace),
            now=now,
            disks=self._disk.look(),
            logs=self._disk.log_use(),
            is_sqlite=self._store.is_sqlite,
        )

    def labels(self, figures: Figures, actor: Actor | None) -> PipelineLabels:
        """How pipelines are called in them.

        Args:
            figures: as gathered.
            actor: who reads; what is of other pipelines is left out. None: everything may be seen.
        """
        may_see: Callable[[str], bool] = (lambda _name: True) if actor is None else actor.may_touch
        return PipelineLabels(figures.snapshot.places, most=self._max_pipelines, may_see=may_see)


class MetricsKeeper:
    """Beside the dispatcher: adds ends to the totals, and counts the logs.

    Args:
        store: the database.
        disk: this server's.
        clock: the machine's.
    """

    def __init__(self, store: MetricsStore, disk: Disk, clock: Clock) -> None:
        self._store = store
        self._disk = disk
        self._clock = clock

    async def run(self) -> None:
        """Until it is cancelled."""
        counted: float | None = None
        while True:
            try:
                while await asyncio.to_thread(self._store.fold, _FOLD_AT_MOST) == _FOLD_AT_MOST:
                    pass
            except FastFlowError as error:
                logger.warning("metrics.not_folded", extra={"fields": {"error": error.message}})
            if counted is None or time.monotonic() - counted >= _LOGS_SECONDS:
                try:
                    await asyncio.to_thread(self._disk.count_logs, self._clock.now())
                except OSError as error:
                    logger.warning("metrics.logs_not_counted", extra={"fields": {"error": error.strerror}})
                counted = time.monotonic()
            await asyncio.sleep(_FOLD_SECONDS)
