"""What runs in the runner process: looks at repositories when their time comes, and carries out what is asked for.

Any number of servers may do so at once: each sync has one worker at a time, and each look is taken by one of them.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from fastflow.kernel.sync.domain.repository import Repository
from fastflow.kernel.sync.domain.sync import Sync
from fastflow.kernel.sync.ports import WAKE_MESSAGE, RepositoryStore, SyncStore
from fastflow.kernel.sync.service.switching import Switcher
from fastflow.kernel.sync.service.syncs import SyncService
from fastflow.kernel.sync.service.working import SyncWork
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Unavailable

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
_AT_ONCE = 4
"""Repositories worked on at a time by one server."""
_REFUSED_FOR = timedelta(hours=1)
"""A commit that was refused is tried again by itself after so long: what could not be resolved then may be now."""
_EVENTS_KEPT = timedelta(days=30)
_FORGET_EVERY = timedelta(hours=1)


class Syncer:
    """One server's part in syncing.

    Args:
        work: carries out syncs.
        service: where syncs are asked for.
        repositories: which ones are due.
        syncs: what was refused before.
        switcher: settles what crashes left.
        interval: seconds between two looks at a repository that has none of its own; None: never.
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        work: SyncWork,
        service: SyncService,
        repositories: RepositoryStore,
        syncs: SyncStore,
        switcher: Switcher,
        interval: float | None,
        clock: Clock,
    ) -> None:
        self._work = work
        self._service = service
        self._repositories = repositories
        self._syncs = syncs
        self._switcher = switcher
        self._interval = interval
        self._clock = clock
        self._signal = asyncio.Event()
        self._stopping = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._forgotten_at = clock.now() - _FORGET_EVERY

    def notify(self, message: str) -> None:
        """Take a wake-up message; an `OnMessage`. Those that concern no repository are for others."""
        if message == WAKE_MESSAGE:
            self._signal.set()

    def stop(self) -> None:
        """Let work in threads end soon. Idempotent."""
        self._stopping.set()

    async def run(self) -> None:
        """Until cancelled; an error is logged and does not end it. What is under way then is left to whoever comes next."""
        try:
            while True:
                await self._look()
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._signal.wait()
                except TimeoutError:
                    continue
                self._signal.clear()
        finally:
            self.stop()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def work_off(self, sync_id: str) -> None:
        """Carry out one sync here and now, if nobody else has it; for a process without a runner."""
        claimed = await asyncio.to_thread(self._work.claim, sync_id)
        if claimed is not None:
            await self._work.carry_out(claimed)

    async def _look(self) -> None:
        try:
            for repository in await asyncio.to_thread(self._due):
                self._begin(self._check(repository))
            while len(self._tasks) < _AT_ONCE:
                claimed = await asyncio.to_thread(self._work.claim)
                if claimed is None:
                    break
                self._begin(self._carry_out(claimed))
            await asyncio.to_thread(self._tidy)
        except Unavailable as error:
            logger.warning("syncer.waits", extra={"fields": {"error": error.message}})
        except FastFlowError as error:
            logger.warning("syncer.failed", extra={"fields": {"error": error.message}})
        except Exception:
            logger.exception("syncer.failed")

    def _due(self) -> list[Repository]:
        return list(self._repositories.take_due(self._clock.now(), self._interval, limit=20))

    async def _carry_out(self, sync: Sync) -> None:
        await self._work.carry_out(sync)

    async def _check(self, repository: Repository) -> None:
        await asyncio.to_thread(self.check, repository)

    def check(self, repository: Repository) -> bool:
        """Look whether the branch has a commit that is to become active, and ask for that; whether so."""
        try:
            commit = self._work.check(repository, self._stopping)
            if commit is None or not self._is_wanted(repository, commit):
                return False
            self._service.request_by_interval(repository)
        except FastFlowError as error:
            fields = {"repository": repository.name, "error": error.message}
            logger.warning("sync.not_checked", extra={"fields": fields})
            return False
        return True

    def _is_wanted(self, repository: Repository, commit: str) -> bool:
        active = {one.repository: one for one in self._syncs.load_active()}.get(repository.name)
        if active is not None and (active.commit, active.prefix, active.subfolder) == (
            commit,
            repository.prefix,
            repository.subfolder,
        ):
            return False
        if commit == repository.held_commit:
            return False
        return not self._syncs.find_refusal(repository.name, commit, since=self._clock.now() - _REFUSED_FOR)

    def _tidy(self) -> None:
        self._switcher.settle_left()
        now = self._clock.now()
        if abs(now - self._forgotten_at) >= _FORGET_EVERY:
            self._forgotten_at = now
            self._syncs.forget(now - _EVENTS_KEPT)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_guarded(work))  # noqa: TID251 - kept, and awaited when the loop ends
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._signal.set()


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        logger.exception("syncer.failed")
