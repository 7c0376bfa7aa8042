"""The records of pipelines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from fastflow.kernel.environments.domain.environment import EnvironmentRequest, Kind
from fastflow.kernel.executors.port import Limits
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.retry import RetryPolicy

Policy = Literal["queue", "skip", "cancel-old", "cancel-new"]
"""What happens to a run over its pipeline's limit: it waits, is not made, replaces the oldest, or is cancelled."""


@dataclass(frozen=True, kw_only=True)
class Concurrency:
    """How many runs of a pipeline may be under way at once.

    Attributes:
        limit: of all its runs; None: only the global limit.
        key: template over the parameters, such as `{CITY}`; runs of equal keys are counted together.
        per_key: of runs with equal keys; 1 when a key is given without it.
    """

    limit: int | None = None
    key: str | None = None
    per_key: int | None = None
    policy: Policy = "queue"


@dataclass(frozen=True, kw_only=True)
class PipelineSettings:
    """What `pipeline.toml`, or the `[tool.fastflow]` table that stands in for it, says.

    Attributes:
        params_schema: JSON Schema of the parameters; None: any parameters are taken.
        retry: how failed runs are tried again; None: the installation's default.
        schedules: as written, for the room that will judge it.
        daemon: as written, for the room that will judge it.
        notify: as written, for the room that will judge it.
        after: as written, for the room that will judge it.
        after_at: where that stands: file and line.
        unread_after: of broken settings without `after`: the words that stand where it may have stood; None: nowhere.
    """

    description: str = ""
    tags: tuple[str, ...] = ()
    params_schema: dict[str, Any] | None = None
    run_timeout: float | None = None
    idle_timeout: float | None = None
    wait_timeout: float | None = None
    grace: float | None = None
    limits: Limits = field(default_factory=Limits)
    concurrency: Concurrency = field(default_factory=Concurrency)
    secrets: tuple[str, ...] = ()
    network: bool = True
    executor: str | None = None
    python: str | None = None
    retry: RetryPolicy | None = None
    schedules: Any = None
    daemon: Any = None
    notify: Any = None
    after: Any = None
    after_at: tuple[str, int | None] | None = None
    unread_after: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Pipeline(PipelineSettings):
    """A pipeline as its files describe it; may have faults.

    Attributes:
        kind: a folder with a main.py, or one .py file.
        script: the file to run, relative to the snapshot.
        dependencies: where they are written.
        environment_files: path -> text of what decides its environment; see `EnvironmentRequest.content`.
        environment_needs_code: see `EnvironmentRequest.needs_code`.
        modules: what its code imports at the top, dotted; worth loading ahead.
        faults: everything that is wrong, errors and warnings.
        notes: what is worth knowing but not wrong.
        repository: the repository it comes from; None: PIPELINES_DIR.
        commit: the repository's active commit; None in PIPELINES_DIR, where a run's own tells.
        workbench: the workbench that ships it; None: it is the installation's own.
        covers: the workbench whose shipped pipeline of the same name it has taken the place of.
    """

    name: str
    kind: Literal["folder", "file"]
    script: str
    dependencies: Kind = "none"
    environment_files: Mapping[str, str] = field(default_factory=dict)
    environment_needs_code: bool = False
    modules: tuple[str, ...] = ()
    faults: Sequence[Fault] = ()
    notes: Sequence[str] = ()
    repository: str | None = None
    commit: str | None = None
    workbench: str | None = None
    covers: str | None = None

    @property
    def is_healthy(self) -> bool:
        """Whether it can run: warnings do not keep it from that."""
        return all(fault.severity != "error" for fault in self.faults)

    def environment(self, code_dir: Path) -> EnvironmentRequest:
        """What it asks of the environments, when its code is in `code_dir`."""
        return EnvironmentRequest(
            kind=self.dependencies,
            content=self.environment_files,
            code_dir=code_dir,
            python=self.python,
            needs_code=self.environment_needs_code,
        )


@dataclass(frozen=True, kw_only=True)
class FrozenPipeline:
    """A pipeline at one moment, with an immutable copy of its code.

    Attributes:
        tree_hash: identity of the copy's paths, modes and contents.
        code_dir: the copy; readable for all.
        commit: HEAD of the Git work tree PIPELINES_DIR is in; None when it is in none.
        dirty: the pipeline's files differ from that commit, or that could not be found out.
        environment: what it asks of the environments.
    """

    pipeline: Pipeline
    tree_hash: str
    code_dir: Path
    commit: str | None
    dirty: bool
    environment: EnvironmentRequest


@dataclass(frozen=True, kw_only=True)
class PipelineMemory:
    """What is remembered of a pipeline beside its files.

    Attributes:
        last_cache_warmup: when its environment was last made ready.
    """

    name: str
    last_cache_warmup: datetime | None
    first_seen_at: datetime
