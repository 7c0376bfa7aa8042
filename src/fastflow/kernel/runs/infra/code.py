"""Makes a claimed run's code and environment ready from what its capsule says; never looks at the live pipelines."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

from fastflow.kernel.environments.domain.environment import Environment, EnvironmentRequest, Kind
from fastflow.kernel.executors.port import EnvironmentRecipe, StartsFromImage
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.header import read_header
from fastflow.kernel.runs.domain.capsule import Capsule, FrozenRequest
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.ports import ReadyCode
from fastflow.kit.errors import NotFound

OnLine = Callable[[str], None]


class Snapshots(Protocol):
    """Code snapshots."""

    def thaw(self, tree_hash: str) -> Path:
        """The snapshot's folder; raises NotFound."""
        ...


class Environments(Protocol):
    """Environments that can be built."""

    async def ensure(self, request: EnvironmentRequest, on_line: OnLine | None = None) -> Environment:
        """The environment, built if need be; raises SetupFailed."""
        ...

    def get(self, environment: str) -> Environment:
        """A built environment; raises NotFound."""
        ...

    async def recipe(
        self, request: EnvironmentRequest, on_line: OnLine | None = None, *, exactly: str | None = None
    ) -> tuple[Environment, EnvironmentRecipe | None]:
        """What the environment is made of, for a machine that makes it itself; raises SetupFailed or NotFound."""
        ...


class SnapshotMaker:
    """See `ports.EnvironmentMaker`.

    Args:
        snapshots: the code.
        environments: builds what is missing.
        images: the executors whose runs start from an image, by kind.
        elsewhere: the kinds whose runs' machines make environments themselves.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        environments: Environments,
        images: Mapping[str, StartsFromImage] | None = None,
        elsewhere: Collection[str] = (),
    ) -> None:
        self._snapshots = snapshots
        self._environments = environments
        self._images = images or {}
        self._elsewhere = elsewhere

    async def make_ready(self, run: Run, on_line: OnLine) -> ReadyCode:
        """See `EnvironmentMaker.make_ready`."""
        capsule = Capsule.from_json(run.capsule)
        code_dir = await asyncio.to_thread(self._snapshots.thaw, capsule.tree_hash)
        exactly = capsule.environment.hash if capsule.exact else None
        if run.executor in self._elsewhere:
            request = await asyncio.to_thread(_request, capsule.environment, code_dir)
            environment, recipe = await self._environments.recipe(request, on_line, exactly=exactly)
            return ReadyCode(code_dir=code_dir, environment=environment, recipe=recipe)
        if exactly is not None:
            try:
                environment = await asyncio.to_thread(self._environments.get, exactly)
                return ReadyCode(code_dir=code_dir, environment=environment)
            except NotFound:  # on this machine; its remembered lock may lead to the same one again
                on_line(f"the environment {exactly[:12]} is not on this machine: it is built again from its lock")
        request = await asyncio.to_thread(_request, capsule.environment, code_dir)
        if run.executor in self._images:
            request = replace(request, image=await self._images[run.executor].base_image(on_line))
        environment = await self._environments.ensure(request, on_line)
        if exactly is not None and environment.hash != exactly:
            raise NotFound(
                f"The environment {exactly[:12]} is gone, and what the pipeline asks for now leads to another one.",
                code="environment_not_found",
                hint="Run the pipeline normally: it takes the environment that its requirements lead to now.",
            )
        return ReadyCode(code_dir=code_dir, environment=environment)


def _request(frozen: FrozenRequest, code_dir: Path) -> EnvironmentRequest:
    """The request as it was at submission, read back from the snapshot."""
    content = {name: _text(frozen.kind, code_dir, name) for name in frozen.files}
    return EnvironmentRequest(
        kind=cast("Kind", frozen.kind),
        content=content,
        code_dir=code_dir,
        python=frozen.python,
        needs_code=frozen.needs_code,
    )


def _text(kind: str, code_dir: Path, name: str) -> str:
    text = (code_dir / name).read_text(encoding="utf-8", errors="replace")
    if kind == "script" and name.endswith(".py"):
        header = read_header(text, name, FaultList(pipeline=""))
        return "" if header is None else header.block
    return text
