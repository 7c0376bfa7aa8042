"""The churn database in files: a JSON document, its snapshots, and segments of large tables.

    churn_database.json            the present state
    churn_database.lock            see `lock.py`
    churn_database_snapshots/      earlier states: the same inodes under names of their revisions
    churn_database_segments/       Parquet files, each named by the hash of its bytes; `incoming/` those in the making

A save writes the next state aside, reads it again, and puts it in the place of the present one at once. A segment is there
before a document names it and goes only when neither the document nor a snapshot does.
"""

import hashlib
import json
import shutil
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fastflow.apps.churn.domain.document import (
    Document,
    DocumentError,
    NewerDocument,
    document_of,
    read_document,
    write_document,
)
from fastflow.apps.churn.domain.tables import declared_tables
from fastflow.apps.churn.errors import (
    DatabaseDamaged,
    DatabaseNewer,
    DatabaseUnwritable,
    ExportRefused,
    SnapshotNotFound,
)
from fastflow.apps.churn.infra.disk import Disk
from fastflow.apps.churn.infra.lock import DatabaseLock
from fastflow.apps.churn.ports import Audited, Edit, Note, Snapshot, StoreState
from fastflow.kernel.api import hold_new_folder, try_hold_folder
from fastflow.kit.clock import Clock
from fastflow.kit.ids import new_id

KEPT_SNAPSHOTS = 20
EXPORT_FORMAT = "fastflow-churn-export"
_PIECE = 3 * 2**18
"""Bytes of a segment that are encoded at once; a multiple of three, so that the pieces join."""


