"""Copies of code in the database, so that a run submitted to one server can be carried out by another.

Only where several servers may share a database; a server that misses a copy unpacks it from here, and its hash proves
that it is the one.
"""

import io
import logging
import os
import tarfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.infra.snapshots import DiskSnapshots
from fastflow.kernel.pipelines.infra.tables import CodeArchiveRow
from fastflow.kernel.pipelines.ports import AskNeeded, PipelineTree
from fastflow.kit.clock import Clock

MAX_ARCHIVE_BYTES = 64 * 2**20
"""Packed; larger code stays on the server it was submitted to."""
_KEEP_EVERY = timedelta(hours=1)
_ARCHIVE = cast("Table", CodeArchiveRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
_log = logging.getLogger(__name__)


class SqlArchives:
    """The packed copies, by tree hash."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._kept: dict[str, datetime] = {}

    def keep(self, tree_hash: str, folder: Path) -> None:
        """Store the copy unless it is there; its age begins anew. Looks once an hour for each copy.

        Raises:
            Unavailable: the database is away.
        """
        now, kept = self._clock.now(), self._kept.get(tree_hash)
        if kept is not None and now - kept < _KEEP_EVERY:
            return
        with self._database.write() as connection:
            aged = update(_ARCHIVE).where(_ARCHIVE.c.tree_hash == tree_hash).values(stored_at=now)
            there = connection.execute(aged).rowcount
        if not there:
            self._store(tree_hash, pack(folder), now)
        self._kept[tree_hash] = now

    def was_kept(self, tree_hash: str) -> bool:
        """Whether this process has stored it before."""
        return tree_hash in self._kept

    def _store(self, tree_hash: str, archive: bytes, now: datetime) -> None:
        if len(archive) > MAX_ARCHIVE_BYTES:
            fields = {"tree_hash": tree_hash, "bytes": len(archive)}
            _log.warning("code.too_large_to_share", extra={"fields": fields})
            return
        try:
            with self._database.write() as connection:
                connection.execute(insert(_ARCHIVE), {"tree_hash": tree_hash, "archive": archive, "stored_at": now})
        except IntegrityError:
            _log.debug("code.stored_by_another", extra={"fields": {"tree_hash": tree_hash}})

    def has(self, tree_hash: str) -> bool:
        """Whether the packed copy is there."""
        with self._database.read() as connection:
            wanted = select(_ARCHIVE.c.tree_hash).where(_ARCHIVE.c.tree_hash == tree_hash)
            return connection.execute(wanted).first() is not None

    def load(self, tree_hash: str) -> bytes | None:
        """The packed copy, if it is there."""
        with self._database.read() as connection:
            found = connection.execute(select(_ARCHIVE.c.archive).where(_ARCHIVE.c.tree_hash == tree_hash)).scalar()
        return None if found is None else bytes(found)

    def remove_unused(self, needed: AskNeeded, unused_seconds: float) -> None:
        """Remove those that nobody stored or asked to keep for so long and that are not `needed`."""
        before = self._clock.now() - max(timedelta(seconds=unused_seconds), _KEEP_EVERY * 2)
        with self._database.read() as connection:
            old = list(connection.scalars(select(_ARCHIVE.c.tree_hash).where(_ARCHIVE.c.stored_at < before)))
        gone = sorted(set(old) - set(needed(old))) if old else []
        if gone:
            unused = _ARCHIVE.c.tree_hash.in_(gone) & (_ARCHIVE.c.stored_at < before)
            with self._database.write() as connection:
                connection.execute(delete(_ARCHIVE).where(unused))


class SharedSnapshots:
    """See `ports.Snapshots`: the copies on this server's disk, backed by those in the database."""

    def __init__(self, disk: DiskSnapshots, archives: SqlArchives) -> None:
        self._disk = disk
        self._archives = archives

    def save(self, tree: PipelineTree) -> str:
        """See the port."""
        tree_hash = self._disk.save(tree)
        folder = self._disk.find(tree_hash)
        if folder is not None:
            self._archives.keep(tree_hash, folder)
        return tree_hash

    def find(self, tree_hash: str) -> Path | None:
        """See the port; a copy that another server stored is unpacked first.

        Raises:
            SnapshotFailed: it is damaged or cannot be written.
        """
        folder = self._disk.find(tree_hash)
        if folder is not None:
            if self._archives.was_kept(tree_hash):
                self._archives.keep(tree_hash, folder)
            return folder
        archive = self._archives.load(tree_hash)
        if archive is None:
            return None
        self._disk.restore(tree_hash, lambda target: unpack(archive, target))
        return self._disk.find(tree_hash)

    def identify(self, tree: PipelineTree) -> str:
        """See the port."""
        return self._disk.identify(tree)

    def digests(self, tree: PipelineTree) -> Mapping[str, str]:
        """See the port."""
        return self._disk.digests(tree)

    def is_shared(self, tree_hash: str) -> bool:
        """Whether the other servers can get the copy."""
        return self._archives.has(tree_hash)

    def sweep(self) -> None:
        """See the port."""
        self._disk.sweep()

    def remove_unused(self, needed: AskNeeded, unused_seconds: float) -> Sequence[str]:
        """See the port."""
        removed = self._disk.remove_unused(needed, unused_seconds)
        self._archives.remove_unused(needed, unused_seconds)
        return removed


def pack(folder: Path) -> bytes:
    """The folder's regular files as a gzipped tar, the same bytes for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=6) as archive:
        for path in sorted(_files(folder)):
            real = folder / path
            entry = tarfile.TarInfo(path)
            entry.size = real.stat().st_size
            entry.mode = 0o755 if os.access(real, os.X_OK) else 0o644
            with real.open("rb") as content:
                archive.addfile(entry, content)
    return buffer.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Write the files into the (empty) folder; what is no plain file below it is an error.

    Raises:
        tarfile.TarError: the archive is damaged, or holds more than plain files.
        OSError: the files cannot be written.
    """
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        for entry in packed:
            if not entry.isreg():
                raise tarfile.ReadError(f"{entry.name!r} is no plain file")
            packed.extract(entry, folder, filter="data")


def _files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
