"""Assembles backups."""

from collections.abc import Callable
from pathlib import Path

from fastflow.kernel.backups.infra.archive import DiskFiles
from fastflow.kernel.backups.infra.database_copy import SqlDatabaseCopy
from fastflow.kernel.backups.ports import Places
from fastflow.kernel.backups.service import BackupService
from fastflow.kit.clock import Clock, SystemClock


def build_backups(
    url: str,
    *,
    data_dir: Path,
    logs_dir: Path,
    version: str,
    is_running: Callable[[], bool],
    clock: Clock | None = None,
) -> BackupService:
    """Backups of the server with this database and these folders; every room's tables must have been imported."""
    return BackupService(
        copy=SqlDatabaseCopy(url, data_dir),
        files=DiskFiles(),
        places=Places(data_dir=data_dir, logs_dir=logs_dir),
        version=version,
        is_running=is_running,
        clock=clock or SystemClock(),
    )
