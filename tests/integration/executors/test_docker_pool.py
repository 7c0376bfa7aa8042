"""Prepared containers: each serves one run, and none is left."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastflow.kernel.executors.port import Limits, RunSpec
from fastflow.testing.docker_lab import DockerLab, docker_lab, until
from fastflow.testing.executor_contract import MEGABYTE, Outcome

HOST_NAME = "import socket\nprint(socket.gethostname())"  # an engine's default: the container's short id


@pytest.fixture
async def lab(data_dir: Path, docker_host: str) -> AsyncIterator[DockerLab]:
    async with docker_lab(data_dir, docker_host, pool=2) as made:
        yield made


async def run_prepared(lab: DockerLab, spec: RunSpec) -> Outcome:
    """A run for which a container waited."""
    await lab.prepare(spec)
    await lab.launch(spec)
    return await lab.finish(spec)


async def test_prepared_container_when_used_then_never_again(lab: DockerLab) -> None:
    seen = set()
    for _ in range(3):
        outcome = await run_prepared(lab, lab.spec(HOST_NAME))
        assert outcome.exit.isolation["start"] == "pool"
        name = outcome.text("stdout").decode().strip()
        assert lab.container(outcome.spec.key).startswith(name)
        seen.add(name)
        await lab.executor.discard(outcome.spec.key)
        with pytest.raises(Exception, match="No such container"):
            await lab.engine.inspect(name)
    assert len(seen) == 3


async def test_prepared_container_when_given_to_a_run_then_it_bears_the_runs_name(lab: DockerLab) -> None:
    spec = lab.spec("import time\nprint('up', flush=True)\ntime.sleep(600)")
    await lab.prepare(spec)
    await lab.launch(spec)
    container = lab.container(spec.key)
    async with asyncio.timeout(20):
        while (await lab.engine.inspect(container))["Name"] != f"/fastflow-{spec.key.run_id}-1":  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_prepared_container_when_it_has_died_then_the_run_gets_a_fresh_one(lab: DockerLab) -> None:
    spec = lab.spec("print('all the same')")
    shape = await lab.prepare(spec)
    for waiting in list(lab.pool._waiting[shape]):
        await lab.engine.kill(waiting.prepared.id)
    await lab.launch(spec)
    outcome = await lab.finish(spec)
    assert outcome.text("stdout") == b"all the same\n" and outcome.exit.isolation["start"] == "cold"


async def test_prepared_container_when_it_dies_at_the_very_hand_over_then_the_run_gets_a_fresh_one(
    lab: DockerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = lab.spec("print('all the same')")
    shape = await lab.prepare(spec)
    prepared = lab.pool.take(shape)
    assert prepared is not None
    await lab.engine.kill(prepared.id)
    monkeypatch.setattr(lab.pool, "take", lambda _shape: prepared)  # nobody has noticed yet
    await lab.launch(spec)
    outcome = await lab.finish(spec)
    assert outcome.text("stdout") == b"all the same\n" and outcome.exit.isolation["start"] == "cold"
    assert prepared.id not in {container["Id"] for container in await lab.containers()}


async def test_prepared_container_when_the_run_asks_for_another_shape_then_not_taken(lab: DockerLab) -> None:
    await lab.prepare(lab.spec("print(1)"))
    outcome = await lab.run("print(2)", limits=Limits(memory_bytes=300 * MEGABYTE))
    assert outcome.exit.isolation["start"] == "cold"


async def test_pool_when_other_shapes_come_then_the_oldest_make_room(lab: DockerLab) -> None:
    for pids in (50, 60, 70):
        await lab.prepare(lab.spec("print(1)", limits=Limits(pids=pids)))
    await until(lambda: lab.pool.ready == 2)
    assert [shape.limits.pids for shape in lab.pool._waiting] == [60, 70]


async def test_pool_when_unused_for_long_then_let_go(data_dir: Path, docker_host: str) -> None:
    async with docker_lab(data_dir, docker_host, pool=1, pool_idle=0.5) as lab:
        await lab.prepare(lab.spec("print(1)"))
        await until(lambda: lab.pool.ready == 0 and not lab.pool._tasks)
        assert await lab.containers() == []


async def test_pool_when_switched_off_then_nothing_is_prepared(data_dir: Path, docker_host: str) -> None:
    async with docker_lab(data_dir, docker_host) as lab:
        outcome = await lab.run("print(1)")
        assert outcome.exit.isolation["start"] == "cold"
        assert len(await lab.containers()) == 1


async def test_runs_when_many_at_once_from_the_pool_then_all_have_their_own_output_and_none_is_left(
    lab: DockerLab,
) -> None:
    async def one(number: int) -> bytes:
        outcome = await lab.run(f"print({number} * 1000)")
        await lab.executor.discard(outcome.spec.key)
        return outcome.text("stdout")

    for _ in range(2):
        assert await asyncio.gather(*map(one, range(6))) == [b"%d\n" % (number * 1000) for number in range(6)]
    await lab.executor.close()
    lab.executor = await lab.reopen()
    assert await lab.containers() == []
