"""A process that sees one run through, beside the queue and beside a runner that may start at any moment."""

import asyncio

import pytest
from tests.integration.runs.conftest import Bench

from fastflow.kernel.runs.dispatcher import single
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.testing.memory_executor import MemoryExecutor


def failing(executor: MemoryExecutor) -> MemoryExecutor:
    """Runs end at once with exit code 4."""
    executor._on_launch = lambda own, spec: own.end(spec.key, exit_code=4)
    return executor


async def test_single_when_others_wait_before_it_then_it_takes_its_own_run_alone(bench: Bench) -> None:
    first, mine, last = [await asyncio.to_thread(bench.submit) for _ in range(3)]
    executor = failing(MemoryExecutor())
    assert await bench.dispatcher(executor).single(mine.id).execute()
    assert [spec.key.run_id for spec in executor.launched] == [mine.id]
    assert (bench.get(mine).status, bench.get(mine).exit_code) == (RunStatus.FAILED, 4)
    assert {bench.get(run).status for run in (first, last)} == {RunStatus.PENDING}
    assert executor.discarded == [executor.launched[0].key]


async def test_single_when_limits_leave_no_slot_then_it_waits_for_one(bench: Bench) -> None:
    bench.catalogue.add("demo", concurrency={"limit": 1})
    executor = MemoryExecutor()
    holder, mine = [await asyncio.to_thread(bench.submit) for _ in range(2)]
    async with bench.serving(executor):
        await executor.launches(1)
        waiting = asyncio.ensure_future(
            bench.dispatcher(MemoryExecutor(), host="host-2", poll_seconds=0.01).single(mine.id).execute()
        )
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        await asyncio.to_thread(bench.service.cancel, mine.id, actor=bench.actor)
        assert await waiting is False
        executor.end(executor.key_of(holder.id))
        await bench.ended(holder)


async def test_single_when_its_run_is_cancelled_in_the_queue_then_it_launches_nothing(bench: Bench) -> None:
    mine = await asyncio.to_thread(bench.submit)
    await asyncio.to_thread(bench.service.cancel, mine.id, actor=bench.actor)
    executor = MemoryExecutor()
    assert await bench.dispatcher(executor).single(mine.id).execute() is False
    assert executor.launched == []


async def test_single_when_its_run_is_cancelled_then_the_process_is_stopped_with_grace(bench: Bench) -> None:
    mine = await asyncio.to_thread(bench.submit)
    executor = MemoryExecutor()
    one = bench.dispatcher(executor, poll_seconds=60.0).single(mine.id)
    executing = asyncio.ensure_future(one.execute())
    await executor.launches(1)
    await asyncio.to_thread(bench.service.cancel, mine.id, actor=bench.actor)
    one.look()
    assert await executing
    assert bench.get(mine).reason == "cancelled"
    assert executor.attempts == {}


async def test_single_when_killed_then_the_grace_period_is_not_waited_for(bench: Bench) -> None:
    mine = await asyncio.to_thread(bench.submit)
    executor = MemoryExecutor(ends_on_stop=False)
    one = bench.dispatcher(executor).single(mine.id)
    executing = asyncio.ensure_future(one.execute())
    await executor.launches(1)
    key = executor.key_of(mine.id)
    await one.kill("killed")
    assert ("cancelled", 0.0) in executor.attempts[key].stops
    executor.end(key, reason="cancelled", reason_text="killed", exit_code=None)
    assert await executing
    assert bench.get(mine).reason_text == "killed"


async def test_single_when_a_runner_starts_then_it_lets_go_and_the_runner_ends_the_run_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single, "RENEW_EVERY", 1)
    mine = await asyncio.to_thread(bench.submit)
    executor = MemoryExecutor()
    executing = asyncio.ensure_future(bench.dispatcher(executor, poll_seconds=0.01).single(mine.id).execute())
    await executor.launches(1)
    async with bench.serving(executor):
        assert await executing is False
        key = executor.key_of(mine.id)
        assert executor.attempts[key].end is None
        assert executor.discarded == []
        executor.end(key, exit_code=4)
        ended = await bench.ended(mine)
    assert (ended.status, ended.exit_code, ended.lease_token) == (RunStatus.FAILED, 4, 2)
    assert len(executor.launched) == 1


async def test_single_when_its_run_ends_just_as_a_runner_starts_then_only_the_runner_discards_it(bench: Bench) -> None:
    mine = await asyncio.to_thread(bench.submit)
    executor = MemoryExecutor()
    executing = asyncio.ensure_future(bench.dispatcher(executor, poll_seconds=60.0).single(mine.id).execute())
    await executor.launches(1)
    key = executor.key_of(mine.id)
    async with bench.serving(executor):
        executor.end(key)
        await executing
        ended = await bench.ended(mine)
        async with asyncio.timeout(10):  # the runner discards after it has written the end
            while not executor.discarded:  # noqa: ASYNC110  the double has no event for it
                await asyncio.sleep(0.01)
    assert ended.status is RunStatus.SUCCESS
    assert executor.discarded == [key]
