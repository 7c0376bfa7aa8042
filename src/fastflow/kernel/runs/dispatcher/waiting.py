"""A launch that may have to wait for room on other machines: what it waits for is told, and its wait is bounded."""

import asyncio
import logging
from datetime import datetime

from fastflow.kernel.executors.port import Executor, Handle, RunsElsewhere, RunSpec
from fastflow.kernel.runs.dispatcher.writer import Writer
from fastflow.kernel.runs.domain.commands import Lease, RecordWaiting
from fastflow.kit.clock import Clock

logger = logging.getLogger(__name__)

FIRST_LOOK_SECONDS = 5.0
"""A cluster with room begins a run in about two."""
LOOK_SECONDS = 5.0


class WaitingLaunch:
    """One launch.

    Args:
        lease: the run's.
        deadline: when the run must not wait for room any longer; None: it may for ever.
        writer: to the database.
        clock: for the deadline.
    """

    def __init__(self, *, lease: Lease, deadline: datetime | None, writer: Writer, clock: Clock) -> None:
        self._lease = lease
        self._deadline = deadline
        self._writer = writer
        self._clock = clock
        self.overdue: str | None = None
        """In words, once the launch was called off because it had waited too long."""

    async def launch(self, executor: Executor, spec: RunSpec) -> Handle:
        """As `Executor.launch`; fails, with `overdue` set, at the deadline if it still waits for room then."""
        if not isinstance(executor, RunsElsewhere):
            return await executor.launch(spec)
        watching = asyncio.create_task(self._watch(executor, spec))  # noqa: TID251  ended below
        try:
            return await executor.launch(spec)
        finally:
            watching.cancel()
            (told,) = await asyncio.gather(watching, return_exceptions=True)
            if isinstance(told, Exception):
                logger.error("launch.watch_failed", exc_info=told, extra={"fields": {"run_id": spec.key.run_id}})

    async def _watch(self, executor: RunsElsewhere, spec: RunSpec) -> None:
        told: str | None = None
        pause = FIRST_LOOK_SECONDS
        while True:
            left = self._seconds_left()
            await asyncio.sleep(pause if left is None or left <= 0 else min(pause, left))
            pause = LOOK_SECONDS
            words = executor.waits_for(spec)
            if words != told:
                told = words
                self._writer.put_soon(RecordWaiting(lease=self._lease, text=words))
            left = self._seconds_left()
            if words is not None and left is not None and left <= 0:
                self.overdue = f"waited for room longer than its wait_timeout ({words})"
                await executor.call_off(spec.key)
                return

    def _seconds_left(self) -> float | None:
        return None if self._deadline is None else (self._deadline - self._clock.now()).total_seconds()
