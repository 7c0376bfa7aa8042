"""Making, checking and restoring backups."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from fastflow.kernel.backups.domain.errors import BackupDamaged, ServerRuns, TargetExists, TargetNotEmpty
from fastflow.kernel.backups.domain.manifest import DATABASE, MANIFEST, FileEntry, Manifest, read_manifest
from fastflow.kernel.backups.ports import BackupFiles, DatabaseCopy, Places
from fastflow.kit.clock import Clock

logger = logging.getLogger(__name__)

_PACKED = (".tar", ".tar.gz", ".tgz")


class BackupService:
    """Backups of one server.

    Args:
        copy: the database.
        files: everything else.
        places: where that is.
        version: of this release.
        is_running: whether a server works on these places.
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        copy: DatabaseCopy,
        files: BackupFiles,
        places: Places,
        version: str,
        is_running: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._copy = copy
        self._files = files
        self._places = places
        self._version = version
        self._is_running = is_running
        self._clock = clock

    def create(self, target: Path, parts: Collection[str]) -> Manifest:
        """Write a backup while the server works.

        The database is taken first: every run in it has its code, and one that has ended its whole log and artifacts.

        Args:
            target: a folder to make, or a file that ends in .tar, .tar.gz or .tgz.
            parts: beside the database.

        Raises:
            TargetExists: there is something of that name.
            SchemaOld: the database is of an older release.
        """
        if target.exists() or target.is_symlink():
            raise TargetExists(f"{target} exists already.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with _work_folder(target.parent) as folder:
            (folder / DATABASE).mkdir()
            exported = self._copy.export(folder / DATABASE)
            host = self._places.data_dir / "host_id"
            if host.exists():
                self._files.take_in(host, folder / "host_id")
            for part in parts:
                source = self._places.of(part)
                if source.exists():
                    self._files.take_in(source, folder / part)
            found = self._files.describe(folder)
            manifest = Manifest(
                version=self._version,
                created_at=self._clock.now().isoformat(),
                kind=exported.kind,
                revision=exported.revision,
                tables=exported.tables,
                parts=tuple(sorted(parts)),
                files={path: FileEntry(size=size, sha256=digest) for path, (size, digest) in found.items()},
            )
            (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
            if target.name.endswith(_PACKED):
                self._files.pack(folder, target)
            else:
                folder.rename(target)
        return manifest

    def verify(self, source: Path) -> Manifest:
        """Check that a backup is whole and that its database can be read.

        Raises:
            BackupDamaged: it is not, with the first thing that is wrong.
            BackupTooNew: a newer release wrote it.
        """
        with self._opened(source) as folder:
            return self._verified(folder)

    def restore(self, source: Path, *, force: bool = False) -> Manifest:
        """Put a backup where the server's data belong. Everything is checked before anything is changed.

        Raises:
            ServerRuns: stop it first.
            BackupDamaged, BackupTooNew: as `verify`.
            TargetNotEmpty: there is something already, and it is not forced.
        """
        if self._is_running():
            raise ServerRuns(f"A server works on {self._places.data_dir}.")
        with self._opened(source) as folder:
            manifest = self._verified(folder)
            if not force:
                self._require_empty(manifest)
            self._copy.load(folder / DATABASE, manifest)
            self._places.data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
            for part in ("host_id", *manifest.parts):
                if (folder / part).exists():
                    place = self._places.data_dir / part if part == "host_id" else self._places.of(part)
                    self._files.put_back(folder / part, place)
        return manifest

    def _require_empty(self, manifest: Manifest) -> None:
        if not self._copy.is_empty():
            raise TargetNotEmpty("The database holds runs, users or secrets.")
        for part in manifest.parts:
            place = self._places.of(part)
            if place.is_file() or (place.is_dir() and any(place.iterdir())):
                raise TargetNotEmpty(f"{place} is not empty.")

    def _verified(self, folder: Path) -> Manifest:
        path = folder / MANIFEST
        if not path.is_file():
            raise BackupDamaged("There is no manifest: this is no backup, or it was never finished.")
        manifest = read_manifest(path.read_text(encoding="utf-8", errors="replace"))
        found = dict(self._files.describe(folder))
        found.pop(MANIFEST, None)
        for name, entry in manifest.files.items():
            if name not in found:
                raise BackupDamaged(f"{name} is missing.")
            if found.pop(name) != (entry.size, entry.sha256):
                raise BackupDamaged(f"{name} is not what was written.")
        if found:
            raise BackupDamaged(f"{min(found)} was put in later.")
        self._copy.check(folder / DATABASE, manifest)
        return manifest

    @contextmanager
    def _opened(self, source: Path) -> Iterator[Path]:
        if source.is_dir():
            yield source
            return
        if not source.is_file():
            raise BackupDamaged(f"There is no backup at {source}.", hint="Give the folder or file that was written.")
        with _work_folder(source.absolute().parent) as folder:
            self._files.unpack(source, folder)
            yield folder


@contextmanager
def _work_folder(beside: Path) -> Iterator[Path]:
    """A folder for this process alone, gone afterwards unless it was moved."""
    folder = Path(tempfile.mkdtemp(prefix=".fastflow-backup-", dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
