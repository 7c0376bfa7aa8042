"""The folders of environments: `envs/` with the finished ones, `build/` with everything unfinished."""

import json
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastflow.kernel.environments.domain.environment import EnvironmentCard
from fastflow.kernel.environments.infra.sealing import CARD_NAME, IMAGE_NAME
from fastflow.kernel.locks import try_hold_folder

_HASH_LENGTH = 64


class DiskEnvironments:
    """See `ports.EnvironmentFolder`.

    Args:
        envs_dir: finished environments, one folder per hash.
        build_dir: work folders; on the same file system as `envs_dir`, because finishing is a rename.
    """

    def __init__(self, envs_dir: Path, build_dir: Path) -> None:
        self.envs_dir = envs_dir
        self.build_dir = build_dir

    def open(self) -> None:
        """Make both folders: ours, whoever builds, and `envs` readable for every run, whatever the umask."""
        for folder, mode in ((self.envs_dir, 0o755), (self.build_dir, 0o711)):
            folder.mkdir(parents=True, exist_ok=True)
            if folder.stat().st_uid != os.geteuid():
                os.chown(folder, os.geteuid(), -1)
            folder.chmod(mode)

    def python(self, environment: str) -> Path | None:
        """See the port. Costs one system call, and a second one for the environment of an image."""
        folder = f"{self.envs_dir}/{environment}"
        path = f"{folder}/bin/python"
        is_there = os.path.exists(path) or os.path.exists(f"{folder}/{IMAGE_NAME}")  # noqa: PTH110 - pathlib doubles the cost on the hot path
        return Path(path) if is_there else None

    def read_card(self, environment: str) -> EnvironmentCard | None:
        """See the port."""
        try:
            told: dict[str, Any] = json.loads((self.envs_dir / environment / CARD_NAME).read_text())
            times = {key: datetime.fromisoformat(told.pop(key)) for key in ("built_at", "last_used_at")}
            return EnvironmentCard(**(told | times))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def hashes(self) -> Sequence[str]:
        """See the port."""
        return sorted(entry.name for entry in self.envs_dir.iterdir() if len(entry.name) == _HASH_LENGTH)

    def freed_bytes(self, environment: str) -> int:
        """See the port."""
        return tree_bytes(self.envs_dir / environment, only_unshared=True)

    def remove(self, environment: str) -> None:
        """See the port."""
        trash = self.build_dir / f"trash-{uuid4().hex}"
        folder = self.envs_dir / environment
        try:
            folder.chmod(0o755)  # a folder that may not be written cannot be moved, except by root
            folder.rename(trash)
        except FileNotFoundError:
            return
        remove_tree(trash)

    def sweep(self) -> None:
        """See the port."""
        for entry in sorted(self.build_dir.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                with try_hold_folder(entry) as free:
                    if free:
                        remove_tree(entry)


def tree_bytes(root: Path, *, only_unshared: bool = False) -> int:
    """Bytes of the files below `root`, each inode once; `only_unshared` leaves out those with further names, which are
    in uv's cache and stay."""
    seen: dict[tuple[int, int], int] = {}

    def note(path: str, status: os.stat_result) -> None:  # noqa: ARG001 - the walk's signature
        if not (only_unshared and status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode)):
            seen[status.st_dev, status.st_ino] = status.st_size

    walk(root, note)
    return sum(seen.values())


def walk(root: Path, visit: Callable[[str, os.stat_result], None]) -> None:
    """Call `visit` for every file, link and folder below `root`, then for `root` itself; links are not followed."""
    pending, folders = [str(root)], []
    while pending:
        folder = pending.pop()
        folders.append(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    visit(entry.path, entry.stat(follow_symlinks=False))
    for folder in reversed(folders):
        visit(folder, os.lstat(folder))


def remove_tree(root: Path) -> None:
    """Remove a tree that may be read-only, and may be gone already."""
    if os.geteuid() != 0:
        for folder, _, _ in os.walk(root):
            os.chmod(folder, 0o755)  # noqa: PTH101, S103 - about to be removed; walks top-down, so each folder opens before it is listed
    shutil.rmtree(root, ignore_errors=not root.exists())
