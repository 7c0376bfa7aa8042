"""An executor lab on a container engine, and what tests ask that engine directly."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.docker.container import LABEL_RUN, Shape
from fastflow.kernel.executors.docker.engine import Engine
from fastflow.kernel.executors.docker.executor import DockerExecutor
from fastflow.kernel.executors.docker.images import no_line
from fastflow.kernel.executors.docker.pool import Pool
from fastflow.kernel.executors.docker.slots import read_note
from fastflow.kernel.executors.port import Executor, RunKey, RunSpec
from fastflow.kernel.executors.registry import DockerSettings
from fastflow.testing.docker_engine import WORKER_IMAGE
from fastflow.testing.executor_contract import ExecutorLab, Outcome

PATIENCE_SECONDS = 60.0


class DockerLab(ExecutorLab):
    """With a look behind the port."""

    @property
    def docker(self) -> DockerExecutor:
        """The executor as what it is."""
        assert isinstance(self.executor, DockerExecutor)
        return self.executor

    @property
    def pool(self) -> Pool:
        """Its pool."""
        return self.docker._opened().pool

    @property
    def engine(self) -> Engine:
        """Its engine."""
        return self.docker.engine

    @property
    def owner(self) -> str:
        """The label of its containers."""
        return self.docker._opened().identity

    def container(self, key: RunKey) -> str:
        """The id of a run's container."""
        note = read_note(self.folder / "containers" / f"{key.run_id}.{key.token}")
        if note is None or note.id is None:
            raise AssertionError(f"the run {key.run_id} has no container")
        return note.id

    async def containers(self) -> Sequence[Mapping[str, Any]]:
        """Every container of this data folder."""
        return await self.engine.containers([f"fastflow-data={self.owner}"])

    async def prepare(self, spec: RunSpec) -> Shape:
        """Return when a prepared container for such a run waits."""
        _known, shape = await self.docker._shape(spec)
        self.pool.refill(shape)
        await until(lambda: shape in self.pool._waiting)
        return shape


class PooledLab(DockerLab):
    """Every run comes from the pool."""

    async def launch(self, spec: RunSpec) -> None:
        """As always, once a container is prepared."""
        await self.prepare(spec)
        await super().launch(spec)

    async def finish(self, spec: RunSpec) -> Outcome:
        """As always; it must have come from the pool."""
        outcome = await super().finish(spec)
        assert outcome.exit.isolation["start"] == "pool" or outcome.exit.reason == "setup"
        return outcome


async def until(is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Return when it is so."""
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110  what is looked at tells nobody
            await asyncio.sleep(0.01)


@asynccontextmanager
async def docker_lab(
    data_dir: Path, host: str, kind: type[DockerLab] = DockerLab, **settings: Any
) -> AsyncIterator[DockerLab]:
    """A lab whose executor is open; in the end nothing of it is left on the engine.

    Args:
        data_dir: the executor's data folder.
        host: the engine's address.
        kind: of the lab.
        settings: of `DockerSettings`, in place of its defaults.
    """
    given = DockerSettings(**{"host": host, "image": WORKER_IMAGE, **settings})

    async def opened() -> Executor:
        executor = DockerExecutor(data_dir=data_dir, settings=given, is_default=True)
        await executor.open()
        return executor

    first = await opened()
    made = [first]

    async def reopen() -> Executor:
        await made[-1].close()
        made.append(await opened())
        return made[-1]

    assert isinstance(first, DockerExecutor)
    is_there = first.describe()["reachable"]
    python = (await first.base_image(no_line)).python if is_there else Path("/usr/bin/python3")
    lab = kind(executor=first, reopen=reopen, folder=data_dir, python=python)
    try:
        yield lab
    finally:
        for key in await lab.executor.find_all():
            await lab.executor.stop(key, reason="cancelled", reason_text="the test is over", grace=0)
            await lab.executor.discard(key)
        await lab.executor.close()


async def labelled(engine: Engine, key: RunKey) -> Sequence[Mapping[str, Any]]:
    """The containers labelled with the run."""
    return await engine.containers([f"{LABEL_RUN}={key.run_id}"])
