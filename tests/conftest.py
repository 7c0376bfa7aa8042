"""What every test may ask for, and the rules of the whole session.

- `database`, `database_url`: a migrated, empty database, once on SQLite and once on a real PostgreSQL.
- `clock`: a clock that stands still until `advance()`.
- `data_dir`, `pipelines_dir`, `settings`: folders of the test's own, reachable for an unprivileged run.
- `docker_host`: the address of a real container engine that has the worker image.
- `ray_cluster`: a real Ray cluster of two nodes.
- `full`: True under `--full` (`make torture`): repeat as often as the reference page states.

A skipped or xfailed test fails the session: what cannot be checked here is not checked anywhere.
"""

import fcntl
import gc
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import hypothesis
import pytest
import uv

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import migrate
from fastflow.settings import Settings
from fastflow.testing import ray_cluster as ray_clusters
from fastflow.testing.clock import FakeClock
from fastflow.testing.docker_engine import shared_engine
from fastflow.testing.postgres import PostgresServer, stop_folder, sweep

_ORDER = ("unit", "architecture", "contract", "integration", "e2e", "torture")
_QUICK = 2
"""So many of the folders hold quick tests."""
_TEMPLATE = "fastflow_template"
_shared = pytest.StashKey[Path]()
_unwanted = pytest.StashKey[list[str]]()


# --- the session -----------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="repeat torture tests as often as `make torture` does")


# No verdict depends on how busy the machine is, and a failure comes again: what is tried is drawn from the test's own name.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "searching", hypothesis.settings.get_profile("steady"), derandomize=False, max_examples=2000, print_blob=True
)


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("searching" if config.getoption("full") else "steady")
    config.stash[_unwanted] = []
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is not None:
        config.stash[_shared] = Path(worker["fastflow_shared"])
        return
    sweep()
    ray_clusters.sweep()
    config.stash[_shared] = Path(tempfile.mkdtemp(prefix="fastflow-tests-"))
    config.stash[_shared].chmod(0o755)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: a good part of the tests waits for a process, a lease or a second to pass."""
    return min(len(os.sched_getaffinity(0)) + 1, 8)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell every xdist worker the folder they share."""
    node.workerinput["fastflow_shared"] = str(node.config.stash[_shared])


