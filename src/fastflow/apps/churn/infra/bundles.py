"""Bundles on the disk: OUTBOX_ROOT/DOMAIN/experiment_N/, written beside and put in their place when they are whole.

    churn/experiment_3/manifest.json
    churn/experiment_3/tables/experiment_kpis.json      the records of a table
    churn/experiment_3/tables/backtest_results.parquet  a segment of a large one; -2, -3 … further ones

A folder that is replaced steps aside as `.experiment_N.former` first; a crash then leaves it there, and it comes back when the
bundle is next looked at.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastflow.apps.churn.domain.bundle import (
    DOMAINS,
    MANIFEST,
    BundleError,
    BundleFile,
    Manifest,
    is_of,
    read_manifest,
    write_manifest,
)
from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.experiment_rows import KEY, segments_of
from fastflow.apps.churn.errors import BundleDamaged, BundleNotFound, OutboxUnwritable
from fastflow.apps.churn.infra.disk import Disk
from fastflow.apps.churn.ports import FindSegment, Parcel
from fastflow.kernel.api import hold_new_folder, try_hold_folder
from fastflow.kit.ids import new_id

_PIECE = 2**20


class DiskBundles:
    """See `Bundles`.

    Args:
        root: OUTBOX_ROOT.
        disk: tests crash it.
    """

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.root = root
        self._disk = disk or Disk()

    # -- writing ----------------------------------------------------------------------------------------------------------

    def write(self, parcel: Parcel, document: Document, segment: FindSegment) -> Manifest:
        """See `Bundles.write`."""
        target = self._folder(parcel.domain, int(parcel.experiment[KEY]))
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._tidy(target.parent)
            with hold_new_folder(target.parent, f".making-{new_id()}") as (folder, _descriptor):
                try:
                    manifest = self._fill(folder, parcel, document, segment)
                    self._swap(folder, target)
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise OutboxUnwritable(f"{target} cannot be written: {error.strerror or error}.") from error
        return manifest

    def _fill(self, folder: Path, parcel: Parcel, document: Document, segment: FindSegment) -> Manifest:
        (folder / "tables").mkdir()
        files: list[BundleFile] = []
        number = int(parcel.experiment[KEY])
        for name in parcel.tables:
            table = document.tables[name]
            if table.segments is None:
                rows = [row for row in table.records or () if row.get(KEY) == number]
                records = [dict(row) for row in rows if is_of(parcel.domain, name, row)]
                content = json.dumps(records, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"
                path = f"tables/{name}.json"
                self._disk.write(folder / path, content)
                sha256 = hashlib.sha256(content).hexdigest()
                files.append(BundleFile(path=path, table=name, sha256=sha256, size=len(content), rows=len(records)))
                continue
            for position, one in enumerate(segments_of(document, name, number), start=1):
                path = f"tables/{name}{f'-{position}' if position > 1 else ''}.parquet"
                _copy(segment(one.sha256), folder / path)
                files.append(BundleFile(path=path, table=name, sha256=one.sha256, size=one.size, rows=one.rows))
        manifest = Manifest(
            domain=parcel.domain,
            experiment=parcel.experiment,
            exported_at=parcel.at,
            tables={name: document.tables[name] for name in parcel.tables},
            files=files,
        )
        self._disk.write(folder / MANIFEST, write_manifest(manifest))
        return manifest

    def _swap(self, folder: Path, target: Path) -> None:
        former = _former(target)
        shutil.rmtree(former, ignore_errors=True)
        if target.exists():
            self._disk.replace(target, former)
        self._disk.replace(folder, target)
        shutil.rmtree(former, ignore_errors=True)

    @staticmethod
    def _tidy(parent: Path) -> None:
        """Remove what a crash left of bundles in the making."""
        for folder in parent.glob(".making-*"):
            with try_hold_folder(folder) as nobodys:
                if nobodys:
                    shutil.rmtree(folder, ignore_errors=True)

    # -- reading ----------------------------------------------------------------------------------------------------------

    def list(self) -> Sequence[Manifest | BundleError]:
        """See `Bundles.list`."""
        return list(self._each())

    def _each(self) -> Iterator[Manifest | BundleError]:
        for domain in DOMAINS:
            folders = (self.root / domain).glob("experiment_*")
            for folder in sorted(folders, key=lambda one: (len(one.name), one.name)):
                try:
                    yield read_manifest((folder / MANIFEST).read_bytes())
                except BundleError as error:
                    yield BundleError(f"{domain}/{folder.name}/{error}")
                except OSError as error:
                    yield BundleError(f"{domain}/{folder.name}/{MANIFEST}: {error.strerror}")

    def read(self, domain: str, experiment_id: int) -> Manifest:
        """See `Bundles.read`."""
        folder = self._folder(domain, experiment_id)
        former = _former(folder)
        if former.exists() and not folder.exists():
            self._disk.replace(former, folder)
        try:
            manifest = read_manifest((folder / MANIFEST).read_bytes())
        except FileNotFoundError as error:
            if folder.exists():
                raise BundleDamaged(f"{MANIFEST} of the bundle {domain}/{folder.name} is missing.") from error
            raise BundleNotFound(f"There is no bundle {domain}/{folder.name} in {self.root}.") from error
        except BundleError as error:
            raise BundleDamaged(f"The bundle {domain}/{folder.name} is damaged: {error}.") from error
        except OSError as error:
            raise BundleDamaged(f"{folder / MANIFEST} cannot be read: {error.strerror}.") from error
        if manifest.domain != domain or manifest.experiment_id != experiment_id:
            raise BundleDamaged(f"{folder} holds the bundle {manifest.domain}/experiment_{manifest.experiment_id}.")
        return manifest

    @contextmanager
    def opened(self, manifest: Manifest, staging: Path) -> Iterator[Mapping[str, Sequence[Mapping[str, Any]]]]:
        """See `Bundles.opened`."""
        folder = self._folder(manifest.domain, manifest.experiment_id)
        records = {}
        for file in manifest.files:
            if file.path.endswith(".json"):
                content = self._checked(folder, file, None)
                records[file.table] = _records(content, file, manifest.experiment_id)
            else:
                self._checked(folder, file, staging / f"{file.sha256}.parquet")
        yield records

    @staticmethod
    def _checked(folder: Path, file: BundleFile, copy: Path | None) -> bytes:
        """The file's content, or a copy of it, once its hash is the manifest's."""
        digest, pieces = hashlib.sha256(), []
        where = f"The file {file.path} of the bundle {folder.parent.name}/{folder.name}"
        try:
            with (folder / file.path).open("rb") as source, (copy or Path(os.devnull)).open("wb") as target:
                while piece := source.read(_PIECE):
                    digest.update(piece)
                    target.write(piece)
                    pieces += [piece] if copy is None else []
                target.flush()
                if copy is not None:
                    os.fsync(target.fileno())
        except FileNotFoundError as error:
            raise BundleDamaged(f"{where} is missing.", fields={file.path: "is missing"}) from error
        if digest.hexdigest() != file.sha256:
            raise BundleDamaged(f"{where} was changed.", fields={file.path: "has another checksum than the manifest"})
        return b"".join(pieces)

    def _folder(self, domain: str, experiment_id: int) -> Path:
        return self.root / domain / f"experiment_{experiment_id}"


def _former(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.former")


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as opened, target.open("wb") as written:
        shutil.copyfileobj(opened, written, _PIECE)
        written.flush()
        os.fsync(written.fileno())


def _records(content: bytes, file: BundleFile, experiment_id: int) -> Sequence[Mapping[str, Any]]:
    found = json.loads(content)
    if not isinstance(found, list) or len(found) != file.rows:
        raise BundleDamaged(f"{file.path} does not hold the {file.rows} rows that the manifest names.")
    if any(not isinstance(row, dict) or row.get(KEY) != experiment_id for row in found):
        raise BundleDamaged(f"{file.path} holds rows of another experiment than {experiment_id}.")
    return found
