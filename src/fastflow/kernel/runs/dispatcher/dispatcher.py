"""The runner's loops: take runs out of the queue, keep leases alive, notice cancellations, tidy up, recover."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastflow.kernel.executors.port import Executor, RunKey
from fastflow.kernel.runs.dispatcher.launch import SpecMaker
from fastflow.kernel.runs.dispatcher.retention import Retention
from fastflow.kernel.runs.dispatcher.run_task import RunTask, clear_away, tell_given_up
from fastflow.kernel.runs.dispatcher.single import SingleRun
from fastflow.kernel.runs.dispatcher.writer import Writer
from fastflow.kernel.runs.domain.commands import RENEW_SECONDS, Claim, Claimed, Finish, Heartbeat, Sweep, TakeOver
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.ports import LeaseStore, RunFiles, WakeUp, WhyNot
from fastflow.kit.clock import Clock
from fastflow.kit.errors import Unavailable
from fastflow.kit.ids import new_id

logger = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR = 1.0


@dataclass(frozen=True, kw_only=True)
class DispatcherParts:
    """What a dispatcher is made of.

    Attributes:
        host: id of the data directory; runs are taken over by the runner of their own host.
        executors: by kind; opened and closed by the dispatcher.
        max_concurrent: runs that may run at once, over all runners.
        poll_seconds: how often the queue is looked at without a signal.
        wakeup: tells the web processes; closed by the dispatcher.
        retention_seconds: how often expired logs are looked for.
        log_retention_runs: ended runs per pipeline whose logs are kept; None means all.
        log_retention_days: days a log is kept; None means for ever.
        url: where other servers of the database reach this one; None: nowhere.
        why_not: asked before runs are claimed.
    """

    host: str
    store: LeaseStore
    executors: Mapping[str, Executor]
    specs: SpecMaker
    files: RunFiles
    retention: Retention
    wakeup: WakeUp
    clock: Clock
    max_concurrent: int
    poll_seconds: float = 1.0
    retention_seconds: float = 60.0
    log_retention_runs: int | None = None
    log_retention_days: float | None = None
    url: str | None = None
    why_not: WhyNot = lambda: None


class Dispatcher:
    """Runs until it is stopped; stopping it, or killing it, leaves every run going on."""

    def __init__(self, parts: DispatcherParts) -> None:
        self._parts = parts
        self._owner = new_id()
        self._started_at = parts.clock.now()
        self._writer = Writer(parts.store, parts.wakeup, parts.clock)
        self._tasks: dict[str, RunTask] = {}
        self._unheld: set[str] = set()
        """Runs in our care whose lease the last heartbeat did not find: just ended, or lost if the next misses it too."""
        self._stray: set[str] = set()
        """Runs under our lease that the last heartbeat found and that are not in our care."""
        self._group: asyncio.TaskGroup | None = None
        self._signal = asyncio.Event()
        self._claim_wanted = False
        self._more_wait = True
        self._held_back: str | None = None
        """Why no new runs are claimed."""
        self._stop = asyncio.Event()
        self.ready = asyncio.Event()
        """Set when recovery is done and the queue is being served."""

    # -- from outside -----------------------------------------------------------------------------------------------------

    def notify(self, message: str) -> None:
        """Take a wake-up message; an `OnMessage`. `wake`: claim; anything else: look what is due."""
        verb, _, run_id = message.partition(" ")
        if verb == "cancel" and run_id not in self._tasks:
            return  # not ours, or over; a waiting run was ended by whoever cancelled it
        if verb == "wake":
            self._more_wait = True
            if self._room <= 0:
                return  # whoever frees a slot claims
            self._claim_wanted = True
        self._signal.set()

    def stop(self) -> None:
        """End `run` soon, without touching any run. Idempotent."""
        self._stop.set()

    def single(self, run_id: str) -> SingleRun:
        """In place of serving the queue: sees one run through, in a process that is not the runner."""
        return SingleRun(self._parts, run_id)

    @property
    def active(self) -> Sequence[str]:
        """Ids of the runs in its care."""
        return tuple(self._tasks)

    async def run(self) -> None:
        """Serve the queue until `stop`.

        Raises:
            Exception: an executor could not be opened.
        """
        writing = asyncio.create_task(self._writer.run())  # noqa: TID251  cancelled and awaited below
        stopping = asyncio.create_task(self._stop.wait())  # noqa: TID251  cancelled and awaited below
        serving = asyncio.create_task(self._serve())  # noqa: TID251  cancelled and awaited below
        try:
            await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            self._stop.set()
            await _cancel(serving, stopping)
            self._writer.put(self._heartbeat(stopped=True))
            await _cancel(writing)
            await self._writer.close()
            self._parts.wakeup.close()

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            for executor in self._parts.executors.values():
                await executor.open()
                stack.push_async_callback(executor.close)
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._recover()
                group.create_task(self._repeat("claim", self._claim_when_due))
                group.create_task(self._repeat("heartbeat", self._beat))
                group.create_task(self._repeat("retention", self._retain))
                self.ready.set()

    async def _repeat(self, name: str, action: Callable[[], Awaitable[None]]) -> None:
        """Do it for ever; an error is logged and does not end the loop."""
        while True:
            try:
                await action()
            except Unavailable as error:
                logger.warning("dispatcher.waits", extra={"fields": {"loop": name, "error": error.message}})
                await asyncio.sleep(_PAUSE_AFTER_ERROR)
            except Exception:
                logger.exception("dispatcher.failed", extra={"fields": {"loop": name}})
                await asyncio.sleep(_PAUSE_AFTER_ERROR)

    # -- recovery ---------------------------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Take over what an earlier runner of this data directory left, before anything new is claimed."""
        await self._writer.do(self._heartbeat())
        # Looked at before the take-over as well: an attempt that only appears after it belongs to a process that sees a
        # single run through (`single.py`) and claimed it just now, so it is not left over.
        before = {kind: await executor.find_all() for kind, executor in self._parts.executors.items()}
        (runs,) = await self._writer.do(TakeOver(owner=self._owner, host=self._parts.host))
        wanted = {run.key for run in runs}
        for kind, executor in self._parts.executors.items():
            held = await executor.find_all()
            for run in runs:
                if run.executor == kind:
                    self._spawn(run, held)
            for key in before[kind]:
                if key not in wanted:
                    self._keep(self._clear_left_over(executor, key))
        for run in runs:
            if run.executor not in self._parts.executors:
                self._spawn(run, ())

    async def _clear_left_over(self, executor: Executor, key: RunKey) -> None:
        """End and forget an attempt whose run has ended; where that was given up while we were away, its log says so."""
        await clear_away(executor, key, "its run has ended already")
        try:
            await tell_given_up(self._parts.store, self._parts.files, key.run_id)
        except Unavailable as error:
            logger.warning("log.not_closed", extra={"fields": {"run_id": key.run_id, "error": error.message}})

    # -- the queue --------------------------------------------------------------------------------------------------------

    async def _claim_when_due(self) -> None:
        """On a signal, or once in a while: end what was cancelled or has waited too long, and fill the free slots."""
        try:
            async with asyncio.timeout(self._parts.poll_seconds):
                await self._signal.wait()
        except TimeoutError:
            self._claim_wanted = False
        self._signal.clear()
        if self._claim_wanted:
            self._claim_wanted = False
            await self._claim_now()
        else:
            await self._look()

    async def _look(self) -> None:
        due = await asyncio.to_thread(self._parts.store.is_work_due, self._owner, self._parts.clock.now())
        for run in due.cancelled:
            task = self._tasks.get(run.id)
            if task is not None:
                await task.cancel(run.cancel_reason or "cancelled")
        if due.overdue:
            await self._writer.do(Sweep(host=self._parts.host))
        if due.pending:
            await self._claim_now()

    async def _claim_now(self) -> None:
        if self._room > 0 and self._may_claim():
            (claimed,) = await self._writer.do(self._claim(self._room))
            self._take(claimed)

    @property
    def _room(self) -> int:
        return self._parts.max_concurrent - len(self._tasks)

    def _may_claim(self) -> bool:
        """Whether new runs may start here; when that changes, others are told at once."""
        before, self._held_back = self._held_back, self._parts.why_not()
        if (before is None) != (self._held_back is None):
            if self._held_back is None:
                logger.info("queue.served_again")
            else:
                logger.warning("queue.held_back", extra={"fields": {"why": self._held_back}})
            self._writer.put(self._heartbeat())
        return self._held_back is None

    def _claim(self, limit: int) -> Claim:
        parts = self._parts
        return Claim(owner=self._owner, host=parts.host, max_concurrent=parts.max_concurrent, limit=limit)

    def _take(self, claimed: Claimed) -> None:
        self._more_wait = claimed.more
        for run in claimed.runs:
            self._spawn(run, None)

    async def _finish(self, finish: Finish) -> bool:
        """Write an end and, when others wait, fill the slot it frees in the same transaction."""
        if self._stop.is_set() or not self._more_wait or not self._may_claim():
            return bool((await self._writer.do(finish))[0])
        applied, claimed = await self._writer.put(finish, self._claim(max(1, self._room + 1)))
        if isinstance(claimed, BaseException):
            logger.error("claim.failed", exc_info=claimed)
        else:
            self._take(claimed)
        if isinstance(applied, BaseException):
            raise applied
        return bool(applied)

    # -- the runs ---------------------------------------------------------------------------------------------------------

    def _spawn(self, run: Run, held: Sequence[RunKey] | None) -> None:
        """See a claimed run through, or, with the attempts the executor holds, a run that was taken over."""
        if self._stop.is_set():
            return  # the next runner takes it over
        parts = self._parts
        task = RunTask(
            run,
            executors=parts.executors,
            specs=parts.specs,
            writer=self._writer,
            store=parts.store,
            files=parts.files,
            clock=parts.clock,
            finish=self._finish,
        )
        self._tasks[run.id] = task
        self._keep(self._see_through(task, held))

    async def _see_through(self, task: RunTask, held: Sequence[RunKey] | None) -> None:
        try:
            await (task.execute() if held is None else task.resume(held))
        except Exception:
            logger.exception("run.not_ended", extra={"fields": {"run_id": task.run.id}})
        finally:
            del self._tasks[task.run.id]
            if self._more_wait:
                self.notify("wake")

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        assert self._group is not None
        self._group.create_task(work)

    # -- housekeeping -----------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        await asyncio.sleep(RENEW_SECONDS)
        held, _ended = await self._writer.do(self._heartbeat(), Sweep(host=self._parts.host))
        missing = set(self._tasks) - set(held)
        if missing & self._unheld:
            await self._give_up(missing & self._unheld)
        self._unheld = missing
        stray = set(held) - set(self._tasks)
        if strayed_before := stray & self._stray:
            await self._adopt(strayed_before)
        self._stray = stray

    async def _give_up(self, run_ids: Collection[str]) -> None:
        """End what was ended elsewhere because we could not be heard: the machine slept, or the database was reachable for
        others alone."""
        for run_id in run_ids:
            logger.warning("lease.lost", extra={"fields": {"run_id": run_id}})
        for run in await asyncio.to_thread(self._parts.store.load_ended, run_ids):
            if run.id in self._tasks:
                await self._tasks[run.id].give_up(run.reason_text or "it was ended elsewhere")

    async def _adopt(self, run_ids: Collection[str]) -> None:
        """Take into our care runs that we claimed without hearing of it: the database was lost between its commit and
        its answer."""
        runs = await asyncio.to_thread(self._parts.store.load_held, self._owner)
        for run in runs:
            if run.id in run_ids and run.id not in self._tasks:
                logger.warning("run.adopted", extra={"fields": {"run_id": run.id}})
                executor = self._parts.executors.get(run.executor)
                self._spawn(run, () if executor is None else await executor.find_all())

    def _heartbeat(self, *, stopped: bool = False) -> Heartbeat:
        return Heartbeat(
            owner=self._owner,
            host=self._parts.host,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            started_at=self._started_at,
            url=self._parts.url,
            stopped=stopped,
            held_back=self._held_back,
        )

    async def _retain(self) -> None:
        parts = self._parts
        before = None
        if parts.log_retention_days is not None:
            before = parts.clock.now() - timedelta(days=parts.log_retention_days)
        if parts.log_retention_runs is not None or before is not None:
            while await asyncio.to_thread(parts.retention.sweep, parts.log_retention_runs, before):
                pass
        await asyncio.to_thread(parts.retention.collect_code)
        await asyncio.sleep(parts.retention_seconds)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks and wait for their end; what they raise was raised or logged before."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
