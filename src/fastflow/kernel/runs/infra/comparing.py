"""Compares the code and the environments of two runs by what is kept of them: snapshots and locks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from fastflow.kernel.environments.domain.environment import EnvironmentCard, locked_packages
from fastflow.kernel.runs.domain.changed_lines import MAX_SHOWN_CHARS
from fastflow.kernel.runs.domain.comparing import FileChange, PackageChange, compare_packages, describe_change
from fastflow.kit.errors import InvalidInput, NotFound

MAX_TEXT_BYTES = 2_000_000
"""Larger files are told as changed, without counting lines."""
_NO_TEXT = b"\xff"
"""Stands for content that is not read: not UTF-8, so nobody counts its lines."""
_CHUNK_BYTES = 1 << 20


class Snapshots(Protocol):
    """Code snapshots."""

    def thaw(self, tree_hash: str) -> Path:
        """The snapshot's folder; raises NotFound."""
        ...


class EnvironmentCards(Protocol):
    """What is known of built environments."""

    def card(self, environment: str) -> EnvironmentCard:
        """The card with the lock; raises NotFound."""
        ...


class KeptParts:
    """See `ports.Comparison`."""

    def __init__(self, snapshots: Snapshots, environments: EnvironmentCards) -> None:
        self._snapshots = snapshots
        self._environments = environments

    def compare_code(self, left: str, right: str) -> Sequence[FileChange] | None:
        """See the port."""
        try:
            before, after = self._snapshots.thaw(left), self._snapshots.thaw(right)
        except NotFound:
            return None
        paths = sorted({*_files(before), *_files(after)})
        found = (_change(path, before / path, after / path) for path in paths)
        return list(_bounded(change for change in found if change is not None))

    def compare_environments(self, left: str, right: str) -> Sequence[PackageChange] | None:
        """See the port."""
        try:
            before, after = self._environments.card(left), self._environments.card(right)
        except (NotFound, InvalidInput):
            return None
        return compare_packages(locked_packages(before.lock), locked_packages(after.lock))


def _bounded(changes: Iterable[FileChange]) -> Iterator[FileChange]:
    """The changes, with lines for as many of them as are shown in all."""
    left = MAX_SHOWN_CHARS
    for change in changes:
        length = len(change.diff or "")
        yield change if length <= left else replace(change, diff=None, is_cut=True)
        left -= min(length, left)


def _files(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _change(path: str, before: Path, after: Path) -> FileChange | None:
    if before.exists() and after.exists() and _is_same(before, after):
        was, became = (bool(file.stat().st_mode & 0o100) for file in (before, after))
        return None if was == became else FileChange(path=path, kind="mode")
    return describe_change(path, _content(before), _content(after))


def _content(file: Path) -> bytes | None:
    if not file.exists():
        return None
    return file.read_bytes() if file.stat().st_size <= MAX_TEXT_BYTES else _NO_TEXT


def _is_same(left: Path, right: Path) -> bool:
    if left.stat().st_size != right.stat().st_size:
        return False
    with left.open("rb") as mine, right.open("rb") as other:
        while chunk := mine.read(_CHUNK_BYTES):
            if chunk != other.read(_CHUNK_BYTES):
                return False
    return True
