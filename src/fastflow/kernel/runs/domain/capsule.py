"""The capsule: all that decided what a run does, frozen when it was submitted, kept as JSON in the run's row."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from fastflow.kernel.executors.port import Limits


@dataclass(frozen=True, kw_only=True)
class FrozenRequest:
    """What environment was asked for; the files' text is in the code snapshot.

    Attributes:
        input_hash: identity of the request.
        kind: none, requirements, script or project.
        python: interpreter request; None means the server's own version.
        needs_code: the code itself is part of what is installed.
        files: what decides the result, relative to the snapshot.
        hash: content hash of the environment; None when it was not known at submission. `rerun --exact` fixes it.
    """

    input_hash: str
    kind: str
    python: str | None = None
    needs_code: bool = False
    files: Sequence[str] = ()
    hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds; None means no limit.

    Attributes:
        run: for the user's process.
        idle: without any output.
        wait: in the queue.
    """

    run: float | None = None
    idle: float | None = None
    wait: float | None = None


@dataclass(frozen=True, kw_only=True)
class Capsule:
    """What a run is made of. Parameters, interpreter and uv version stand beside it in the run itself.

    Attributes:
        tree_hash: content hash of the code snapshot.
        script: file to run, relative to the snapshot.
        commit: of the pipelines' repository; None when there is none.
        dirty: the snapshot holds changes that the commit has not.
        environment: what was asked for.
        exact: True: take the environment `environment.hash` and nothing else.
        secrets: key -> version; never a value.
        limits: resources.
        timeouts: wait, run and idle.
        grace: seconds between SIGTERM and SIGKILL.
        network: False gives no network.
        executor: kind of the executor.
        modules: imports worth preloading for a warm start.
        policy: what happened to runs over the concurrency limit.
        request_digest: identity of the submitted body, for idempotency keys.
        retry: the rules by which it is tried again (`pipelines.domain.retry.RetryPolicy`); None: it is not.
        daemon: of a daemon's instance: its number and port; None: it is none.
        schedule: the due time it stands for (`scheduled.Scheduled`); None when no schedule submitted it.
        trace: the `traceparent` it was submitted with; None: it belongs to no trace but its own.
        inputs: hash of the inputs that a workbench handed it; None: it has none.
        flow: where it stands in a flow: `id`, `step`, `element`, `attempt`, `key`; None when it is in none.
    """

    tree_hash: str
    script: str
    commit: str | None = None
    dirty: bool = False
    environment: FrozenRequest
    exact: bool = False
    secrets: Mapping[str, int] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts = field(default_factory=Timeouts)
    grace: float = 10.0
    network: bool = True
    executor: str = "process"
    modules: Sequence[str] = ()
    policy: str = "queue"
    request_digest: str = ""
    retry: Mapping[str, Any] | None = None
    daemon: Mapping[str, int] | None = None
    schedule: Mapping[str, str] | None = None
    flow: Mapping[str, Any] | None = None
    trace: str | None = None
    inputs: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        return {name: _plain(getattr(self, name)) for name in _FIELDS}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Capsule":
        """As it was frozen, also by an older release: what it did not know takes its default."""
        known = {name: data[name] for name in _FIELDS if name in data}
        known["environment"] = _request(known["environment"])
        known["limits"] = Limits(**known.get("limits", {}))
        known["timeouts"] = Timeouts(**known.get("timeouts", {}))
        known["modules"] = tuple(known.get("modules", ()))
        return cls(**known)


_FIELDS = tuple(entry.name for entry in fields(Capsule))


def _request(data: Mapping[str, Any]) -> FrozenRequest:
    return FrozenRequest(**{**data, "files": tuple(data.get("files", ()))})


def _plain(value: Any) -> Any:
    if isinstance(value, FrozenRequest | Limits | Timeouts):
        return {name: _plain(part) for name, part in asdict(value).items()}
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
