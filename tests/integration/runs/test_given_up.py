"""A run that another server gave up while this one was not heard of: its script is ended, its log says why, nothing stays."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.runs.conftest import Bench

from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.testing.memory_executor import MemoryExecutor

LAST_WORDS = "stderr F [fastflow] the run is lost: its server "


def _give_up(bench: Bench) -> Any:
    """What another server's look makes of leases that were not renewed for an hour."""
    other = SqlLeaseStore(bench.database, lost_after=0)
    return other.apply([command.Sweep(host="host-2")], datetime.now(UTC) + timedelta(hours=1))[0].ended


async def _started(bench: Bench, executor: MemoryExecutor) -> Run:
    """A run whose script has said something."""
    run = await asyncio.to_thread(bench.submit)
    await executor.launches(1)
    await _until(lambda: bench.get(run).started_at is not None)
    bench.files.log_path(run.id).parent.mkdir(exist_ok=True)
    bench.files.log_path(run.id).write_text("2026-11-21T04:35:18.123456789Z stdout F begun\n")
    return run


def _check_closed(bench: Bench, run: Run) -> None:
    after = bench.get(run)
    assert after.reason == "lost"
    lines = bench.files.log_path(run.id).read_text().splitlines()
    assert len(lines) == 2 and LAST_WORDS in lines[1] and lines[1].endswith(str(after.reason_text)), lines


async def test_run_when_given_up_while_its_server_was_away_then_ended_at_its_start_and_its_log_says_so(
    bench: Bench,
) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await _started(bench, executor)
        key = executor.key_of(run.id)
    assert _give_up(bench) == [run.id]
    async with bench.serving(executor):
        await _until(lambda: LAST_WORDS in bench.files.log_path(run.id).read_text())
    assert executor.discarded == [key]
    _check_closed(bench, run)


async def test_run_when_given_up_while_its_server_lives_then_ended_as_soon_as_that_is_noticed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastflow.kernel.runs.dispatcher.dispatcher.RENEW_SECONDS", 0.05)
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await _started(bench, executor)
        attempt = executor.attempts[executor.key_of(run.id)]
        await _until(lambda: _give_up(bench) == [run.id])  # a heartbeat may be quicker
        await _until(lambda: executor.discarded == [attempt.key])
    assert attempt.stops, "the script was not ended"
    _check_closed(bench, run)


async def test_script_when_it_ends_after_the_run_was_given_up_then_its_result_is_refused_and_nothing_stays(
    bench: Bench,
) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await _started(bench, executor)
        key = executor.key_of(run.id)
        assert _give_up(bench) == [run.id]
        executor.end(key)
        await _until(lambda: executor.discarded == [key])
    _check_closed(bench, run)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110  it happens in another thread or task
            await asyncio.sleep(0.01)
