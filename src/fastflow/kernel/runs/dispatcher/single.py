"""Sees one run through in a process that is not the installation's runner: `fastflow run` without a server.

The run is claimed like any other, under all limits, and nothing else is claimed or taken over. A runner that starts
meanwhile takes the run over with a new fencing token; what this process writes then is refused, and it lets go.
"""

import asyncio
import contextlib
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from fastflow.kernel.executors.port import Executor
from fastflow.kernel.runs.dispatcher.run_task import RunTask
from fastflow.kernel.runs.dispatcher.writer import Writer
from fastflow.kernel.runs.domain.commands import Claim, Claimed, Finish, Renew, Sweep
from fastflow.kernel.runs.domain.run import Run
from fastflow.kit.errors import Unavailable
from fastflow.kit.ids import new_id

if TYPE_CHECKING:
    from fastflow.kernel.runs.dispatcher.dispatcher import DispatcherParts  # it makes what is defined here

logger = logging.getLogger(__name__)

RENEW_EVERY = 5
"""Looks between two renewals of the lease: 5 s of the 30 s it lasts."""


class SingleRun:
    """One run, from the queue to its end.

    Args:
        parts: as of a dispatcher; the executors are opened and closed here.
        run_id: a PENDING run.
    """

    def __init__(self, parts: "DispatcherParts", run_id: str) -> None:
        self._parts = parts
        self._run_id = run_id
        self._owner = new_id()
        self._writer = Writer(parts.store, parts.wakeup, parts.clock)
        self._signal = asyncio.Event()
        self._task: RunTask | None = None
        self._run: Run | None = None
        self._is_recorded = False

    def look(self) -> None:
        """Look at once whether the run may start, or is to be cancelled."""
        self._signal.set()

    async def kill(self, text: str) -> None:
        """End the run without grace, when it is executed here."""
        if self._task is None or self._run is None:
            return
        await self._task.cancel(text)
        executor = self._executor(self._run)
        if executor is not None:
            await executor.stop(self._run.key, reason="cancelled", reason_text=text, grace=0.0)

    async def execute(self) -> bool:
        """From the queue to the recorded end; waits for a slot as long as it takes.

        Returns:
            False when the run is in other hands, or ended in the queue.

        Raises:
            Exception: an executor could not be opened; the run stays in the queue.
        """
        writing = asyncio.create_task(self._writer.run())  # noqa: TID251  cancelled and awaited below
        try:
            async with AsyncExitStack() as stack:
                for executor in self._parts.executors.values():
                    await executor.open()
                    stack.push_async_callback(executor.close)
                self._run = await self._claim()
                return False if self._run is None else await self._see_through(self._run)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self._writer.close()

    async def _claim(self) -> Run | None:
        parts = self._parts
        claim = Claim(
            owner=self._owner, host=parts.host, max_concurrent=parts.max_concurrent, limit=1, only=self._run_id
        )
        while True:
            claimed: Claimed = (await self._writer.do(Sweep(host=parts.host), claim))[1]
            if claimed.runs:
                return claimed.runs[0]
            if not claimed.more:
                return None
            await self._pause()

    async def _see_through(self, run: Run) -> bool:
        parts = self._parts
        task = self._task = RunTask(
            run,
            executors=parts.executors,
            specs=parts.specs,
            writer=self._writer,
            store=parts.store,
            files=parts.files,
            clock=parts.clock,
            finish=self._finish,
        )
        executing = asyncio.create_task(task.execute())  # noqa: TID251  awaited or cancelled below
        minding = asyncio.create_task(self._mind(task))  # noqa: TID251  cancelled and awaited below
        try:
            await asyncio.wait({executing, minding}, return_when=asyncio.FIRST_COMPLETED)
            if executing.done():
                executing.result()
                return True
            return minding.result()
        finally:
            for each in (executing, minding):
                each.cancel()
            await asyncio.gather(executing, minding, return_exceptions=True)

    async def _finish(self, finish: Finish) -> bool:
        self._is_recorded = bool((await self._writer.do(finish))[0])
        return self._is_recorded

    async def _mind(self, task: RunTask) -> bool:
        """Keep the lease and notice a cancellation, until the lease is lost: then False."""
        looks = 0
        while True:
            try:
                due = await asyncio.to_thread(self._parts.store.is_work_due, self._owner, self._parts.clock.now())
                for run in due.cancelled:
                    await task.cancel(run.cancel_reason or "cancelled")
                if looks % RENEW_EVERY == 0:
                    (held,) = await self._writer.do(Renew(owner=self._owner))
                    if self._run_id not in held and not self._is_recorded:
                        logger.warning("lease.lost", extra={"fields": {"run_id": self._run_id}})
                        return False
            except Unavailable as error:
                logger.warning("single.waits", extra={"fields": {"error": error.message}})
            looks += 1
            await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._parts.poll_seconds):
                await self._signal.wait()
        self._signal.clear()

    def _executor(self, run: Run) -> Executor | None:
        return self._parts.executors.get(run.executor)
