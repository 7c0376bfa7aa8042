"""Prepared containers, each for one run: made ahead for the shapes that runs have lately had, never used twice."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastflow.kernel.executors.docker.container import Shape
from fastflow.kernel.executors.docker.engine import EngineError
from fastflow.kernel.executors.docker.maker import Prepared

log = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0


@dataclass(kw_only=True)
class _Waiting:
    prepared: Prepared
    since: float
    inode: int | None


class Pool:
    """The prepared containers of one runner.

    Args:
        size: how many wait at most, over all shapes; 0: none is ever prepared.
        idle: seconds after which an unused one is let go.
        make: makes one.
        discard: removes one.
    """

    def __init__(
        self,
        *,
        size: int,
        idle: float,
        make: Callable[[Shape], Awaitable[Prepared]],
        discard: Callable[[Prepared], Awaitable[None]],
    ) -> None:
        self._size = size
        self._idle = idle
        self._make = make
        self._discard = discard
        self._waiting: OrderedDict[Shape, list[_Waiting]] = OrderedDict()
        """The shape used last stands last."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming: dict[Shape, int] = {}
        self._reaper: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def ready(self) -> int:
        """How many wait."""
        return sum(len(waiting) for waiting in self._waiting.values())

    def take(self, shape: Shape) -> Prepared | None:
        """One of this shape, which is the caller's from now on; None when none is ready."""
        while waiting := self._waiting.get(shape):
            one = waiting.pop(0)
            if not waiting:
                del self._waiting[shape]
            self._unwatch(one)
            if one.inode == _inode(shape):
                return one.prepared
            self._spawn(self._discard(one.prepared))  # its environment was collected and built anew meanwhile
        return None

    def refill(self, shape: Shape) -> None:
        """Prepare one more of the shape in the background; the shapes used longest ago make room for it."""
        if self._is_closed or self._coming.get(shape, 0) + len(self._waiting.get(shape, ())) >= self._size:
            return
        if shape in self._waiting:
            self._waiting.move_to_end(shape)
        self._coming[shape] = self._coming.get(shape, 0) + 1
        self._spawn(self._prepare(shape))

    async def _prepare(self, shape: Shape) -> None:
        inode = _inode(shape)
        try:
            prepared = await self._make(shape)
        except (EngineError, OSError) as error:
            log.warning("pool.not_prepared", extra={"fields": {"image": shape.image, "error": str(error)}})
            return
        finally:
            self._coming[shape] -= 1
            if not self._coming[shape]:
                del self._coming[shape]
        one = _Waiting(prepared=prepared, since=asyncio.get_running_loop().time(), inode=inode)
        self._waiting.setdefault(shape, []).append(one)
        self._waiting.move_to_end(shape)
        asyncio.get_running_loop().add_reader(prepared.connection, self._on_end, shape, one)
        while self.ready > self._size:
            self._release_oldest()
        self._schedule_reaper()

    def _release_oldest(self) -> None:
        shape = next(iter(self._waiting))
        self._release(shape, self._waiting[shape][0])

    def _on_end(self, shape: Shape, one: _Waiting) -> None:
        """It says nothing before it has an order: readable means that it has ended."""
        log.info("pool.container_ended", extra={"fields": {"container": one.prepared.id}})
        self._release(shape, one)

    def _release(self, shape: Shape, one: _Waiting) -> None:
        self._unwatch(one)
        self._waiting[shape].remove(one)
        if not self._waiting[shape]:
            del self._waiting[shape]
        self._spawn(self._discard(one.prepared))

    def _unwatch(self, one: _Waiting) -> None:
        asyncio.get_running_loop().remove_reader(one.prepared.connection)

    def _schedule_reaper(self) -> None:
        if self._reaper is None and self.ready:
            oldest = min(one.since for waiting in self._waiting.values() for one in waiting)
            self._reaper = asyncio.get_running_loop().call_at(oldest + self._idle + 0.01, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        now = asyncio.get_running_loop().time()
        for shape, waiting in list(self._waiting.items()):
            for one in [one for one in waiting if now - one.since >= self._idle]:
                self._release(shape, one)
        self._schedule_reaper()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.get_running_loop().create_task(_logged(work), name="pool")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def describe(self) -> Mapping[str, Any]:
        """How many wait, of how many."""
        return {"size": self._size, "ready": self.ready, "coming": sum(self._coming.values())}

    async def close(self) -> None:
        """Let go of all of them; those on their way are awaited for a moment, so that none is left behind."""
        self._is_closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        if self._tasks:
            _done, late = await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for shape, waiting in list(self._waiting.items()):
            for one in list(waiting):
                self._release(shape, one)
        await asyncio.gather(*self._tasks)


async def _logged(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:
        log.exception("pool.failed")


def _inode(shape: Shape) -> int | None:
    """Identity of the environment's folder, to notice one that was removed and built again."""
    if shape.environment is None:
        return None
    try:
        return shape.environment.stat().st_ino
    except FileNotFoundError:
        return -1
