"""The checks of `fastflow doctor` on this machine, each a small function that finds one thing out and changes nothing that lasts."""

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text as sql

from fastflow.cli.channel_check import check_channels
from fastflow.cli.cluster_check import check_cluster
from fastflow.cli.engine_check import check_engine
from fastflow.cli.errors import fields_to_tell
from fastflow.cli.findings import judge_pipelines, judge_shipped
from fastflow.cli.git_check import check_git
from fastflow.cli.history_check import check_history
from fastflow.cli.orphan_check import judge_orphans
from fastflow.cli.places import existing_database
from fastflow.cli.running import is_runner_at_work
from fastflow.cli.schedule_check import check_schedules, look_at_status
from fastflow.cli.serving import LOCK_FILE
from fastflow.findings import Finding, judge_executor
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import current_revision, head_revision
from fastflow.kernel.executors.process.executor import ProcessExecutor
from fastflow.kernel.notifications.infra.channel_store import SqlChannelStore
from fastflow.kernel.runs.infra.active_counts import count_active_by_pipeline
from fastflow.kernel.secrets.infra.cipher import KEY_FILE
from fastflow.kernel.secrets.infra.store import SqlSecretStore
from fastflow.kernel.secrets.ports import CiphertextHolder
from fastflow.kernel.secrets.wiring import build_secrets
from fastflow.kernel.webhooks.infra.store import SqlWebhookStore
from fastflow.kit.errors import FastFlowError
from fastflow.kit.quantities import size
from fastflow.settings import Settings, load_settings, misspelt_settings

