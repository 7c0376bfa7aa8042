"""How the web process looks at each part of the server, for `/health` and `/ready`."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from fastflow.bootstrap import Product
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import current_revision, head_revision
from fastflow.kernel.http.probing import Probe
from fastflow.kernel.locks import is_held
from fastflow.kernel.runs.infra.rows import RUNNER
from fastflow.kit.clock import Clock
from fastflow.kit.errors import Unavailable
from fastflow.serve import RUNNER_LOCK
from fastflow.terms import MEGABYTE

RUNNER_FILE = "run/runner.json"
"""In DATA_DIR: written by the runner at every heartbeat."""
FOR_REQUESTS = ("database",)
"""The parts without which no request can be served."""
_RUNNER_SILENT_SECONDS = 15.0


def build_probes(product: Product) -> Mapping[str, Probe]:
    """Name of a part -> how to look at it."""
    settings, head, clock = product.settings, head_revision(), product.clock
    folders = {"DATA_DIR": settings.data_dir, "LOGS_DIR": settings.logs_dir}
    probes: dict[str, Probe] = {
        "database": lambda: look_at_database(product.database, head),
        "disk": lambda: look_at_disk(folders, settings.min_free_disk_mb * MEGABYTE),
        "clock": lambda: look_at_clock(product.database, clock, settings.clock_max_skew),
        "runner": lambda: look_at_runner(settings.data_dir, datetime.now(UTC)),
        "scheduler": product.schedules.schedules.health,
    }
    if settings.executor == "docker":
        probes["engine"] = lambda: _look_at_engine(settings.data_dir, datetime.now(UTC))
    if settings.executor == "ray" or settings.ray_address is not None:
        probes["cluster"] = lambda: _look_at_cluster(settings.data_dir, datetime.now(UTC))
    return probes


def needed_for_runs(product: Product) -> tuple[str, ...]:
    """The parts without which no run that names no executor can be started, beside those of requests."""
    return ("disk", "clock", "runner", *{"docker": ("engine",), "ray": ("cluster",)}.get(product.settings.executor, ()))


def look_at_database(database: Database, head: str) -> Mapping[str, Any]:
    """Whether it answers, has the schema of this release, and can be written."""
    revision = current_revision(database)
    told: dict[str, Any] = {
        "ok": revision == head,
        "kind": "sqlite" if database.is_sqlite else "postgresql",
        "schema": revision,
    }
    if revision != head:
        told["problem"] = f"The database has the schema {revision}, and this release needs {head}."
        told["hint"] = "Start the server of the newest release anew."
    elif _is_read_only(database):
        told |= {"ok": False, "problem": "The database takes no changes.", "hint": "Point DATABASE_URL at the primary."}
    return told


def _is_read_only(database: Database) -> bool:
    if database.is_sqlite:
        return False  # a file: what keeps it from being written, the disk's part tells
    with database.read() as connection:
        return bool(connection.execute(text("SELECT current_setting('transaction_read_only') = 'on'")).scalar())


def look_at_disk(folders: Mapping[str, Path], least_bytes: int) -> Mapping[str, Any]:
    """Whether each folder is there and has at least so much room; whatever the setting, one that can hold nothing more is full."""
    found: dict[str, os.statvfs_result] = {}
    for name, folder in folders.items():
        try:
            found[name] = os.statvfs(folder)
        except OSError as error:
            raise Unavailable(f"{name} cannot be looked at: {error.strerror}.", code="disk_unreadable") from error
    free = {name: one.f_bavail * one.f_frsize for name, one in found.items()}
    told: dict[str, Any] = {"ok": True, "free_bytes": free}
    full = [name for name, count in free.items() if count < max(least_bytes, MEGABYTE)]
    if full:
        rooms = " and ".join(f"{name} has {free[name] // MEGABYTE} MB free" for name in full)
        least = (
            f"less than {least_bytes // MEGABYTE} MB (MIN_FREE_DISK_MB)" if least_bytes else "so nothing can be written"
        )
        told |= {"ok": False, "problem": f"{rooms}, {least}."}
        told["hint"] = "Free some space: environments, logs and the database grow there."
    for name, one in found.items():
        if one.f_flag & os.ST_RDONLY:
            told |= {"ok": False, "problem": f"{name} is on a file system that is mounted read-only."}
            told["hint"] = "Mount it for writing; after an error of the disk the kernel's log says why it is not."
        elif one.f_files and not one.f_favail:
            told |= {"ok": False, "problem": f"The file system of {name} has no room for another file (inodes)."}
            told["hint"] = "Remove files there: runs, logs and environments that are not needed any more."
    return told


def look_at_clock(database: Database, clock: Clock, most_seconds: float) -> Mapping[str, Any]:
    """Whether our clock, the database's and those of the runners agree.

    Leases, schedules and ages are decided by each server's own clock: one that is far off takes others' runs for lost.
    """
    newest = select(func.max(RUNNER.c.seen_at))
    try:
        with database.read() as connection:
            seen_at = connection.execute(newest).scalar()
            before = clock.now()
            at_database = (
                None if database.is_sqlite else connection.execute(select(func.clock_timestamp())).scalar_one()
            )
            after = clock.now()
    except Unavailable:  # which its own part tells: of the clock nothing is known to be wrong
        return {"ok": True, "is_compared": False}
    # what was heard of a runner cannot lie ahead of us: where it does, its clock or ours was wrong
    ahead = 0.0 if seen_at is None else (seen_at - after).total_seconds()
    told: dict[str, Any] = {"ok": True, "is_compared": True}
    if at_database is not None:
        took = max(timedelta(0), after - before)
        skew = (at_database - (before + took / 2)).total_seconds()
        told["database_skew_seconds"] = round(skew, 3)
        if abs(skew) - took.total_seconds() / 2 > most_seconds:
            way = "behind" if skew > 0 else "ahead of"
            told |= _wrong(f"This server's clock is {abs(skew):.1f} s {way} the database's.")
    if told["ok"] and ahead > most_seconds:
        told |= _wrong(f"A runner was last heard of {ahead:.1f} s in the future: its clock, or ours, was set wrongly.")
    return told


def _wrong(problem: str) -> Mapping[str, Any]:
    return {
        "ok": False,
        "problem": problem,
        "hint": "Let every machine follow the same time (chrony, systemd-timesyncd), then start the server anew.",
    }


def look_at_runner(data_dir: Path, now: datetime) -> Mapping[str, Any]:
    """The runner lives as long as its lock is held, and works as long as it writes its file at every heartbeat: how old
    that is, and what it says about isolation."""
    heartbeat = data_dir / RUNNER_FILE
    if not is_held(data_dir / RUNNER_LOCK):
        raise _no_runner("No runner works on this machine now.")
    try:
        seen = datetime.fromtimestamp(heartbeat.stat().st_mtime, UTC)
        told = json.loads(heartbeat.read_text())
    except FileNotFoundError as error:
        raise _no_runner("The runner on this machine is just starting.") from error
    except (OSError, ValueError) as error:
        raise _no_runner("The runner's heartbeat cannot be read.") from error
    silent = max(0.0, (now - seen).total_seconds())
    found: dict[str, Any] = {
        "ok": silent < _RUNNER_SILENT_SECONDS,
        "last_seen_at": seen.isoformat(),
        "silent_seconds": round(silent, 1),
        "executors": told.get("executors", {}),
    }
    if not found["ok"]:
        found["problem"] = f"The runner was last heard of {silent:.0f} s ago."
        found["hint"] = "It is there and does not work: its disk may hang, or the machine is overloaded."
    return found


def _look_at_engine(data_dir: Path, now: datetime) -> Mapping[str, Any]:
    """The container engine as the runner sees it: this process never opens the engine's socket."""
    told = look_at_runner(data_dir, now)["executors"].get("docker", {})
    if not told.get("reachable"):
        raise Unavailable(
            str(told.get("why") or "The runner has not looked at the container engine yet."),
            code="engine_away",
            hint="Container runs fail until it is back: start it, or let the server's user reach DOCKER_HOST.",
        )
    names = ("image", "image_here", "pool")
    return {"ok": True, "version": told.get("engine")} | {name: told.get(name) for name in names}


def _look_at_cluster(data_dir: Path, now: datetime) -> Mapping[str, Any]:
    """The Ray cluster as the runner sees it."""
    told = look_at_runner(data_dir, now)["executors"].get("ray", {})
    if not told.get("reachable"):
        raise Unavailable(
            str(told.get("why") or "The runner has not looked at the cluster yet."),
            code="cluster_away",
            hint="Runs on the cluster go on; new ones fail until it answers: start it, or correct RAY_ADDRESS.",
        )
    return {name: told.get(name) for name in ("address", "version", "nodes")} | {"ok": True}


def _no_runner(message: str) -> Unavailable:
    return Unavailable(
        message,
        code="no_runner",
        hint="Runs stay in the queue until `fastflow serve` (its runner process) is up.",
    )
