"""This server's disk: free space at once, the size of the logs as it was counted last."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from fastflow.kernel.metrics.domain.snapshot import DiskUse, LogUse


class LocalDisk:
    """See `ports.Disk`.

    Args:
        folders: name of a setting -> its folder.
        logs_dir: where the logs are.
        kept: file that holds what was counted, for the other processes of this server.
    """

    def __init__(self, folders: Mapping[str, Path], logs_dir: Path, kept: Path) -> None:
        self._folders = folders
        self._logs_dir = logs_dir
        self._kept = kept

    def look(self) -> Sequence[DiskUse]:
        """See `Disk.look`."""
        found: list[DiskUse] = []
        for name, folder in self._folders.items():
            try:
                usage = shutil.disk_usage(folder)
            except OSError:
                continue  # no figure at all is what a monitor can tell from one; `/ready` says what is wrong
            found.append(DiskUse(folder=name, free_bytes=usage.free, total_bytes=usage.total))
        return found

    def log_use(self) -> LogUse | None:
        """See `Disk.log_use`."""
        try:
            told = json.loads(self._kept.read_text(encoding="utf-8"))
            return LogUse(
                bytes=told["bytes"], files=told["files"], counted_at=datetime.fromisoformat(told["counted_at"])
            )
        except (OSError, ValueError, KeyError):
            return None

    def count_logs(self, now: datetime) -> None:
        """See `Disk.count_logs`."""
        size = files = 0
        with os.scandir(self._logs_dir) as entries:
            for entry in entries:
                try:
                    if entry.is_file(follow_symlinks=False):
                        size += entry.stat(follow_symlinks=False).st_size
                        files += 1
                except FileNotFoundError:
                    continue  # retention was faster
        fresh = self._kept.with_name(f"{self._kept.name}.new")
        fresh.write_text(json.dumps({"bytes": size, "files": files, "counted_at": now.isoformat()}), encoding="utf-8")
        fresh.replace(self._kept)
