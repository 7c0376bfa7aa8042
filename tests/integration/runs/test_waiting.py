"""A launch on other machines that waits for room: what for is told, and the wait timeout bounds it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from tests.integration.runs.conftest import Bench

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import Handle, RunKey, RunSpec
from fastflow.kernel.runs.dispatcher import waiting
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kit.clock import SystemClock
from fastflow.testing.memory_executor import MemoryExecutor

WORDS = "the cluster has not begun it yet: it asks for 64 CPU"


class FullCluster(MemoryExecutor):
    """Starts nothing before there is room."""

    def __init__(self) -> None:
        super().__init__(lambda executor, spec: executor.end(spec.key))
        self.room = asyncio.Event()
        self.called_off = False

    def waits_for(self, spec: RunSpec) -> str | None:
        return None if self.room.is_set() else WORDS

    async def call_off(self, key: RunKey) -> None:
        self.called_off = True
        self.room.set()

    async def launch(self, spec: RunSpec) -> Handle:
        await self.room.wait()
        if self.called_off:
            raise LaunchFailed("the launch was called off")
        return await super().launch(spec)


@dataclass
class LateClock(SystemClock):
    """Can be put forward."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.01)


async def test_launch_when_there_is_no_room_then_explain_says_what_for_until_there_is(bench: Bench) -> None:
    cluster = FullCluster()
    async with bench.serving(cluster):
        run = await asyncio.to_thread(bench.submit)
        told = await _explained(bench, run, "no_room")
        assert f", but {WORDS}; as no wait_timeout is set, it waits until" in told
        cluster.room.set()
        after = await bench.ended(run)
    assert after.status is RunStatus.SUCCESS


async def test_launch_when_it_waits_longer_than_its_wait_timeout_then_it_ends(
    bench: Bench,
) -> None:
    bench.catalogue.add("demo", wait_timeout=3600.0)
    cluster, clock = FullCluster(), LateClock()
    async with bench.serving(cluster, clock=clock):
        run = await asyncio.to_thread(bench.submit)
        assert "; it fails if it has not begun by " in await _explained(bench, run, "no_room")
        clock.ahead = timedelta(hours=2)
        after = await bench.ended(run)
    assert (after.reason, after.started_at) == ("timeout", None) and not cluster.launched
    assert after.reason_text == f"waited for room longer than its wait_timeout ({WORDS})"
    assert bench.files.log_path(run.id).read_text().endswith(f"[fastflow] the run was ended: {after.reason_text}\n")


async def _explained(bench: Bench, run: Run, code: str) -> str:
    async with asyncio.timeout(20):
        while (why := await asyncio.to_thread(bench.service.explain, run.id, actor=bench.actor)).code != code:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.01)
    return why.text