def pytest_unconfigure(config: pytest.Config) -> None:
    shared = config.stash.get(_shared, None)
    if shared is None or hasattr(config, "workerinput"):
        return
    if (shared / "postgres").exists():
        stop_folder(Path((shared / "postgres").read_text()))
    if (shared / "ray").exists():
        ray_clusters.load(Path((shared / "ray").read_text())).end()
    shutil.rmtree(shared, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The quick tests first, then the long ones, so that no worker is left with one of them while the others are done."""
    root = config.rootpath / "tests"

    def rank(item: pytest.Item) -> float:
        top = item.path.relative_to(root).parts[0] if item.path.is_relative_to(root) else ""
        place = _ORDER.index(top) if top in _ORDER else len(_ORDER)
        return _QUICK - 0.5 if place >= _QUICK and item.get_closest_marker("long") else place

    items.sort(key=rank)
    if config.getoption("full"):
        for item in items:  # ten thousand kills take hours; each wait inside has its own limit
            item.add_marker(pytest.mark.timeout(0), append=False)


def pytest_collection_finish(session: pytest.Session) -> None:
    """The modules and the tests stay to the end: no look for garbage has to go through them thousands of times.

    Raises:
        pytest.UsageError: groups of tests were asked for and are not kept together.
    """
    gc.freeze()
    if getattr(session.config.option, "loadgroup", False):  # in a worker
        strays = [item for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
        if strays:
            raise pytest.UsageError(f"These pytest and pytest-xdist forget groups of tests: {strays[0].nodeid}")


_session: list[pytest.Config] = []


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    _session.append(session.config)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped or hasattr(report, "wasxfail"):
        _note(report.nodeid, report.longrepr)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _note(report.nodeid, report.longrepr)


def _note(nodeid: str, why: object) -> None:
    reason = why[2] if isinstance(why, tuple) else "xfail"
    for config in _session:
        config.stash[_unwanted].append(f"{nodeid}: {reason}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash[_unwanted] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    unwanted = config.stash[_unwanted]
    if unwanted:
        terminalreporter.section("skipped or xfailed: not allowed here", red=True)
        for line in sorted(set(unwanted)):
            terminalreporter.line(line)


# --- fixtures --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def _hermetic() -> Iterator[None]:
    """No setting of the developer's shell reaches a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        for name in ("FASTFLOW_URL", "FASTFLOW_TOKEN"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def shared_dir(request: pytest.FixtureRequest) -> Path:
    """A folder that all workers of this session share."""
    return request.config.stash[_shared]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def postgres_server(shared_dir: Path) -> PostgresServer:
    """The session's PostgreSQL, started by whoever needs it first; stopped when the session ends."""
    note = shared_dir / "postgres"
    with _locked(shared_dir / "postgres.lock"):
        if note.exists():
            return PostgresServer(Path(note.read_text()))
        server = PostgresServer.start()
        (server.folder / "owner").write_text(str(_session_pid()))
        note.write_text(str(server.folder))
        with closing(Database(server.create_database(_TEMPLATE))) as template:
            migrate(template)
        return server


def _session_pid() -> int:
    """The process that outlives every worker."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


@pytest.fixture(scope="session")
def sqlite_template(shared_dir: Path) -> Path:
    """A migrated, empty SQLite file to copy."""
    path = shared_dir / "template.db"
    with _locked(shared_dir / "sqlite.lock"):
        if not path.exists():
            fresh = path.with_suffix(".new")
            with closing(Database(f"sqlite:///{fresh}")) as template:
                migrate(template)
            with closing(sqlite3.connect(fresh)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            fresh.rename(path)
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> Literal["sqlite", "postgresql"]:
    """Which database this test runs on. A test that needs one only parametrises it indirectly."""
    kind: Literal["sqlite", "postgresql"] = request.param
    return kind


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> Iterator[str]:
    """The URL of a migrated, empty database of the test's own."""
    if database_kind == "sqlite":
        folder: Path = request.getfixturevalue("data_dir")
        shutil.copyfile(request.getfixturevalue("sqlite_template"), folder / "fastflow.db")
        yield f"sqlite:///{folder / 'fastflow.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"t{uuid4().hex}"
    yield server.create_database(name, _TEMPLATE)
    server.drop_database(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database of the test's own; fails the test when a connection is still checked out at its end."""
    with closing(Database(database_url)) as opened:
        yield opened
        pool: Any = opened.engine.pool
        assert pool.checkedout() == 0, "a connection was not given back"


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    """The address of a real container engine with the worker image: the machine's own, else one that is started; it is
    shared with other sessions, so a test looks at containers of its own only."""
    with shared_engine() as host:
        yield host


@pytest.fixture(scope="session")
def ray_cluster(shared_dir: Path) -> ray_clusters.RayCluster:
    """The session's Ray cluster, two nodes on this machine, started by whoever needs it first; ended when the session
    ends. Tests that end a node add one of their own."""
    note = shared_dir / "ray"
    with _locked(shared_dir / "ray.lock"):
        if not note.exists():
            note.write_text(ray_clusters.start(_session_pid()).folder)
        return ray_clusters.load(Path(note.read_text()))


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """What a test sets for the whole process, as a command of the command line does, ends with the test.

    Import-linter switches off every logger that it did not make.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    for logger in root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until `advance()`."""
    return FakeClock()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder for DATA_DIR: its path short enough for Unix sockets, passable for an unprivileged run, as in production."""
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, onerror=_make_writable)


def _make_writable(remove: Any, path: str, _error: object) -> None:
    """Environments are read-only: open them for the removal. What its owner removes at the same time is gone as well."""
    if not os.path.lexists(path):
        return
    for target in (Path(path).parent, Path(path)):
        if target.exists() and not target.is_symlink():
            target.chmod(0o700)
    if Path(path).is_dir() and not Path(path).is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            remove(path)


@pytest.fixture
def pipelines_dir(tmp_path: Path) -> Path:
    """An empty folder for PIPELINES_DIR."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(data_dir: Path, pipelines_dir: Path) -> Settings:
    """Settings with the test's own folders, on SQLite; nothing comes from the environment or from `.env`."""
    return Settings(
        _env_file=None,
        data_dir=data_dir,
        pipelines_dir=pipelines_dir,
        logs_dir=data_dir / "logs",
        port=0,
    )


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """True under `--full`: repeat as often as the reference page states."""
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="session")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("env") / "empty"
    subprocess.run([uv.find_uv_bin(), "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    return folder / "bin" / "python"