OLDEST_PYTHON = (3, 11)
CLOCK_SKEW_SECONDS = 2.0
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""This release was made after it: a clock that says otherwise is wrong."""


def check_machine() -> list[Finding]:
    """This machine, with the settings of this environment."""
    findings = [_guard("Python", _check_python), _guard("uv", _check_uv)]
    try:
        settings = load_settings()
    except FastFlowError as error:
        return [*findings, _broken("settings", error)]
    findings += _check_names()
    findings.append(
        _guard("data folder", lambda: _check_folder("data folder", "DATA_DIR", settings.data_dir, settings))
    )
    findings.append(
        _guard("logs folder", lambda: _check_folder("logs folder", "LOGS_DIR", settings.logs_dir, settings))
    )
    findings.append(_guard("pipelines", lambda: _check_pipelines(settings)))
    findings.append(_guard("shipped pipelines", lambda: _check_shipped(settings)))
    findings.append(_guard("database", lambda: _check_database(settings)))
    findings.append(_guard("history", lambda: _check_history(settings)))
    findings.append(_guard("schedules", lambda: _check_schedules(settings)))
    findings += _check_orphans(settings)
    findings.append(_guard("alerts", lambda: _check_alerts(settings)))
    findings.append(_guard("git", lambda: _check_git(settings)))
    findings.append(_guard("encryption key", lambda: _check_key(settings)))
    findings += _check_executor(settings)
    findings.append(_guard("containers", lambda: check_engine(settings)))
    findings += check_cluster(settings)
    findings.append(_guard("server", lambda: _check_running(settings)))
    findings.append(_guard("clock", lambda: _check_clock(settings)))
    return findings


def _check_names() -> list[Finding]:
    wrong = [f"{name} (did you mean {meant}?)" for name, meant in misspelt_settings().items()]
    if not wrong:
        return []
    remedy = "Correct the name in the environment or in .env, or remove it."
    return [
        Finding(
            name="settings", level="warning", text=f"no settings, without effect: {', '.join(wrong)}", remedy=remedy
        )
    ]


def _guard(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except FastFlowError as error:
        return _broken(name, error)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name=name, level="fault", text=str(error), remedy="Correct what the message names.")


def _broken(name: str, error: FastFlowError) -> Finding:
    told = "; ".join(fields_to_tell(error).values())
    text = f"{error.message.removesuffix('.')}: {told}." if told else error.message
    return Finding(name=name, level="fault", text=text, remedy=error.hint)


def _check_python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info >= OLDEST_PYTHON:
        return Finding(name="Python", level="ok", text=found)
    return Finding(name="Python", level="fault", text=found, remedy="Install Python 3.11 or later.")


def _check_uv() -> Finding:
    from fastflow.terms import uv_binary  # it loads much of the product

    told = subprocess.run([uv_binary(), "--version"], capture_output=True, text=True, timeout=30, check=True)
    return Finding(name="uv", level="ok", text=f"{told.stdout.strip()} at {uv_binary()}")


def _check_folder(name: str, variable: str, folder: Path, settings: Settings) -> Finding:
    from fastflow.terms import low_disk_bytes  # it loads much of the product

    existing = folder
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding(
            name=name,
            level="fault",
            text=f"{existing} cannot be written by this user",
            remedy=f"Set {variable} to a folder of this user, or correct the owner of {existing}.",
        )
    free = shutil.disk_usage(existing).free
    made = "" if existing == folder else " (made at the first start)"
    text = f"{folder}{made}, {size(free)} free"
    if free >= low_disk_bytes(settings):
        return Finding(name=name, level="ok", text=text)
    remedy = (
        "Free some space: environments, logs and the database grow there. "
        f"Below {settings.min_free_disk_mb} MB (MIN_FREE_DISK_MB) nothing new is started or built ahead."
    )
    return Finding(name=name, level="warning", text=text, remedy=remedy)


def _check_pipelines(settings: Settings) -> Finding:
    from fastflow.kernel.executors.registry import kinds
    from fastflow.kernel.judges import GRAPH_JUDGES, JUDGES
    from fastflow.kernel.pipelines.wiring import check_folder

    folder = settings.pipelines_dir
    if not folder.is_dir():
        return Finding(
            name="pipelines",
            level="warning",
            text=f"{folder} does not exist",
            remedy="Make it and put pipelines there, or set PIPELINES_DIR.",
        )
    faults = check_folder(folder, known_executors=kinds(), judges=JUDGES, graph_judges=GRAPH_JUDGES)
    return judge_pipelines(str(folder), [fault.pipeline for fault in faults if fault.severity == "error"])


def _check_shipped(settings: Settings) -> Finding:
    from fastflow.kernel.pipelines.wiring import find_shipped
    from fastflow.workbenches import SHIPPED

    return judge_shipped(*find_shipped(SHIPPED, settings.pipelines_dir))


def _check_database(settings: Settings) -> Finding:
    with existing_database(settings) as database:
        if database is None:
            return Finding(name="database", level="ok", text="SQLite, made at the first start")
        revision, head = current_revision(database), head_revision()
        kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    if revision is None or revision == head:
        return Finding(name="database", level="ok", text=f"{kind}, schema {revision or 'made at the first start'}")
    return Finding(
        name="database",
        level="fault",
        text=f"{kind}, schema {revision}; this release has {head}",
        remedy="An older schema is brought up by the next start; a newer one needs the release that wrote it.",
    )


def _check_history(settings: Settings) -> Finding:
    with existing_database(settings) as database:
        return check_history(settings, database if database and current_revision(database) == head_revision() else None)


def _check_schedules(settings: Settings) -> Finding:
    with existing_database(settings) as database:
        if database is not None and current_revision(database) == head_revision():
            return check_schedules(settings, database)
    return Finding(name="schedules", level="ok", text="none yet")


def _check_orphans(settings: Settings) -> Sequence[Finding]:
    """Runs under way of pipelines that are not there any more."""
    try:
        with existing_database(settings) as database:
            if database is None or current_revision(database) != head_revision():
                return ()
            active = count_active_by_pipeline(database)
            return judge_orphans(active, look_at_status(settings, database)[1]) if active else ()
    except FastFlowError as error:
        return (_broken("runs", error),)


def _check_alerts(settings: Settings) -> Finding:
    with existing_database(settings) as database:
        if database is not None and current_revision(database) == head_revision():
            return check_channels(database)
    return Finding(name="alerts", level="ok", text="no rules yet")


def _check_git(settings: Settings) -> Finding:
    with existing_database(settings) as database:
        return check_git(settings, database if database and current_revision(database) == head_revision() else None)


def _check_key(settings: Settings) -> Finding:
    given = settings.encryption_key
    path = settings.data_dir / KEY_FILE
    key = None if given is None else given.get_secret_value()
    with existing_database(settings) as database:
        is_readable = database is not None and current_revision(database) == head_revision()
        holders = _holders(database) if database is not None and is_readable else ()
        if given is None and not path.exists() and not (holders and _needs_key(database, holders)):
            return Finding(name="encryption key", level="ok", text=f"made at the first start: {path}")
        if database is not None and is_readable:
            build_secrets(
                database, encryption_key=key, data_dir=settings.data_dir, holders=holders
            ).secrets.verify_key()
            return Finding(name="encryption key", level="ok", text=f"{_source(key, path)}; it opens every secret")
    return Finding(name="encryption key", level="ok", text=_source(key, path))


def _holders(database: Database) -> Sequence[CiphertextHolder]:
    return SqlChannelStore(database), SqlWebhookStore(database)


def _needs_key(database: Database | None, holders: Sequence[CiphertextHolder]) -> bool:
    if any(holder.load_ciphertexts() for holder in holders):
        return True
    return database is not None and bool(SqlSecretStore(database).load(after_key="", limit=1))


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
        return [Finding(name="isolation", level="fault", text=str(error), remedy=remedy)]
    finally:
        if is_made:
            shutil.rmtree(folder, ignore_errors=True)
    return [*judge_executor(told), _judge_warm_start(settings)]


async def _describe_executor(folder: Path, run_user: str | None) -> Mapping[str, Any]:
    executor = ProcessExecutor(data_dir=folder, run_user=run_user, warm_environments=0)
    try:
        await executor.open()
        return dict(executor.describe())
    finally:
        await executor.close()


def _judge_warm_start(settings: Settings) -> Finding:
    if settings.warm_environments == 0:
        return Finding(name="warm start", level="ok", text="switched off by WARM_ENVIRONMENTS=0")
    return Finding(
        name="warm start",
        level="ok",
        text=f"runs start from helper processes that have loaded Python already; up to {settings.warm_environments} environments "
        "are kept ready (WARM_ENVIRONMENTS)",
    )


def _check_running(settings: Settings) -> Finding:
    lock = settings.data_dir / LOCK_FILE
    has_runner = is_runner_at_work(settings.data_dir)
    if not _is_locked(lock):
        if has_runner:
            return Finding(name="server", level="note", text="a runner alone works on this data folder")
        return Finding(
            name="server",
            level="note",
            text="none works on this data folder; `fastflow run` needs none, `fastflow serve` starts one",
        )
    told = lock.read_text(encoding="utf-8").strip()
    if has_runner:
        return Finding(name="server", level="ok", text=f"runs ({told})")
    return Finding(
        name="server",
        level="fault",
        text=f"runs ({told}), but its runner is away",
        remedy="It is started again by itself; the server's output says why it ended.",
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
    with existing_database(settings) as database:
        if database is not None and not database.is_sqlite:
            with database.read() as connection:
                theirs: datetime = connection.execute(sql("SELECT clock_timestamp()")).scalar_one()
            skews["the database"] = (theirs - datetime.now(UTC)).total_seconds()
    wrong = [f"{skew:+.1f} s against {name}" for name, skew in skews.items() if abs(skew) > CLOCK_SKEW_SECONDS]
    if now < EARLIEST:
        wrong.append("it is set to a time before this release was made")
    told = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if not wrong:
        return Finding(name="clock", level="ok", text=told)
    remedy = "Set the clocks by NTP: timeouts, leases and histories rely on them."
    return Finding(name="clock", level="warning", text=f"{told}: {'; '.join(wrong)}", remedy=remedy)
