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
        default_kind: where runs go that name no executor.
        docker: how containers are made; None: as the engine's own defaults have it.
        ray: the cluster; None: there is none.
    """

    data_dir: Path
    run_user: str | None = None
    warm_environments: int = 4
    warm_idle: float = 900.0
    hidden: tuple[Path, ...] = field(default_factory=tuple)
    readable: tuple[Path, ...] = field(default_factory=tuple)
    writable: tuple[Path, ...] = field(default_factory=tuple)
    default_kind: str = "process"
    docker: "DockerSettings | None" = None
    ray: "RaySettings | None" = None


@dataclass(frozen=True, kw_only=True)
class DockerSettings:
    """How containers are made.

    Attributes:
        host: the engine's address, `unix://PATH`.
        image: name of the image that runs start from.
        network: the engine's network of runs that may use one.
        pool: containers prepared ahead; 0: none.
        pool_idle: seconds after which an unused one is let go.
        engine_data_dir: the data folder as the engine's machine names it; None: as we do.
    """

    host: str
    image: str
    network: str = "bridge"
    pool: int = 0
    pool_idle: float = 900.0
    engine_data_dir: Path | None = None


@dataclass(frozen=True, kw_only=True)
class RaySettings:
    """Which cluster, and on what terms its nodes work for us.

    Attributes:
        address: of its dashboard; None: one of our own on this machine, where runs go there by default.
        token: of a cluster that wants one.
        server_url: where nodes reach this server; None: it does not serve.
        uv: our uv, for nodes without one.
        cpus: what a run asks for that names none.
        node_dir: our folder on each node; None: in /var/tmp.
        chunk_bytes: what nodes send at once.
        artifacts_max_bytes: of all artifacts of a run together.
        environment_days: days after its last use when an environment on a node may go.
    """

    address: str | None = None
    token: str | None = field(default=None, repr=False)
    server_url: str | None = None
    uv: Path = Path("uv")
    cpus: float = 1.0
    node_dir: Path | None = None
    chunk_bytes: int = 1 << 22
    artifacts_max_bytes: int = 1 << 30
    environment_days: float = 30.0


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


def _docker(settings: ExecutorSettings) -> Executor:
    from fastflow.kernel.executors.docker.executor import DockerExecutor  # only the runner needs it

    if settings.docker is None:
        raise InvalidInput("The Docker executor needs its settings.", code="executor_settings_missing")
    return DockerExecutor(
        data_dir=settings.data_dir,
        settings=settings.docker,
        is_default=settings.default_kind == "docker",
        run_user=settings.run_user,
        readable=settings.readable,
        writable=settings.writable,
    )


def _ray(settings: ExecutorSettings) -> Executor:
    from fastflow.kernel.executors.ray.executor import RayExecutor  # only the runner needs it

    return RayExecutor(
        data_dir=settings.data_dir,
        settings=settings.ray or RaySettings(),
        is_default=settings.default_kind == "ray",
    )


_KINDS: Mapping[str, Callable[[ExecutorSettings], Executor]] = {"process": _process, "docker": _docker, "ray": _ray}
_FROM_IMAGES = frozenset({"docker"})
_ON_NODES = frozenset({"ray"})


def kinds() -> tuple[str, ...]:
    """The names of all kinds."""
    return tuple(_KINDS)


def image_kinds() -> frozenset[str]:
    """The kinds whose runs start from an image: their environments are not this machine's."""
    return _FROM_IMAGES


def node_kinds() -> frozenset[str]:
    """The kinds whose runs' machines make their environments themselves, from a lock that this machine makes."""
    return _ON_NODES


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
