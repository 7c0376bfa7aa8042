"""Runs on a real database, with doubles of the rooms below and of the executor."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.wakeups import Signals
from fastflow.kernel.runs.dispatcher import Dispatcher, DispatcherParts
from fastflow.kernel.runs.dispatcher.launch import SpecMaker
from fastflow.kernel.runs.dispatcher.retention import Retention
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.comparing import KeptParts
from fastflow.kernel.runs.infra.files import RunFolder
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.kernel.runs.infra.retention_store import SqlRetentionStore
from fastflow.kernel.runs.infra.retrying import Retries
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.runs.service import RunPolicy, RunService
from fastflow.kit.clock import SystemClock
from fastflow.kit.identity import Actor, Role
from fastflow.testing.memory_executor import MemoryExecutor
from fastflow.testing.run_doubles import MemoryCatalogue, MemoryEnvironments, MemorySecrets, RecordingWakeUp

OPERATOR = Actor(name="user:olga", role=Role.OPERATOR)


@dataclass
class Bench:
    """A service and what it stands on; starts dispatchers."""

    database: Database
    folder: Path
    service: RunService
    catalogue: MemoryCatalogue
    environments: MemoryEnvironments
    secrets: MemorySecrets
    wakeup: RecordingWakeUp
    signals: Signals
    files: RunFolder
    actor: Actor = OPERATOR
    max_concurrent: int = 2

    @property
    def store(self) -> SqlLeaseStore:
        return SqlLeaseStore(self.database, at_end=[Retries()])

    def submit(self, pipeline_name: str = "demo", **values: Any) -> Run:
        return self.service.submit(pipeline_name, values.pop("params", {}), actor=self.actor, **values)

    def get(self, run: Run) -> Run:
        return self.service.get(run.id, actor=self.actor)

    def dispatcher(self, executor: MemoryExecutor, *, host: str = "host-1", **values: Any) -> Dispatcher:
        clock = SystemClock()
        parts: dict[str, Any] = {
            "host": host,
            "store": self.store,
            "executors": {"process": executor},
            "specs": SpecMaker(self.environments, self.secrets, self.files, None),
            "files": self.files,
            "retention": Retention(SqlRetentionStore(self.database, "host-1"), self.files, clock),
            "wakeup": self.wakeup,
            "clock": clock,
            "max_concurrent": self.max_concurrent,
        }
        return Dispatcher(DispatcherParts(**{**parts, **values}))

    @asynccontextmanager
    async def serving(self, executor: MemoryExecutor, **values: Any) -> AsyncIterator[Dispatcher]:
        """A dispatcher at work, woken by the service; stopped in an orderly way at the end."""
        dispatcher = self.dispatcher(executor, **values)
        loop = asyncio.get_running_loop()
        self.wakeup.on_runner = _posted(loop, dispatcher.notify)
        self.wakeup.on_web = _posted(loop, self.signals.notify)
        working = asyncio.ensure_future(dispatcher.run())
        ready = asyncio.ensure_future(dispatcher.ready.wait())
        await asyncio.wait({working, ready}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        try:
            yield dispatcher
        finally:
            self.wakeup.on_runner = self.wakeup.on_web = None
            dispatcher.stop()
            await working

    async def ended(self, run: Run, seconds: float = 20.0) -> Run:
        after = await self.service.wait(run.id, seconds, actor=self.actor)
        assert after.has_ended, f"run {run.id} is {after.status}"
        return after


def _posted(loop: asyncio.AbstractEventLoop, take: Callable[[str], None]) -> Callable[[str], None]:
    """`take`, callable from any thread, as a socket's reader calls it."""

    def post(message: str) -> None:
        loop.call_soon_threadsafe(take, message)

    return post


@pytest.fixture
def bench(database: Database, data_dir: Path) -> Bench:
    return make_bench(database, data_dir)


@pytest.fixture
def bench_with(database: Database, data_dir: Path) -> Callable[..., Bench]:
    """A bench whose RunPolicy the test changes."""
    return lambda **policy: make_bench(database, data_dir, **policy)


def make_bench(database: Database, folder: Path, **policy: Any) -> Bench:
    clock = SystemClock()
    catalogue, environments = MemoryCatalogue(), MemoryEnvironments(Path(sys.executable))
    secrets, wakeup, signals = MemorySecrets(TOKEN="s3cret-value"), RecordingWakeUp(), Signals()
    catalogue.add("demo")
    settings: dict[str, Any] = {"logs_dir": folder / "logs", "max_concurrent_runs": 2, **policy}
    service = RunService(
        submits=SqlSubmitStore(database, at_end=[Retries()]),
        reads=SqlReadStore(database),
        catalogue=catalogue,
        environments=environments,
        secrets=secrets,
        comparison=KeptParts(catalogue, environments),
        wakeup=wakeup,
        expect=signals.expect,
        clock=clock,
        policy=RunPolicy(**settings),
    )
    return Bench(
        database=database,
        folder=folder,
        service=service,
        catalogue=catalogue,
        environments=environments,
        secrets=secrets,
        wakeup=wakeup,
        signals=signals,
        files=RunFolder(folder / "logs", folder / "artifacts", clock),
    )
