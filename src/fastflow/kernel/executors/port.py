"""The executor port: where a run's supervisor is started, and the records that cross it.

Whatever the kind, a run is a small supervisor and the user's process under it. The supervisor alone writes the log,
enforces the limits, stops the tree and records the exit; it outlives server and runner. Executors differ only in where
they start it. One contract suite (`fastflow.testing.executor_contract`) runs over every kind.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

Reason = Literal["exit", "timeout", "cancelled", "oom", "setup", "lost"]
"""Why a run that did not succeed ended."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run may use; None means no limit of ours.

    Attributes:
        cpus: processors' worth of CPU time, such as 0.5 or 2.
        memory_bytes: memory of the whole process tree.
        pids: processes and threads.
        file_size_bytes: size of any one file it writes.
    """

    cpus: float | None = None
    memory_bytes: int | None = None
    pids: int | None = None
    file_size_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunKey:
    """One attempt to execute a run: the run's id and the fencing token of the lease it is executed under."""

    run_id: str
    token: int


@dataclass(frozen=True, kw_only=True)
class EnvironmentRecipe:
    """What it takes to make an environment on a machine that has nothing of ours. Index addresses may hold credentials:
    never log or store a recipe.

    Attributes:
        hash: identity of the environment, as on a machine where it is built from the same lock.
        lock: requirement lines with hashes; empty: no packages.
        platform: operating system, machine and C library that the lock holds for.
        python: interpreter request as uv takes it.
        files: path -> text of what uv reads beside the lock.
        index_options: lines that say where packages come from.
        needs_code: a dependency is a local path: the pipeline's code is needed to build it.
        variables: variables uv is given, as far as the machine sets none of its own.
    """

    hash: str
    lock: str
    platform: str
    python: str
    files: Mapping[str, str] = field(repr=False, default_factory=dict)
    index_options: Sequence[str] = field(repr=False, default=())
    needs_code: bool = False
    variables: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Handed:
    """What a run of a flow is given of the runs before it.

    Attributes:
        upstream: what becomes the file `$FASTFLOW_UPSTREAM`: by name, what each told. Where a record, or an entry of its
            `elements`, says `artifacts`, it names the run whose folder is meant.
        folders: the folders of artifacts that are on this machine, by run; the run may read them and nothing more.
        variables: environment variables beside.
    """

    upstream: Mapping[str, Mapping[str, Any]]
    folders: Mapping[str, Path] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def document(self, place: Callable[[str, Path], str]) -> dict[str, Any]:
        """The file's content; null in place of a folder that is not here.

        Args:
            place: where the run will see the folder of an earlier run.
        """

        def seen(record: Mapping[str, Any]) -> dict[str, Any]:
            folder = self.folders.get(record["artifacts"])
            return {**record, "artifacts": None if folder is None else place(record["artifacts"], folder)}

        return {
            name: {**seen(record), "elements": [seen(each) for each in record["elements"]]}
            if "elements" in record
            else seen(record)
            for name, record in self.upstream.items()
        }


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """All an executor needs to start a run. `env` and `secrets` hold secret values: never log or store a spec.

    Attributes:
        key: run and fencing token.
        pipeline_name: for messages and labels.
        code_dir: immutable folder with the pipeline's code, readable by the run, never writable.
        script: file to run, relative to `code_dir`.
        python: the environment's interpreter.
        environment: content hash of the environment; the warm start is kept per hash.
        recipe: where the run's machine makes the environment itself: of what; None there: its own Python will do, unless
            `python` is a path.
        env: every environment variable the run gets from us (parameters, secrets); nothing else is inherited.
        secrets: values to mask in the log, in any of their encoded forms.
        params: the parameters, written to the file `$FASTFLOW_PARAMS` names.
        log_path: the append-only log file, in the CRI form (`docs/reference/log-format.md`).
        artifacts_dir: what the run leaves in `$FASTFLOW_ARTIFACTS` is found here after the end.
        log_max_bytes: size at which the log is cut, visibly; None means never.
        limits: resources.
        run_timeout: seconds the user's process may take; None means no limit.
        idle_timeout: seconds without any output; None means no limit.
        grace: seconds between SIGTERM and SIGKILL.
        network: False gives the run no network at all.
        warm_modules: modules worth preloading for this environment (the script's own imports).
        handed: of the runs before it in its flow; None when it is in none.
        inputs: immutable folder that the run sees read-only as `$FASTFLOW_INPUTS`; None: it has none.
    """

    key: RunKey
    pipeline_name: str
    code_dir: Path
    script: str
    python: Path
    environment: str
    recipe: EnvironmentRecipe | None = None
    env: Mapping[str, str] = field(repr=False)
    secrets: Sequence[str] = field(repr=False, default=())
    params: Mapping[str, Any] = field(default_factory=dict)
    log_path: Path
    artifacts_dir: Path
    log_max_bytes: int | None = None
    limits: Limits = field(default_factory=Limits)
    run_timeout: float | None = None
    idle_timeout: float | None = None
    grace: float = 10.0
    network: bool = True
    warm_modules: Sequence[str] = ()
    handed: Handed | None = None
    inputs: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Handle:
    """A launched run, found again by its key after any restart.

    Attributes:
        started_at: when the supervisor started the user's process.
        isolation: what isolation is in force, e.g. `{"user": "65533", "namespaces": ["mount", "pid", "ipc"], "cgroup": "v1",
            "network": True, "files": "view", "start": "warm"}`.
        interpreter: what it runs on, where only the run's machine knew; None: as the spec has it.
    """

    key: RunKey
    started_at: datetime
    isolation: Mapping[str, Any] = field(default_factory=dict)
    interpreter: str | None = None


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a run ended. Written once by its supervisor, or stated by the executor when the supervisor is gone.

    Attributes:
        reason: None when it succeeded.
        reason_text: one sentence for people; when it succeeded: what its log lacks without saying so, else None.
        exit_code: the script's exit code; minus the signal's number; None when it never ran or nobody saw the end.
    """

    key: RunKey
    reason: Reason | None
    reason_text: str | None
    exit_code: int | None
    started_at: datetime | None
    finished_at: datetime
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    isolation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ToldEvent:
    """A `::fastflow::` line, or a resource sample, as the supervisor recorded it.

    Attributes:
        offset: byte offset in the supervisor's event file: the event's identity within the attempt.
        kind: progress, metric, output, sample or note.
    """

    key: RunKey
    offset: int
    at: datetime
    kind: str
    data: Mapping[str, Any]


class Executor(Protocol):
    """Starts, watches and stops runs. Every method may be called again after a crash of the caller."""

    kind: str

    async def open(self) -> None:
        """Get ready (start helpers, sweep what earlier crashes left); called once before any other method."""
        ...

    async def launch(self, spec: RunSpec) -> Handle:
        """Start the run's supervisor and, under it, the user's process; returns once that process exists.

        Not idempotent: one key is launched once.

        Raises:
            LaunchFailed: it could not be started and never will be under this key; the reason is in words.
        """
        ...

    async def wait(self, key: RunKey) -> Exit:
        """The run's end. Idempotent; may be called for a run launched by an earlier process. Cancelling the wait
        does not touch the run. A supervisor that died without a record gives `reason="lost"`, with its tree killed."""
        ...

    def follow(self, key: RunKey, after_offset: int) -> AsyncIterator[ToldEvent]:
        """What the run tells, in order, from the first event whose offset is greater than `after_offset` (-1: all);
        ends when the run has ended and all was given."""
        ...

    async def stop(self, key: RunKey, *, reason: Reason, reason_text: str, grace: float) -> None:
        """Ask the supervisor to end the run: SIGTERM to the tree, `grace` seconds, SIGKILL. Returns at once; the end
        shows in `wait` with the given reason. Idempotent; a run that has ended already keeps its own exit."""
        ...

    async def find_all(self) -> Sequence[RunKey]:
        """Every attempt this executor still holds anything of: running ones and ended ones not yet discarded."""
        ...

    async def seal(self, key: RunKey) -> bool:
        """True: the user's process of this key has not started, and from now on cannot. False: it has (use `wait`)."""
        ...

    async def discard(self, key: RunKey) -> None:
        """Forget an ended attempt and remove what it left (never its log or artifacts). Idempotent."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What isolation and limits are in force on this machine and why others are not; for doctor and /health."""
        ...

    async def close(self) -> None:
        """Let go without touching any run."""
        ...


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """A container image that runs start from, as far as their environments have to know it.

    Attributes:
        reference: its name, as configured.
        id: its content id, `sha256:…`.
        python: its interpreter, links resolved; a path inside the image.
        version: the interpreter's implementation and full version, such as `cpython-3.11.2`.
        platform: operating system, machine and C library.
        uv: its uv, a path inside the image; None when it has none.
        env: the variables it sets.
    """

    reference: str
    id: str
    python: Path
    version: str
    platform: str
    uv: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def short_id(self) -> str:
        """The first twelve digits of its id, as engines show it."""
        return self.id.removeprefix("sha256:")[:12]


