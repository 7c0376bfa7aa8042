"""Keeps zygotes: a cold one per interpreter, a warm one per environment in use; decides which starts a run."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import RunSpec
from fastflow.kernel.executors.process.zygotes import Zygote, ZygoteFactory, interpreter_prefix, real_interpreter

log = logging.getLogger(__name__)

WARMING_NICE = 5
"""Preloading must not slow down the runs that are going on."""


class ZygoteStable:
    """The zygotes of one runner.

    Args:
        factory: starts them.
        limit: warm ones kept at once.
        idle: seconds after its last launch when a warm one is let go.
    """

    def __init__(self, factory: ZygoteFactory, *, limit: int, idle: float) -> None:
        self._factory = factory
        self._limit = limit
        self._idle = idle
        self._cold: dict[Path, Zygote] = {}
        self._warm: dict[str, Zygote] = {}
        self._unfit: dict[tuple[str, tuple[str, ...]], str] = {}
        self._warming: dict[str, asyncio.Task[None]] = {}
        self._starting: dict[Path, asyncio.Lock] = {}
        self._reaper: asyncio.TimerHandle | None = None

    async def choose(self, spec: RunSpec) -> Zygote:
        """The warm zygote of the run's environment when there is one, else the cold one of its interpreter, while a
        warm one is made in the background for the next time."""
        zygote = self._warm.get(spec.environment)
        if zygote is not None and not zygote.alive:
            self.forget(zygote)
            zygote = None
        if zygote is None or not set(spec.warm_modules) <= set(zygote.modules):
            self._begin_warming(spec)
        if zygote is None:
            zygote = await self.cold(Path(spec.python))
        zygote.last_used = asyncio.get_running_loop().time()
        return zygote

    async def cold(self, python: Path) -> Zygote:
        """A zygote of the interpreter below `python`, without any environment.

        Raises:
            LaunchFailed: it could not be started.
        """
        prefix = interpreter_prefix(python)
        async with self._starting.setdefault(prefix, asyncio.Lock()):
            zygote = self._cold.get(prefix)
            if zygote is not None and not zygote.alive:
                self.forget(zygote)
                zygote = None
            if zygote is None:
                zygote = await self._factory.start(f"cold {prefix}", real_interpreter(python), (), warm=False)
                self._cold[prefix] = zygote
        return zygote

    def _begin_warming(self, spec: RunSpec) -> None:
        modules = tuple(sorted({*spec.warm_modules, *self._known_modules(spec.environment)}))
        if not self._limit or spec.environment in self._warming or (spec.environment, modules) in self._unfit:
            return
        task = asyncio.get_running_loop().create_task(
            self._make_warm(spec, modules), name=f"warm {spec.environment[:12]}"
        )
        self._warming[spec.environment] = task
        task.add_done_callback(lambda _task: self._warming.pop(spec.environment, None))

    def _known_modules(self, environment: str) -> tuple[str, ...]:
        zygote = self._warm.get(environment)
        return zygote.modules if zygote else ()

    async def _make_warm(self, spec: RunSpec, modules: tuple[str, ...]) -> None:
        name = f"warm {spec.environment[:12]}"
        try:
            zygote = await self._factory.start(name, Path(spec.python), modules, warm=True, nice=WARMING_NICE)
        except LaunchFailed as error:
            self._unfit[(spec.environment, modules)] = error.message
            log.warning("executor.warm_failed", extra={"environment": spec.environment, "why": error.message})
            return
        if zygote.unfit:
            self._unfit[(spec.environment, modules)] = zygote.unfit
            log.info("executor.warm_unfit", extra={"environment": spec.environment, "why": zygote.unfit})
            zygote.end()
            return
        zygote.last_used = asyncio.get_running_loop().time()
        earlier = self._warm.pop(spec.environment, None)
        if earlier is not None:
            earlier.end()
        self._warm[spec.environment] = zygote
        while len(self._warm) > self._limit:
            oldest = min(self._warm, key=lambda key: self._warm[key].last_used)
            self._warm.pop(oldest).end()
        self._schedule_reaper()

    def _schedule_reaper(self) -> None:
        if self._reaper is None and self._warm:
            soonest = min(zygote.last_used for zygote in self._warm.values()) + self._idle
            self._reaper = asyncio.get_running_loop().call_at(soonest + 0.01, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        now = asyncio.get_running_loop().time()
        for environment, zygote in list(self._warm.items()):
            if now - zygote.last_used >= self._idle:
                self._warm.pop(environment).end()
        self._schedule_reaper()

    def forget(self, zygote: Zygote) -> None:
        """A zygote that died is not asked again."""
        for kept in (self._cold, self._warm):
            for key in [key for key, value in kept.items() if value is zygote]:
                del kept[key]  # type: ignore[arg-type]
        zygote.end()

    def describe(self) -> Mapping[str, Any]:
        """The warm environments, and those that cannot be warm with the reason."""
        return {
            "environments": {environment: list(zygote.modules) for environment, zygote in self._warm.items()},
            "unfit": {environment: why for (environment, _modules), why in self._unfit.items()},
        }

    async def close(self) -> None:
        """End every zygote; supervisors go on."""
        if self._reaper is not None:
            self._reaper.cancel()
        warming = list(self._warming.values())
        for task in warming:
            task.cancel()
        await asyncio.gather(*warming, return_exceptions=True)  # each ends the zygote it was waiting for
        for zygote in (*self._cold.values(), *self._warm.values()):
            zygote.end()
        self._cold.clear()
        self._warm.clear()
