"""The installation's own rules for runs, as plain values."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from fastflow.kernel.executors.port import Limits


@dataclass(frozen=True, kw_only=True)
class RunPolicy:
    """What holds where a pipeline says nothing, and what holds for all.

    Attributes:
        logs_dir: where logs are.
        max_concurrent_runs: runs that may run at once.
        queue_when_full: False: refuse a run that would have to wait for a slot.
        default_executor: executor of a run whose pipeline names none.
        executors: kinds that exist.
        image_executors: those of them whose runs start from an image, so that their environments are not this machine's.
        node_executors: those whose runs are on the nodes of a cluster, which see nothing of this machine's disk.
        default_limits: resources of a run whose pipeline names none.
        default_run_timeout: seconds; None means no limit.
        default_grace: seconds between SIGTERM and SIGKILL.
        default_retries: of a run whose pipeline says nothing of them.
    """

    logs_dir: Path
    max_concurrent_runs: int = 10
    queue_when_full: bool = True
    default_executor: str = "process"
    executors: Collection[str] = ("process",)
    image_executors: Collection[str] = ()
    node_executors: Collection[str] = ()
    default_limits: Limits = field(default_factory=Limits)
    default_run_timeout: float | None = None
    default_grace: float = 10.0
    default_retries: int = 0
