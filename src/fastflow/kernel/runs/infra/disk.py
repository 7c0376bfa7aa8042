"""Whether there is room on disk for further runs."""

import os
from collections.abc import Mapping
from pathlib import Path

_MEGABYTE = 2**20


class DiskFloor:
    """See `ports.WhyNot`: below so much free space no new run is started, so that those going on, and the database, have
    what is left.

    Args:
        folders: by the setting that names them.
        min_free_mb: 0 lets every run start.
    """

    def __init__(self, folders: Mapping[str, Path], min_free_mb: int) -> None:
        self._folders = folders
        self._min_free_mb = min_free_mb

    def __call__(self) -> str | None:
        """Why no new run may start; None: it may. A folder that cannot be looked at holds nothing back: the run's own
        error will say more."""
        for setting, folder in self._folders.items():
            try:
                found = os.statvfs(folder)
            except OSError:
                continue
            free = found.f_bavail * found.f_frsize
            if free < self._min_free_mb * _MEGABYTE:
                return f"{setting} has {free // _MEGABYTE} MB free, less than the {self._min_free_mb} MB of MIN_FREE_DISK_MB"
        return None
