"""The one writer of a runner: commands that are ready together share a transaction, and none is lost while the
database is away: they wait, in order, until it is back.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.ports import LeaseStore, WakeUp
from fastflow.kit.clock import Clock
from fastflow.kit.errors import Unavailable

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_MAX_BATCH = 200
_SOON_SECONDS = 0.05
"""A run that ends within this time is recorded as started and as ended by one transaction."""

Group = tuple[Sequence[command.Command], asyncio.Future[list[Any]]]


class Writer:
    """Applies commands in the order they were given.

    Args:
        store: where they are applied, in a thread.
        wakeup: told of every run whose state changed, from that thread.
        clock: the time of each application.
        pause: waits so many seconds between attempts while the database is away; tests hand in their own.
    """

    def __init__(
        self, store: LeaseStore, wakeup: WakeUp, clock: Clock, pause: Callable[[float], Any] = asyncio.sleep
    ) -> None:
        self._store = store
        self._wakeup = wakeup
        self._clock = clock
        self._pause = pause
        self._waiting: deque[Group] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="runs-writer")

    async def do(self, *commands: command.Command) -> list[Any]:
        """The commands' results, once they are committed.

        Raises:
            Exception: of the first command that the store refused; the others were applied all the same.
        """
        results = await self.put(*commands)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results

    def put(self, *commands: command.Command) -> asyncio.Future[list[Any]]:
        """As `do`, for who does not wait; exceptions stand among the results."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, future))
        self._arrived.set()
        return future

    def put_soon(self, *commands: command.Command) -> None:
        """As `put`, for what may wait a moment: it shares the transaction of whatever comes next."""
        self._waiting.append((commands, asyncio.get_running_loop().create_future()))
        asyncio.get_running_loop().call_later(_SOON_SECONDS, self._arrived.set)

    async def run(self) -> None:
        """Apply what comes, until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            await self._arrived.wait()
            try:
                await self._apply_batch()
                pause = _FIRST_PAUSE
            except Unavailable as error:
                logger.warning("database.away", extra={"fields": {"retry_in": pause, "error": error.message}})
                await self._pause(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            except Exception:  # a fault of ours; without a writer no run would ever end
                logger.exception("writer.failed", extra={"fields": {"retry_in": pause}})
                await self._pause(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    async def close(self) -> None:
        """Apply what waits, once; then stop. Call it after `run` was cancelled."""
        try:
            while self._waiting:
                await self._apply_batch()
        except Unavailable as error:
            logger.warning("database.away_at_stop", extra={"fields": {"lost_nothing": 1, "error": error.message}})
        for _, future in self._waiting:
            future.cancel()
        self._thread.shutdown(wait=True)

    async def _apply_batch(self) -> None:
        batch = [self._waiting[place] for place in range(min(_MAX_BATCH, len(self._waiting)))]
        if batch:
            working = asyncio.get_running_loop().run_in_executor(self._thread, self._apply, batch)
            try:
                results = await asyncio.shield(working)
            except asyncio.CancelledError:
                with contextlib.suppress(Unavailable):  # then the batch stays at the head of the line
                    self._hand_out(batch, await working)
                raise
            self._hand_out(batch, results)
        if not self._waiting:
            self._arrived.clear()

    def _hand_out(self, batch: Sequence[Group], results: Sequence[Any]) -> None:
        start = 0
        for commands, future in batch:
            self._waiting.popleft()
            if not future.done():
                future.set_result(list(results[start : start + len(commands)]))
            start += len(commands)

    def _apply(self, batch: Sequence[Group]) -> Sequence[Any]:
        commands = [one for group, _ in batch for one in group]
        results = self._store.apply(commands, self._clock.now())
        for run_id in dict.fromkeys(_changed(commands, results)):
            self._wakeup.tell_web(f"run {run_id}")
        if any(isinstance(result, command.Finished | command.Swept) and result.queued for result in results):
            self._wakeup.wake_runner("wake")
        return results


def _changed(commands: Sequence[command.Command], results: Sequence[Any]) -> Sequence[str]:
    """Ids of the runs whose state changed, ended ones first: somebody is waiting for those."""
    ended: list[str] = []
    moved: list[str] = []
    for one, result in zip(commands, results, strict=True):
        if isinstance(result, BaseException) or not result:
            continue
        if isinstance(one, command.Finish):
            ended.append(one.lease.run_id)
        elif isinstance(one, command.Sweep):
            ended += result.ended
        elif isinstance(one, command.Claim):
            moved += [run.id for run in result.runs]
        elif isinstance(one, command.RecordStart):
            moved.append(one.setup.lease.run_id)
        elif isinstance(one, command.RecordEvents | command.RecordWaiting):
            moved.append(one.lease.run_id)
    return ended + moved