@runtime_checkable
class StartsFromImage(Protocol):
    """An executor whose runs do not see this machine's Python: their environments are built for its image."""

    async def base_image(self, on_line: Callable[[str], None]) -> BaseImage:
        """The image that the next run starts from, fetched if it is not here yet; `on_line` is told meanwhile.

        Raises:
            LaunchFailed: it cannot be had; the reason is in words.
        """
        ...


@runtime_checkable
class SharesOneMachine(Protocol):
    """An executor all of whose runs are on one machine: nothing waits for a larger one."""

    async def machine_cpus(self) -> float | None:
        """How many processors that machine has; None: it cannot be asked at present."""
        ...


OWN_PYTHON = Path("python")
"""The interpreter in the spec of a run whose machine shall use its own."""


@runtime_checkable
class RunsElsewhere(Protocol):
    """An executor whose runs' machines are not this one: they make environments themselves, from a recipe, and a launch
    may take as long as it takes to find room there."""

    async def call_off(self, key: RunKey) -> None:
        """End a launch that is still going on: it then fails. One whose script has begun is left alone. Idempotent."""
        ...

    def waits_for(self, spec: RunSpec) -> str | None:
        """What a launch that is going on waits for before any machine takes it, in words that follow a name and end a
        sentence without its full stop; None: it does not wait for room (any more)."""
        ...
