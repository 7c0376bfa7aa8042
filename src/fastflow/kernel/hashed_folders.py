"""Folders named by the hash of what is in them: written aside, then renamed, never changed again."""

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from fastflow.kernel.locks import hold_new_folder, try_hold_folder

_UNFINISHED = ".unfinished-"
_USE_NOTED_SECONDS = 3600.0

AskNeeded = Callable[[Sequence[str]], Collection[str]]
"""Of these hashes, those that somebody still needs."""


class HashedFolders:
    """The folders below one.

    Args:
        root: made by `open`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self) -> None:
        """Make the folder, readable for every run whatever the umask."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)

    def find(self, name: str) -> Path | None:
        """The folder of that hash. Costs one system call; the folder's time notes the use, once an hour."""
        folder = f"{self.root}/{name}"
        try:
            used = os.stat(folder).st_mtime  # noqa: PTH116 - the hot path of every submit
            if abs(time.time() - used) > _USE_NOTED_SECONDS:
                os.utime(folder)  # from now on `remove_unused` leaves it alone, or it is gone already
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Path(folder)

    def sweep(self) -> None:
        """Remove what crashes left unfinished."""
        for entry in self.root.glob(f"{_UNFINISHED}*"):
            with try_hold_folder(entry) as free:
                if free:
                    shutil.rmtree(entry)

    def remove_unused(self, needed: AskNeeded, unused_seconds: float) -> Sequence[str]:
        """Remove the folders that no `find` asked for in so many seconds (at least two hours), except those that are
        `needed`; answers their hashes."""
        limit = time.time() - max(unused_seconds, _USE_NOTED_SECONDS * 2)
        copies = [entry for entry in self.root.iterdir() if not entry.name.startswith(".")]
        unused = sorted(entry.name for entry in copies if entry.stat().st_mtime < limit)
        kept = needed(unused) if unused else ()
        return [name for name in unused if name not in kept and self._remove(name, limit)]

    def _remove(self, name: str, limit: float) -> bool:
        """Remove one, unless somebody asked for it since it was found unused."""
        copy, aside = self.root / name, self.root / f"{_UNFINISHED}{uuid4().hex}"
        copy.rename(aside)
        with try_hold_folder(aside) as mine:
            if mine and aside.stat().st_mtime >= limit and not copy.exists():
                aside.rename(copy)
                return False
            if mine:  # else a sweep, which takes what nobody holds, is at it
                shutil.rmtree(aside)
        return True

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """A folder that is held while it is written, so that no sweep takes it, and is gone afterwards."""
        with hold_new_folder(self.root, f"{_UNFINISHED}{uuid4().hex}") as (folder, _descriptor):
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=not folder.exists())

    def publish(self, folder: Path, name: str) -> None:
        """Give an unfinished folder its place; one that is there already has the same content and stays."""
        target = self.root / name
        if target.exists():
            os.utime(target)
            return
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():  # else another writer was quicker, with the same content
                raise
        sync_folder(self.root)


def sync_folder(folder: Path) -> None:
    """Let a folder's entries survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
