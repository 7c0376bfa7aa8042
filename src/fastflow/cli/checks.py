"""The checks of `fastflow doctor`, each a small function that finds one thing out and changes nothing that lasts."""

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text as sql

from fastflow.cli.client import Api
from fastflow.cli.output import size
from fastflow.cli.running import is_runner_at_work
from fastflow.cli.serving import LOCK_FILE
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import current_revision, head_revision
from fastflow.kernel.executors.process.executor import ProcessExecutor
from fastflow.kernel.secrets.infra.cipher import KEY_FILE
from fastflow.kernel.secrets.wiring import build_secrets
from fastflow.kit.errors import FastFlowError
from fastflow.settings import Settings, load_settings

LOW_DISK_BYTES = 1024**3
OLDEST_PYTHON = (3, 11)
CLOCK_SKEW_SECONDS = 2.0
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""This release was made after it: a clock that says otherwise is wrong."""
_NAMESPACES = ("mount", "pid", "ipc", "network")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        essential: without it Fast-Flow does not work; else it works with less.
        remedy: what to do; empty when all is well.
    """

    name: str
    ok: bool
    text: str
    remedy: str = ""
    essential: bool = True

    def as_json(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return asdict(self)


def check_server(api: Api) -> list[Finding]:
    """The server at FASTFLOW_URL as it sees itself."""
    health = api.get("/health")
    if "parts" not in health:
        return [
            Finding(
                name="token",
                ok=False,
                text=f"the server answers ({health['status']}) but does not know us",
                remedy="Set FASTFLOW_TOKEN to a token from `fastflow tokens create` on the server's machine.",
            )
        ]
    found = [Finding(name="server", ok=True, text=f"version {health['version']}, {health['status']}")]
    for name, part in health["parts"].items():
        facts = {key: value for key, value in part.items() if key not in ("ok", "problem", "hint")}
        told = part.get("problem") or ", ".join(f"{key}={value}" for key, value in facts.items()) or "works"
        found.append(Finding(name=name, ok=part["ok"], text=told, remedy=part.get("hint", "")))
    return found


def check_machine() -> list[Finding]:
    """This machine, with the settings of this environment."""
    findings = [_guard("Python", _check_python), _guard("uv", _check_uv)]
    try:
        settings = load_settings()
    except FastFlowError as error:
        return [*findings, _broken("settings", error)]
    findings.append(_guard("data folder", lambda: _check_folder("data folder", "DATA_DIR", settings.data_dir)))
    findings.append(_guard("logs folder", lambda: _check_folder("logs folder", "LOGS_DIR", settings.logs_dir)))
    findings.append(_guard("pipelines", lambda: _check_pipelines(settings)))
    findings.append(_guard("database", lambda: _check_database(settings)))
    findings.append(_guard("encryption key", lambda: _check_key(settings)))
    findings += _check_executor(settings)
    findings.append(_guard("server", lambda: _check_running(settings)))
    findings.append(_guard("clock", lambda: _check_clock(settings)))
    return findings


def _guard(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except FastFlowError as error:
        return _broken(name, error)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name=name, ok=False, text=str(error), remedy="Correct what the message names.")


def _broken(name: str, error: FastFlowError) -> Finding:
    return Finding(name=name, ok=False, text=error.message, remedy=error.hint)


def _check_python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    return Finding(
        name="Python",
        ok=sys.version_info >= OLDEST_PYTHON,
        text=found,
        remedy="" if sys.version_info >= OLDEST_PYTHON else "Install Python 3.11 or later.",
    )


def _check_uv() -> Finding:
    from fastflow.bootstrap import uv_binary  # the composition root loads the whole product

    told = subprocess.run([uv_binary(), "--version"], capture_output=True, text=True, timeout=30, check=True)
    return Finding(name="uv", ok=True, text=f"{told.stdout.strip()} at {uv_binary()}")


def _check_folder(name: str, variable: str, folder: Path) -> Finding:
    existing = folder
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding(
            name=name,
            ok=False,
            text=f"{existing} cannot be written by this user",
            remedy=f"Set {variable} to a folder of this user, or correct the owner of {existing}.",
        )
    free = shutil.disk_usage(existing).free
    made = "" if existing == folder else " (made at the first start)"
    return Finding(
        name=name,
        ok=free >= LOW_DISK_BYTES,
        essential=False,
        text=f"{folder}{made}, {size(free)} free",
        remedy="" if free >= LOW_DISK_BYTES else "Free some space: environments, logs and the database grow there.",
    )


def _check_pipelines(settings: Settings) -> Finding:
    from fastflow.kernel.executors.registry import kinds
    from fastflow.kernel.pipelines.wiring import check_folder

    folder = settings.pipelines_dir
    if not folder.is_dir():
        return Finding(
            name="pipelines",
            ok=False,
            essential=False,
            text=f"{folder} does not exist",
            remedy="Make it and put pipelines there, or set PIPELINES_DIR.",
        )
    errors = [fault for fault in check_folder(folder, known_executors=kinds()) if fault.severity == "error"]
    return Finding(
        name="pipelines",
        ok=not errors,
        essential=False,
        text=f"{folder}, {len(errors)} faults" if errors else f"{folder}, no faults",
        remedy="`fastflow pipelines check` names each fault." if errors else "",
    )


@contextmanager
def _database(settings: Settings) -> Iterator[Database | None]:
    """The database, if there is one already; looking must not make one."""
    if settings.database_url is None and not (settings.data_dir / "fastflow.db").exists():
        yield None
        return
    database = Database(settings.effective_database_url)
    try:
        yield database
    finally:
        database.close()


def _check_database(settings: Settings) -> Finding:
    with _database(settings) as database:
        if database is None:
            return Finding(name="database", ok=True, text="SQLite, made at the first start")
        revision, head = current_revision(database), head_revision()
        kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    if revision is None or revision == head:
        return Finding(name="database", ok=True, text=f"{kind}, schema {revision or 'made at the first start'}")
    return Finding(
        name="database",
        ok=False,
        text=f"{kind}, schema {revision}; this release has {head}",
        remedy="An older schema is brought up by the next start; a newer one needs the release that wrote it.",
    )


def _check_key(settings: Settings) -> Finding:
    given = settings.encryption_key
    path = settings.data_dir / KEY_FILE
    if given is None and not path.exists():
        return Finding(name="encryption key", ok=True, text=f"made at the first start: {path}")
    key = None if given is None else given.get_secret_value()
    with _database(settings) as database:
        if database is not None and current_revision(database) == head_revision():
            build_secrets(database, encryption_key=key, data_dir=settings.data_dir).secrets.verify_key()
            return Finding(name="encryption key", ok=True, text=f"{_source(key, path)}; it opens every secret")
    return Finding(name="encryption key", ok=True, text=_source(key, path))


def _source(key: str | None, path: Path) -> str:
    return str(path) if key is None else "ENCRYPTION_KEY"


def _check_executor(settings: Settings) -> list[Finding]:
    """Open the executor as the runner would, on the real folder when there is one, and ask it."""
    folder, is_made = settings.data_dir, False
    if not os.access(folder, os.W_OK):
        folder, is_made = Path(tempfile.mkdtemp(prefix="fastflow-doctor-")), True
        folder.chmod(0o711)
    try:
        told = asyncio.run(_describe_executor(folder, settings.run_user))
    except (FastFlowError, OSError) as error:
        remedy = error.hint if isinstance(error, FastFlowError) else "Correct what the message names."
        return [Finding(name="isolation", ok=False, text=str(error), remedy=remedy)]
    finally:
        if is_made:
            shutil.rmtree(folder, ignore_errors=True)
    return [_judge_isolation(told), _judge_limits(told), _judge_warm_start(settings, told)]


async def _describe_executor(folder: Path, run_user: str | None) -> Mapping[str, Any]:
    executor = ProcessExecutor(data_dir=folder, run_user=run_user, warm_environments=0)
    try:
        await executor.open()
        return dict(executor.describe())
    finally:
        await executor.close()


def _judge_isolation(told: Mapping[str, Any]) -> Finding:
    namespaces: Sequence[str] = told.get("namespaces", ())
    missing = [name for name in _NAMESPACES if name not in namespaces]
    other = [f"{key}={told[key]}" for key in ("landlock",) if told.get(key)]
    text = f"runs act as user {told.get('run_user')}; namespaces: {', '.join(namespaces) or 'none'}"
    why = told.get("missing", {})
    return Finding(
        name="isolation",
        ok=not missing,
        essential=False,
        text=", ".join([text, *other]) + (f"; missing: {', '.join(missing)}" if missing else ""),
        remedy="; ".join(f"{name}: {why[name]}" for name in missing if name in why)
        or (
            "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1) or run the server as root."
            if missing
            else ""
        ),
    )


def _judge_limits(told: Mapping[str, Any]) -> Finding:
    limits = {name: str(told.get(f"{name}_limit")) for name in ("memory", "pids", "cpu")}
    weak = [name for name, by in limits.items() if by != "cgroup"]
    return Finding(
        name="limits",
        ok=not weak,
        essential=False,
        text=", ".join(f"{name} by {by}" for name, by in limits.items()),
        remedy=f"Control groups: {told.get('cgroup_why') or 'not all controllers are delegated'}." if weak else "",
    )


def _judge_warm_start(settings: Settings, told: Mapping[str, Any]) -> Finding:
    if settings.warm_environments == 0:
        return Finding(name="warm start", ok=True, text="switched off by WARM_ENVIRONMENTS=0")
    return Finding(
        name="warm start",
        ok=True,
        text=f"a helper process starts runs ({told.get('kind')}); up to {settings.warm_environments} environments kept warm",
    )


def _check_running(settings: Settings) -> Finding:
    lock = settings.data_dir / LOCK_FILE
    runner = is_runner_at_work(settings.data_dir)
    if not _is_locked(lock):
        text = "a runner alone works on this data folder" if runner else "none works on this data folder"
        return Finding(
            name="server", ok=runner, essential=False, text=text, remedy="" if runner else "Start it: `fastflow serve`."
        )
    told = lock.read_text(encoding="utf-8").strip()
    return Finding(
        name="server",
        ok=runner,
        essential=False,
        text=f"runs ({told})" if runner else f"runs ({told}), but its runner is away",
        remedy="" if runner else "It is started again by itself; the server's output says why it ended.",
    )


def _is_locked(path: Path) -> bool:
    import fcntl

    try:
        file = path.open("rb")
    except OSError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _check_clock(settings: Settings) -> Finding:
    """Against the year of this release, the file system that holds the data, and the database's machine."""
    now = datetime.now(UTC)
    skews: dict[str, float] = {}
    if os.access(settings.data_dir, os.W_OK):
        with tempfile.NamedTemporaryFile(dir=settings.data_dir) as file:
            skews["the data folder's file system"] = os.fstat(file.fileno()).st_mtime - time.time()
    with _database(settings) as database:
        if database is not None and not database.is_sqlite:
            with database.read() as connection:
                theirs: datetime = connection.execute(sql("SELECT clock_timestamp()")).scalar_one()
            skews["the database"] = (theirs - datetime.now(UTC)).total_seconds()
    wrong = [f"{skew:+.1f} s against {name}" for name, skew in skews.items() if abs(skew) > CLOCK_SKEW_SECONDS]
    if now < EARLIEST:
        wrong.append("it is set to a time before this release was made")
    return Finding(
        name="clock",
        ok=not wrong,
        essential=False,
        text=now.strftime("%Y-%m-%d %H:%M:%S UTC") + (f": {'; '.join(wrong)}" if wrong else ""),
        remedy="Set the clocks by NTP: timeouts, leases and histories rely on them." if wrong else "",
    )
