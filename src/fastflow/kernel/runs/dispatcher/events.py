"""Carries what a run tells into the database, in batches that grow with the load."""

import asyncio
import logging

from fastflow.kernel.executors.port import Executor, RunKey, ToldEvent
from fastflow.kernel.runs.dispatcher.writer import Writer
from fastflow.kernel.runs.domain.commands import Lease, RecordEvents

logger = logging.getLogger(__name__)

_MAX_BATCH = 500


async def carry_events(executor: Executor, writer: Writer, key: RunKey, lease: Lease, after_offset: int) -> None:
    """Record the run's events until it has ended and all are recorded.

    While one batch is written the next one gathers, so a run that tells much costs few transactions.
    """
    told: asyncio.Queue[ToldEvent | None] = asyncio.Queue(maxsize=4 * _MAX_BATCH)
    async with asyncio.TaskGroup() as group:
        group.create_task(_record(told, writer, lease))
        async for event in executor.follow(key, after_offset):
            await told.put(event)
        await told.put(None)


async def _record(told: asyncio.Queue[ToldEvent | None], writer: Writer, lease: Lease) -> None:
    is_over = False
    while not is_over:
        batch = [await told.get()]
        while len(batch) < _MAX_BATCH and not told.empty():
            batch.append(told.get_nowait())
        is_over = batch[-1] is None
        events = tuple(event for event in batch if event is not None)
        if not events:
            continue
        (result,) = await writer.put(RecordEvents(lease=lease, events=events))
        if isinstance(result, BaseException):
            logger.error("run.events_not_recorded", extra={"fields": {"run_id": lease.run_id}}, exc_info=result)