class JsonStore:
    """The database; see `ChurnStore`.

    Args:
        path: of the document.
        lock: excludes other writers.
        audited: writes changes into the audit log.
        clock: tells the time.
        disk: tests crash it.
        kept: snapshots that stay.
    """

    def __init__(
        self,
        path: Path,
        *,
        lock: DatabaseLock,
        audited: Audited,
        clock: Clock,
        disk: Disk | None = None,
        kept: int = KEPT_SNAPSHOTS,
    ) -> None:
        self.path = path
        self._segments = path.with_name(f"{path.stem}_segments")
        self._snapshots = path.with_name(f"{path.stem}_snapshots")
        self._next = path.with_name(f"{path.name}.next")
        self._lock = lock
        self._audited = audited
        self._clock = clock
        self._disk = disk or Disk()
        self._kept = kept
        self._known: tuple[tuple[int, int, int], Document] | None = None

    def read(self) -> Document:
        """See `ChurnStore.read`."""
        known = self._known
        try:
            status = self.path.stat()
            key = (status.st_ino, status.st_mtime_ns, status.st_size)
            if known is not None and known[0] == key:
                return known[1]
            content = self.path.read_bytes()
        except FileNotFoundError:
            return self._missing()
        except OSError as error:
            raise DatabaseDamaged(f"{self.path} cannot be read: {error.strerror}.") from error
        document = _checked(content, str(self.path))
        self._known = (key, document)
        return document

    def _missing(self) -> Document:
        """An empty database, where there never was one."""
        if self._snapshots.is_dir() and any(self._snapshots.glob("*.json")):
            raise DatabaseDamaged(f"{self.path} is gone, but its snapshots are there.")
        return Document(revision=0, last_updated="", counters={}, tables=declared_tables())

    # -- changing ---------------------------------------------------------------------------------------------------------

    def change(self, edit: Edit, staged: Sequence[Path] = ()) -> Document:
        """See `ChurnStore.change`."""
        with self._writing():
            present = self.read()
            document, note = edit(present)
            return self._save(document, present.revision, note, staged)

    def restore(self, revision: int, note: Note) -> Document:
        """See `ChurnStore.restore`."""
        with self._writing():
            path = self._snapshots / f"{revision:010d}.json"
            if not path.exists():
                raise SnapshotNotFound(
                    f"There is no snapshot of the revision {revision}.",
                    fields={"revision": "no snapshot of it is kept"},
                )
            earlier = _checked(path.read_bytes(), str(path))
            lacking = self._lacking(earlier)
            if lacking:
                raise DatabaseDamaged(f"The snapshot {revision} names the segment {lacking[0]}, which is not there.")
            counters, last = dict(earlier.counters), revision
            try:
                present = self.read()
                last = max(last, present.revision)
                counters = {key: max(present.counters.get(key, 0), value) for key, value in counters.items()}
                counters = {**present.counters, **counters}
            except DatabaseDamaged:
                self._put_aside()
            last = max([last, *(one.revision for one in self.snapshots())])
            return self._save(replace(earlier, counters=counters), last, note, ())

    def _put_aside(self) -> None:
        """Keep a document that cannot be read, for who wants to look at it."""
        if self.path.exists():
            stamp = self._clock.now().strftime("%Y%m%dT%H%M%SZ")
            self.path.replace(self.path.with_name(f"{self.path.name}.damaged-{stamp}"))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            for folder in (self.path.parent, self._segments, self._snapshots):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._lock.held():
                yield
        except OSError as error:
            raise DatabaseUnwritable(
                f"The churn database at {self.path} cannot be written: {error.strerror or error}."
            ) from error

    def _save(self, document: Document, present: int, note: Note, staged: Sequence[Path]) -> Document:
        """Save the document as the revision after `present`."""
        saved = replace(document, revision=present + 1, last_updated=_written(self._clock.now()))
        content = write_document(saved)
        wanted = saved.referenced()
        for file in staged:
            if file.stem in wanted and not self._segment_path(file.stem).exists():
                self._disk.replace(file, self._segment_path(file.stem))
        lacking = self._lacking(saved)
        if lacking:
            raise DatabaseDamaged(f"The segment {lacking[0]} is not there.")
        self._disk.write(self._next, content)
        if write_document(read_document(self._next.read_bytes())) != content:
            raise DatabaseDamaged(f"{self._next} does not read as what was written; {self.path} is untouched.")
        with self._audited(note):
            self._keep_present(present)
            self._disk.replace(self._next, self.path)
        self._tidy(saved)
        return saved

    def _keep_present(self, revision: int) -> None:
        """Make the present document a snapshot."""
        snapshot = self._snapshots / f"{revision:010d}.json"
        if not self.path.exists():
            return
        self._disk.remove(snapshot)  # a crash may have left one of a save that did not happen
        self._disk.keep(self.path, snapshot)

    def _tidy(self, document: Document) -> None:
        """Remove what nothing needs any more; whatever of it fails, the next save does."""
        for snapshot in sorted(self._snapshots.glob("*.json"), reverse=True)[self._kept :]:
            self._disk.remove(snapshot)
        for folder in (self._segments / "incoming").glob("*"):
            with try_hold_folder(folder) as nobodys:
                if nobodys:
                    shutil.rmtree(folder, ignore_errors=True)
        there = {path.stem for path in self._segments.glob("*.parquet")}
        loose = there - document.referenced()
        if loose:
            for snapshot in self._snapshots.glob("*.json"):
                try:
                    loose -= read_document(snapshot.read_bytes()).referenced()
                except DocumentError:
                    return  # nobody knows what it needs
            for sha256 in loose:
                self._disk.remove(self._segment_path(sha256))

    # -- segments ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """See `ChurnStore.staging`."""
        incoming = self._segments / "incoming"
        try:
            incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
            with hold_new_folder(incoming, new_id()) as (folder, _descriptor):
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise DatabaseUnwritable(f"{incoming} cannot be written: {error.strerror or error}.") from error

    def segment(self, sha256: str) -> Path:
        """See `ChurnStore.segment`."""
        path = self._segment_path(sha256)
        if not path.exists():
            raise DatabaseDamaged(f"The segment {path} is not there.")
        return path

    def _segment_path(self, sha256: str) -> Path:
        return self._segments / f"{sha256}.parquet"

    def _lacking(self, document: Document) -> Sequence[str]:
        return sorted(sha256 for sha256 in document.referenced() if not self._segment_path(sha256).exists())

    # -- looking ----------------------------------------------------------------------------------------------------------

    def snapshots(self) -> Sequence[Snapshot]:
        """See `ChurnStore.snapshots`."""
        return [self._snapshot(path) for path in sorted(self._snapshots.glob("*.json"), reverse=True)]

    def _snapshot(self, path: Path) -> Snapshot:
        status = path.stat()
        saved_at, problem = datetime.fromtimestamp(status.st_mtime, UTC), ""
        try:
            document = read_document(path.read_bytes())
            saved_at = datetime.fromisoformat(document.last_updated)
            lacking = self._lacking(document)
            problem = f"the segment {lacking[0]} is not there" if lacking else ""
        except (DocumentError, ValueError) as error:
            problem = str(error)
        return Snapshot(revision=int(path.stem), saved_at=saved_at, size=status.st_size, problem=problem)

    def describe(self) -> StoreState:
        """See `ChurnStore.describe`."""
        sizes = [path.stat().st_size for path in self._segments.glob("*.parquet")]
        revision, problem = None, ""
        try:
            document = self.read()
            revision, lacking = document.revision, self._lacking(document)
            problem = f"The segment {lacking[0]} is not there." if lacking else ""
        except (DatabaseDamaged, DatabaseNewer) as error:
            problem = error.message
        return StoreState(
            revision=revision,
            size=self.path.stat().st_size if self.path.exists() else 0,
            segment_count=len(sizes),
            segment_bytes=sum(sizes),
            problem=problem,
        )

    # -- one document ------------------------------------------------------------------------------------------------------

    def export(self) -> Iterator[bytes]:
        """See `ChurnStore.export`."""
        document = self.read()
        # opened first: a segment that goes meanwhile is still read to its end
        return self._pieces(
            document, {sha256: self.segment(sha256).open("rb") for sha256 in sorted(document.referenced())}
        )

    @staticmethod
    def _pieces(document: Document, files: Mapping[str, BinaryIO]) -> Iterator[bytes]:
        try:
            yield f'{{"format":"{EXPORT_FORMAT}","version":1,\n"document":'.encode()
            yield write_document(document)
            yield b',"segments":{'
            for position, (sha256, file) in enumerate(files.items()):
                yield f'{"," if position else ""}\n"{sha256}":"'.encode()
                while piece := file.read(_PIECE):
                    yield b64encode(piece)
                yield b'"'
            yield b"}}\n"
        finally:
            for file in files.values():
                file.close()

    def load_export(self, source: Path, note: Note) -> Document:
        """See `ChurnStore.load_export`."""
        document, segments = _read_export(source)
        with self.staging() as folder:
            staged = []
            for sha256, encoded in segments.items():
                path = folder / f"{sha256}.parquet"
                self._disk.write(path, _decoded(sha256, encoded))
                staged.append(path)
            with self._writing():
                try:
                    present = self.read()
                except DatabaseDamaged:
                    self._put_aside()
                    present = replace(document, counters={})
                last = max([present.revision, *(one.revision for one in self.snapshots())])
                counters = {**present.counters, **document.counters}
                counters = {key: max(value, present.counters.get(key, 0)) for key, value in counters.items()}
                return self._save(replace(document, counters=counters), last, note, staged)


