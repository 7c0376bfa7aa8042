"""The kinds of executor there are; each brings its factory. The rest of the product knows executors by name only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastflow.kernel.executors.port import Executor
from fastflow.kit.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class ExecutorSettings:
    """What executors are configured by; every kind takes what concerns it.

    Attributes:
        data_dir: the product's data folder.
        run_user: whom runs act as when the server is root; None finds an unused id.
        warm_environments: environments kept warm at once.
        warm_idle: seconds after its last run when a warm environment is let go.
        hidden: folders and files no run may see.
        readable, writable: paths outside a run's own folders that it may use.
    """

    data_dir: Path
    run_user: str | None = None
    warm_environments: int = 4
    warm_idle: float = 900.0
    hidden: tuple[Path, ...] = field(default_factory=tuple)
    readable: tuple[Path, ...] = field(default_factory=tuple)
    writable: tuple[Path, ...] = field(default_factory=tuple)


def _process(settings: ExecutorSettings) -> Executor:
    from fastflow.kernel.executors.process.executor import ProcessExecutor  # only the runner needs it

    return ProcessExecutor(
        data_dir=settings.data_dir,
        run_user=settings.run_user,
        warm_environments=settings.warm_environments,
        warm_idle=settings.warm_idle,
        hidden=settings.hidden,
        readable=settings.readable,
        writable=settings.writable,
    )


_KINDS: Mapping[str, Callable[[ExecutorSettings], Executor]] = {"process": _process}


def kinds() -> tuple[str, ...]:
    """The names of all kinds."""
    return tuple(_KINDS)


def require_kind(name: str, field_name: str = "executor") -> str:
    """`name`, when there is such a kind.

    Raises:
        InvalidInput: there is none; names those that exist.
    """
    if name not in _KINDS:
        raise InvalidInput(
            f"There is no executor {name!r}.",
            code="unknown_executor",
            hint=f"Use one of: {', '.join(_KINDS)}.",
            fields={field_name: "unknown executor"},
        )
    return name


def make_executor(kind: str, settings: ExecutorSettings) -> Executor:
    """A new executor of the kind, not opened yet.

    Raises:
        InvalidInput: there is no such kind.
    """
    return _KINDS[require_kind(kind)](settings)
