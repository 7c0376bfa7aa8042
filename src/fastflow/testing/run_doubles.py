"""Doubles of the rooms that runs stand on: a catalogue, environments, secrets and wake-ups that a test scripts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fastflow.kernel.environments.domain.environment import Environment, EnvironmentCard, EnvironmentRequest
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.pipelines.domain.pipeline import Concurrency, FrozenPipeline, Pipeline
from fastflow.kernel.runs.domain.capsule import Capsule, FrozenRequest
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.ports import ReadyCode
from fastflow.kit.errors import NotFound
from fastflow.kit.ids import new_id
from fastflow.testing.clock import START

ENVIRONMENT = "e" * 64
INTERPRETER = "cpython-3.11.7"


def make_run(pipeline_name: str = "demo", *, queued_at: datetime = START, **values: Any) -> Run:
    """A PENDING run, with whatever the test says otherwise."""
    capsule = Capsule(tree_hash="t" * 64, script="main.py", environment=FrozenRequest(input_hash="i", kind="none"))
    given: dict[str, Any] = {
        "id": new_id(),
        "status": RunStatus.PENDING,
        "trigger": "api",
        "submitted_by": "user:test",
        "params": {},
        "executor": "process",
        "capsule": capsule.to_json(),
    }
    return Run(pipeline_name=pipeline_name, queued_at=queued_at, **{**given, **values})


class MemoryCatalogue:
    """Pipelines that exist because a test says so."""

    def __init__(self, code_dir: Path = Path("/nowhere")) -> None:
        self._code_dir = code_dir
        self._pipelines: dict[str, Pipeline] = {}
        self.tree_hash = "t" * 64
        self.snapshots = {self.tree_hash}

    def add(self, name: str = "demo", **values: Any) -> Pipeline:
        """A pipeline, replaced if it is there; `concurrency` may be a mapping."""
        concurrency = values.pop("concurrency", {})
        if isinstance(concurrency, Mapping):
            concurrency = Concurrency(**concurrency)
        pipeline = Pipeline(name=name, kind="folder", script="main.py", concurrency=concurrency, **values)
        self._pipelines[name] = pipeline
        return pipeline

    def remove(self, name: str) -> None:
        """Delete the pipeline; its snapshots stay."""
        del self._pipelines[name]

    def list(self) -> Sequence[Pipeline]:
        """Every pipeline."""
        return tuple(self._pipelines.values())

    def freeze(self, name: str) -> FrozenPipeline:
        """See `Catalogue.freeze`."""
        if name not in self._pipelines:
            raise NotFound(f"There is no pipeline {name!r}.", code="pipeline_not_found")
        pipeline = self._pipelines[name]
        return FrozenPipeline(
            pipeline=pipeline,
            tree_hash=self.tree_hash,
            code_dir=self._code_dir,
            commit="c" * 40,
            dirty=False,
            environment=pipeline.environment(self._code_dir),
        )

    def thaw(self, tree_hash: str) -> Path:
        """See `Catalogue.thaw`."""
        if tree_hash not in self.snapshots:
            raise NotFound("The code snapshot is gone.", code="code_snapshot_not_found")
        return self._code_dir


class MemoryEnvironments:
    """One environment, ready; `failure` makes every setup fail.

    Args:
        python: its interpreter; exact re-runs look whether it exists.
    """

    def __init__(self, python: Path = Path("/nowhere/python")) -> None:
        self.environment = Environment(
            hash=ENVIRONMENT, python=python, interpreter=INTERPRETER, uv_version="0.8.0", build_seconds=0.0
        )
        self.lock = ""
        self.is_gone = False
        self.failure: str | None = None

    def resolved_hash(self, _request: EnvironmentRequest) -> str | None:
        """See `EnvironmentCatalogue.resolved_hash`."""
        return ENVIRONMENT

    def get(self, environment: str) -> Environment:
        """See `EnvironmentCatalogue.get`."""
        if self.is_gone or environment != ENVIRONMENT:
            raise NotFound(f"The environment {environment[:12]} is not here.")
        return self.environment

    async def recipe(
        self, _request: EnvironmentRequest, _on_line: object = None, *, exactly: str | None = None
    ) -> tuple[Environment, None]:
        """See `Environments.recipe`: the machine's own Python will do."""
        return (self.environment if exactly is None else self.get(exactly)), None

    def card(self, environment: str) -> EnvironmentCard:
        """See `EnvironmentCards.card`: the one environment, with the test's lock."""
        found = self.get(environment)
        return EnvironmentCard(
            hash=found.hash,
            interpreter=found.interpreter,
            lock=self.lock,
            uv_version=found.uv_version,
            size_bytes=0,
            packages=0,
            build_seconds=0.0,
            built_at=START,
            last_used_at=START,
        )

    async def make_ready(self, _run: Run, on_line: Callable[[str], None]) -> ReadyCode:
        """See `EnvironmentMaker.make_ready`."""
        if self.failure is not None:
            on_line("resolving")
            raise SetupFailed(self.failure)
        return ReadyCode(code_dir=Path("/nowhere"), environment=self.environment)


@dataclass(frozen=True)
class MemoryRevealed:
    """Secret values, given."""

    values: Mapping[str, str] = field(repr=False)
    masked: Sequence[str] = field(repr=False)


class MemorySecrets:
    """Secrets in version 1, by key."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def current_versions(self, _pipeline_name: str, keys: Sequence[str]) -> Mapping[str, int]:
        """See `SecretVersions.current_versions`."""
        self._require(keys)
        return dict.fromkeys(keys, 1)

    def reveal(self, _pipeline_name: str, versions: Mapping[str, int]) -> MemoryRevealed:
        """See `SecretVersions.reveal`."""
        self._require(tuple(versions))
        values = {key: self.values[key] for key in versions}
        return MemoryRevealed(values=values, masked=tuple(values.values()))

    def _require(self, keys: Sequence[str]) -> None:
        missing = [key for key in keys if key not in self.values]
        if missing:
            raise NotFound(f"These secrets do not exist: {', '.join(missing)}.")


class RecordingWakeUp:
    """Keeps every message; may hand those to the runner on to a dispatcher."""

    def __init__(self) -> None:
        self.to_runner: list[str] = []
        self.to_web: list[str] = []
        self.on_runner: Callable[[str], None] | None = None
        self.on_web: Callable[[str], None] | None = None

    def wake_runner(self, message: str) -> None:
        """See `WakeUp.wake_runner`."""
        self.to_runner.append(message)
        if self.on_runner is not None:
            self.on_runner(message)

    def tell_web(self, message: str) -> None:
        """See `WakeUp.tell_web`."""
        self.to_web.append(message)
        if self.on_web is not None:
            self.on_web(message)

    def close(self) -> None:
        """See `Sender.close`."""
