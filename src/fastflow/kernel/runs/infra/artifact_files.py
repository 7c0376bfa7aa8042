"""Files that runs left in their artifact folders. The folders are written by user code, so nothing in them is trusted:
no symbolic link is followed, no device or pipe is opened, and a hard link to somebody else's file is not served."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from fastflow.kernel.runs.domain.logged_run import StoredArtifact

MAX_ENTRIES = 10_000
"""Files and folders that are looked at."""
MAX_DEPTH = 64
MAX_PATH_BYTES = 1000
"""What the table holds."""
_BLOCK_BYTES = 1024 * 1024
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What was found in an artifact folder.

    Attributes:
        artifacts: the regular files, in the order of their paths.
        notes: what was left out and why, in words for the run's log; empty when nothing was.
    """

    artifacts: tuple[StoredArtifact, ...]
    notes: tuple[str, ...]


class ArtifactFiles:
    """See `log_ports.ArtifactFiles`.

    Args:
        root: folder that holds one folder per run.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, run_id: str, path: str) -> int:
        """See `ArtifactFiles.open`."""
        parts = path.split("/")
        if not all(_is_plain(part) for part in parts):
            raise FileNotFoundError(path)
        folder = os.open(self._root / run_id, _FOLDER_FLAGS)
        owner = os.fstat(folder).st_uid
        try:
            for part in parts[:-1]:
                below = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
                os.close(folder)
                folder = below
            return _open_file(folder, parts[-1], owner)
        finally:
            os.close(folder)


def collect(folder: Path) -> Collected:
    """Every regular file below the folder, with size and hash; an absent folder has none.

    Entries that are no regular files, cannot be read or have names that are not UTF-8 are left out with a note, and so
    is whatever comes after the first `MAX_ENTRIES`.
    """
    walk = _Walk()
    try:
        root = os.open(folder, _FOLDER_FLAGS)
    except FileNotFoundError:
        return Collected(artifacts=(), notes=())
    try:
        owner = os.fstat(root).st_uid
        found = sorted(walk.files(root, "", owner, 0), key=lambda artifact: artifact.path)
    finally:
        os.close(root)
    return Collected(artifacts=tuple(found), notes=walk.notes())


class _Walk:
    def __init__(self) -> None:
        self._count = 0
        self._beyond = False
        self._left_out: dict[str, list[str]] = {}

    def notes(self) -> tuple[str, ...]:
        notes = [
            f"{len(paths)} artifact(s) left out, {why}: {', '.join(paths[:3])}{' …' if len(paths) > 3 else ''}"
            for why, paths in self._left_out.items()
        ]
        if self._beyond:
            notes.append(
                f"only the first {MAX_ENTRIES:,} files and folders are kept as artifacts: put more into an archive"
            )
        return tuple(notes)

    def files(self, folder: int, prefix: str, owner: int, depth: int) -> Iterator[StoredArtifact]:
        with os.scandir(folder) as entries:
            found = sorted(islice(entries, MAX_ENTRIES + 1), key=lambda entry: entry.name)
        for entry in found:
            self._count += 1
            if self._count > MAX_ENTRIES:
                self._beyond = True
                return
            path = prefix + entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield from self._files_below(folder, entry.name, path, owner, depth + 1)
                elif artifact := self._file(folder, entry, path, owner):
                    yield artifact
            except OSError as error:
                self._leave_out(path, error.strerror or "unreadable")

    def _files_below(self, folder: int, name: str, path: str, owner: int, depth: int) -> Iterator[StoredArtifact]:
        if depth > MAX_DEPTH:
            self._leave_out(path, "folders nested too deep")
            return
        below = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
        try:
            yield from self.files(below, path + "/", owner, depth)
        finally:
            os.close(below)

    def _file(self, folder: int, entry: "os.DirEntry[str]", path: str, owner: int) -> StoredArtifact | None:
        if not entry.is_file(follow_symlinks=False):
            self._leave_out(path, "not a regular file")
            return None
        if not _is_storable(path):
            self._leave_out(path, "name not UTF-8, with control characters, or too long")
            return None
        descriptor = _open_file(folder, entry.name, owner)
        try:
            size, digest = _hash(descriptor)
            modified = os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)
        return StoredArtifact(path=path, size_bytes=size, sha256=digest, created_at=_instant(modified))

    def _leave_out(self, path: str, why: str) -> None:
        self._left_out.setdefault(why, []).append(repr(path)[:200])


def _open_file(folder: int, name: str, owner: int) -> int:
    descriptor = os.open(name, _FILE_FLAGS, dir_fd=folder)
    found = os.fstat(descriptor)
    is_foreign = found.st_uid != owner and found.st_nlink > 1  # a hard link to a file that is not the run's
    if not stat.S_ISREG(found.st_mode) or is_foreign:
        os.close(descriptor)
        raise FileNotFoundError(name)
    return descriptor


def _hash(descriptor: int) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while data := os.read(descriptor, _BLOCK_BYTES):
        digest.update(data)
        size += len(data)
    return size, digest.hexdigest()


def _is_plain(part: str) -> bool:
    return part not in ("", ".", "..") and "\0" not in part and "/" not in part


def _is_storable(path: str) -> bool:
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return False
    return len(encoded) <= MAX_PATH_BYTES and not any(byte < 0x20 or byte == 0x7F for byte in encoded)


def _instant(seconds: float) -> datetime:
    """User code sets a file's time to anything; keep to what a database holds."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), 4_102_444_800.0), UTC)
