"""The writer: what is ready together is written together, in order, and nothing is lost while the database is away."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import pytest

from fastflow.kernel.runs.dispatcher.writer import Writer
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.run import Run, failure
from fastflow.kernel.runs.ports import Due
from fastflow.kit.errors import Unavailable
from fastflow.testing.clock import START, FakeClock
from fastflow.testing.run_doubles import RecordingWakeUp


class MemoryStore:
    """Keeps the batches it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failures: list[Exception] = []

    def apply(self, commands: Sequence[command.Command], _now: datetime) -> Sequence[Any]:
        if self.failures:
            raise self.failures.pop(0)
        names = [one.lease.run_id for one in commands if isinstance(one, command.Finish)]
        self.batches.append(names)
        return [ValueError(name) if name == "bad" else True for name in names]

    def is_work_due(self, _owner: str, _now: datetime) -> Due:
        return Due(pending=False, overdue=False, cancelled=[])

    def last_event_offset(self, _run_id: str) -> int:
        return -1

    def load_held(self, _owner: str) -> Sequence[Run]:
        return []

    def load_ended(self, _run_ids: Collection[str]) -> Sequence[Run]:
        return []


def finish(name: str) -> command.Finish:
    return command.Finish(lease=command.Lease(run_id=name, token=1), ending=failure("exit", "x", START))


async def test_commands_when_ready_together_share_a_batch_in_order() -> None:
    store, wakeup = MemoryStore(), RecordingWakeUp()
    writer = Writer(store, wakeup, FakeClock())
    waiting = [writer.put(finish(name)) for name in ("a", "bad", "b")]
    working = asyncio.ensure_future(writer.run())
    results = [await each for each in waiting]
    assert store.batches == [["a", "bad", "b"]]
    assert results[0] == [True] and isinstance(results[1][0], ValueError) and results[2] == [True]
    assert wakeup.to_web == ["run a", "run b"]
    with pytest.raises(ValueError, match="bad"):
        await writer.do(finish("bad"))
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await writer.close()


async def test_command_when_it_may_wait_shares_the_next_batch() -> None:
    store = MemoryStore()
    writer = Writer(store, RecordingWakeUp(), FakeClock())
    working = asyncio.ensure_future(writer.run())
    writer.put_soon(finish("a"))
    assert await writer.put(finish("b")) == [True]
    assert store.batches == [["a", "b"]]
    writer.put_soon(finish("c"))
    async with asyncio.timeout(5):
        while len(store.batches) < 2:  # noqa: ASYNC110  it comes by itself, without a signal to the test
            await asyncio.sleep(0.005)
    assert store.batches[1] == ["c"]
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await writer.close()


async def test_commands_when_database_is_away_wait_with_growing_pauses() -> None:
    store = MemoryStore()
    store.failures = [Unavailable("away"), Unavailable("away"), Unavailable("away")]
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    writer = Writer(store, RecordingWakeUp(), FakeClock(), pause)
    working = asyncio.ensure_future(writer.run())
    first, second = writer.put(finish("a")), writer.put(finish("b"))
    assert (await first, await second) == ([True], [True])
    assert [name for batch in store.batches for name in batch] == ["a", "b"]
    assert pauses == [0.1, 0.2, 0.4]
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await writer.close()


async def test_commands_when_the_store_fails_in_an_unforeseen_way_are_written_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore()
    store.failures = [ConnectionResetError(104, "Connection reset by peer"), RuntimeError("a fault of ours")]

    async def pause(_seconds: float) -> None:
        return

    writer = Writer(store, RecordingWakeUp(), FakeClock(), pause)
    working = asyncio.ensure_future(writer.run())
    assert await writer.put(finish("a")) == [True]
    assert [record.message for record in caplog.records] == ["writer.failed"] * 2
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await writer.close()


async def test_close_when_commands_wait_writes_them_once() -> None:
    store = MemoryStore()
    writer = Writer(store, RecordingWakeUp(), FakeClock())
    waiting = writer.put(finish("a"))
    await writer.close()
    assert await waiting == [True] and store.batches == [["a"]]


async def test_close_when_database_is_away_gives_up_what_the_next_runner_finds_again() -> None:
    store = MemoryStore()
    store.failures = [Unavailable("away")]
    writer = Writer(store, RecordingWakeUp(), FakeClock())
    waiting = writer.put(finish("a"))
    await writer.close()
    assert waiting.cancelled()
