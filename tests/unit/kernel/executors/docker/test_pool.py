import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastflow.kernel.executors.docker.container import Shape
from fastflow.kernel.executors.docker.engine import EngineError
from fastflow.kernel.executors.docker.pool import Pool
from fastflow.kernel.executors.port import Limits


def shape(pids: int = 1, environment: Path | None = None) -> Shape:
    return Shape(image="sha256:ab", environment=environment, limits=Limits(pids=pids), network="none")


class Workshop:
    """Makes containers that are a socket each."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.discarded: list[Any] = []
        self.failure: EngineError | None = None

    async def make(self, _shape: Shape) -> Any:
        if self.failure:
            raise self.failure
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.made.append(SimpleNamespace(id=str(len(self.made)), connection=ours, theirs=theirs))
        return self.made[-1]

    async def discard(self, prepared: Any) -> None:
        prepared.connection.close()
        self.discarded.append(prepared)

    def close(self) -> None:
        for one in self.made:
            one.connection.close()
            one.theirs.close()


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    made = Workshop()
    yield made
    made.close()


def pool_of(workshop: Workshop, size: int = 2, idle: float = 900.0) -> Pool:
    return Pool(size=size, idle=idle, make=workshop.make, discard=workshop.discard)


async def settled(pool: Pool) -> None:
    while pool._tasks:
        await asyncio.gather(*pool._tasks)


async def test_pool_when_empty_then_nothing_to_take(workshop: Workshop) -> None:
    assert pool_of(workshop).take(shape()) is None


async def test_pool_when_refilled_then_each_is_taken_once(workshop: Workshop) -> None:
    pool = pool_of(workshop)
    pool.refill(shape())
    await settled(pool)
    assert pool.take(shape()) is workshop.made[0]
    assert pool.take(shape()) is None


async def test_pool_when_of_size_none_then_never_refilled(workshop: Workshop) -> None:
    pool = pool_of(workshop, size=0)
    pool.refill(shape())
    await settled(pool)
    assert workshop.made == [] and pool.ready == 0


async def test_pool_when_full_of_one_shape_then_no_more_are_made(workshop: Workshop) -> None:
    pool = pool_of(workshop)
    for _ in range(5):
        pool.refill(shape())
    await settled(pool)
    assert len(workshop.made) == 2
    await pool.close()


async def test_pool_when_a_waiting_one_ends_then_it_is_not_given_out(workshop: Workshop) -> None:
    pool = pool_of(workshop)
    pool.refill(shape())
    await settled(pool)
    workshop.made[0].theirs.close()
    while pool.ready:  # noqa: ASYNC110  the loop's own reader tells the pool
        await asyncio.sleep(0)
    await settled(pool)
    assert pool.take(shape()) is None and workshop.discarded == workshop.made


async def test_pool_when_its_environment_was_built_again_then_the_old_one_is_not_given_out(
    workshop: Workshop, tmp_path: Path
) -> None:
    folder = tmp_path / "environment"
    folder.mkdir()
    pool = pool_of(workshop)
    pool.refill(shape(environment=folder))
    await settled(pool)
    folder.rename(tmp_path / "trash")
    assert pool.take(shape(environment=folder)) is None
    folder.mkdir()
    assert pool.take(shape(environment=folder)) is None
    await settled(pool)
    assert workshop.discarded == workshop.made


async def test_pool_when_the_engine_refuses_then_the_next_refill_tries_again(workshop: Workshop) -> None:
    pool = pool_of(workshop)
    workshop.failure = EngineError("full")
    pool.refill(shape())
    await settled(pool)
    workshop.failure = None
    pool.refill(shape())
    await settled(pool)
    assert pool.ready == 1
    await pool.close()


async def test_pool_when_shapes_change_then_the_one_used_longest_ago_makes_room(workshop: Workshop) -> None:
    pool = pool_of(workshop)
    for pids in (1, 2, 1, 3):
        pool.refill(shape(pids))
        await settled(pool)
    assert [waiting.limits.pids for waiting in pool._waiting] == [1, 3]
    await pool.close()


async def test_pool_when_closed_then_all_are_let_go_and_none_is_made_any_more(workshop: Workshop) -> None:
    pool = pool_of(workshop)
    pool.refill(shape())
    await settled(pool)
    pool.refill(shape())
    await pool.close()
    assert sorted(one.id for one in workshop.discarded) == sorted(one.id for one in workshop.made)
    pool.refill(shape())
    await settled(pool)
    assert pool.ready == 0
