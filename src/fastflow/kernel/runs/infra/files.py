"""Logs and artifacts on disk, as far as the runner touches them: its own lines in a log, collecting, removing.

The artifact folder was writable for the run: nothing in it is trusted. Symbolic links are never followed, and only
regular files count.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path

from fastflow.kernel.runs.domain.run import Artifact
from fastflow.kit.clock import Clock

_PART_BYTES = 16 * 1024
_CHUNK_BYTES = 1 << 20
_TAIL_BYTES = 4 * _PART_BYTES
_MAX_ARTIFACTS = 10_000
_MAX_DEPTH = 32
_MAX_PATH = 1000
_MAX_NOTES = 20


class RunFolder:
    """See `ports.RunFiles`.

    Args:
        logs_dir: one `<run_id>.log` for each run.
        artifacts_root: one folder for each run.
        clock: for the times in the log.
    """

    def __init__(self, logs_dir: Path, artifacts_root: Path, clock: Clock) -> None:
        self._logs_dir = logs_dir
        self._artifacts_root = artifacts_root
        self._clock = clock

    def log_path(self, run_id: str) -> Path:
        """See `RunFiles.log_path`."""
        return self._logs_dir / f"{run_id}.log"

    def artifacts_dir(self, run_id: str) -> Path:
        """See `RunFiles.artifacts_dir`."""
        return self._artifacts_root / run_id

    def append_note(self, run_id: str, text: str) -> None:
        """See `RunFiles.append_note`. One write, so that lines of two writers never mix."""
        stamp = f"{self._clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z stderr ".encode()
        data = b"".join(_as_log_lines(stamp, line) for line in text.splitlines() or [""])
        self._logs_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.log_path(run_id), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, _end_of_broken_line(descriptor, stamp) + data)
        finally:
            os.close(descriptor)

    def append_last(self, run_id: str, text: str) -> None:
        """See `RunFiles.append_last`."""
        try:
            with self.log_path(run_id).open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - _TAIL_BYTES))
                last = log.read().splitlines()[-1:]
        except FileNotFoundError:
            return
        if not last or not last[0].endswith(b"stderr F [fastflow] " + text.encode("utf-8", "replace")):
            self.append_note(run_id, text)

    def collect_artifacts(self, run_id: str) -> tuple[Sequence[Artifact], Sequence[str]]:
        """See `RunFiles.collect_artifacts`."""
        found: list[Artifact] = []
        notes: list[str] = []
        try:
            root = os.open(self.artifacts_dir(run_id), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return found, notes
        try:
            for artifact in _walk(root, "", notes, 0):
                if len(found) >= _MAX_ARTIFACTS:
                    notes.append(f"more than {_MAX_ARTIFACTS} artifacts: the others are not listed")
                    break
                found.append(artifact)
        finally:
            os.close(root)
        return found, notes[:_MAX_NOTES]

    def remove(self, run_id: str) -> None:
        """See `RunFiles.remove`."""
        self.log_path(run_id).unlink(missing_ok=True)
        folder = self.artifacts_dir(run_id)
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)


def _as_log_lines(head: bytes, line: str) -> bytes:
    body = b"[fastflow] " + line.encode("utf-8", "replace")
    parts = [body[start : start + _PART_BYTES] for start in range(0, len(body), _PART_BYTES)]
    return b"".join(head + (b"P " if part is not parts[-1] else b"F ") + part + b"\n" for part in parts)


def _end_of_broken_line(descriptor: int, stamp: bytes) -> bytes:
    """What has to stand before a line of ours in a log whose writer was stopped in the middle of one: a newline after a
    torn line, and the end of a line in parts that ours would continue else."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    newline = b"" if tail.endswith(b"\n") or not tail else b"\n"
    tags = (row.split(b" ", 3)[1:3] for row in reversed(tail.split(b"\n")))
    last = next((tag for tag in tags if tag[:1] == [b"stderr"]), None)
    return newline + (stamp + b"F \n" if last == [b"stderr", b"P"] else b"")


def _walk(folder: int, prefix: str, notes: list[str], depth: int) -> Iterator[Artifact]:
    if depth > _MAX_DEPTH:
        notes.append(f"artifacts deeper than {_MAX_DEPTH} folders are left out: {prefix[:100]}")
        return
    for name in sorted(os.listdir(folder)):
        path = f"{prefix}{name}"
        if len(path) > _MAX_PATH or not path.isprintable():
            notes.append(f"artifact left out, its name is too long or not printable: {path[:100]!a}")
            continue
        try:
            entry = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            notes.append(f"artifact left out, {os.strerror(error.errno or 0)}: {path}")
            continue
        try:
            kind = os.fstat(entry).st_mode
            if stat.S_ISDIR(kind):
                yield from _walk(entry, f"{path}/", notes, depth + 1)
            elif stat.S_ISREG(kind):
                size, digest = _digest(entry)
                yield Artifact(path=path, size_bytes=size, sha256=digest)
            else:
                notes.append(f"artifact left out, not a regular file: {path}")
        finally:
            os.close(entry)


def _digest(descriptor: int) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        size += len(chunk)
        digest.update(chunk)
    return size, digest.hexdigest()