def _checked(content: bytes, where: str) -> Document:
    try:
        return read_document(content)
    except NewerDocument as error:
        raise DatabaseNewer(f"{where}: {error}.") from error
    except DocumentError as error:
        raise DatabaseDamaged(f"{where} is no churn database: {error}.") from error


def _read_export(source: Path) -> tuple[Document, dict[str, str]]:
    """The document and its encoded segments: all that it names, and no other."""
    try:
        whole: Any = json.loads(source.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _refused(f"it is no JSON: {error}") from error
    if not isinstance(whole, dict) or whole.get("format") != EXPORT_FORMAT or whole.get("version") != 1:
        raise _refused(f"format: is not {EXPORT_FORMAT!r}, version 1")
    try:
        document = document_of(whole.get("document"))
    except DocumentError as error:
        raise _refused(f"document: {error}") from error
    segments = whole.get("segments")
    if not isinstance(segments, dict) or segments.keys() != document.referenced():
        raise _refused("segments: are not those that the document names")
    return document, segments


def _decoded(sha256: str, encoded: Any) -> bytes:
    try:
        pieces = [b64decode(piece, validate=True) for piece in _quarters(encoded)]
    except (NotBase64, TypeError, ValueError) as error:
        raise _refused(f"segments.{sha256}: is not base64") from error
    content = b"".join(pieces)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _refused(f"segments.{sha256}: the content has another hash")
    return content


def _quarters(encoded: str) -> Iterator[str]:
    size = _PIECE // 3 * 4
    return (encoded[start : start + size] for start in range(0, len(encoded), size))


def _refused(why: str) -> ExportRefused:
    return ExportRefused(f"This is no whole export of a churn database: {why}.", fields={"body": why})


def _written(now: datetime) -> str:
    return now.isoformat(timespec="microseconds")
