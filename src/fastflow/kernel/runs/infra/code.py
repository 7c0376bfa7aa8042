"""Makes a claimed run's code and environment ready from what its capsule says; never looks at the live pipelines."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from fastflow.kernel.environments.domain.environment import Environment, EnvironmentRequest, Kind
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.header import read_header
from fastflow.kernel.runs.domain.capsule import Capsule, FrozenRequest
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.ports import ReadyCode

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


class SnapshotMaker:
    """See `ports.EnvironmentMaker`."""

    def __init__(self, snapshots: Snapshots, environments: Environments) -> None:
        self._snapshots = snapshots
        self._environments = environments

    async def make_ready(self, run: Run, on_line: OnLine) -> ReadyCode:
        """See `EnvironmentMaker.make_ready`."""
        capsule = Capsule.from_json(run.capsule)
        code_dir = await asyncio.to_thread(self._snapshots.thaw, capsule.tree_hash)
        if capsule.exact and capsule.environment.hash is not None:
            environment = await asyncio.to_thread(self._environments.get, capsule.environment.hash)
        else:
            request = await asyncio.to_thread(_request, capsule.environment, code_dir)
            environment = await self._environments.ensure(request, on_line)
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
