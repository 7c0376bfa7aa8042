"""Files in and out of backups; see `ports.BackupFiles`."""

import hashlib
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from fastflow.kernel.backups.domain.errors import BackupDamaged

_CHUNK = 1 << 20


class DiskFiles:
    """See `ports.BackupFiles`."""

    def take_in(self, source: Path, target: Path) -> None:
        """See `BackupFiles.take_in`."""
        if source.is_file():
            _copy_file(source, target)
            return
        target.mkdir(exist_ok=True)
        for path in _walk(source):
            relative = path.relative_to(source)
            with suppress(FileNotFoundError):  # retention may remove what it no longer keeps
                (target / relative).parent.mkdir(parents=True, exist_ok=True)
                _copy_file(path, target / relative)

    def put_back(self, source: Path, target: Path) -> None:
        """See `BackupFiles.put_back`."""
        if source.is_file():
            fresh = target.with_name(f"{target.name}.restored")
            _copy_file(source, fresh)
            fresh.replace(target)
            return
        target.mkdir(parents=True, exist_ok=True)
        for path in _walk(source):
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            _copy_file(path, place)

    def describe(self, folder: Path) -> Mapping[str, tuple[int, str]]:
        """See `BackupFiles.describe`."""
        found: dict[str, tuple[int, str]] = {}
        for path in _walk(folder):
            digest, size = hashlib.sha256(), 0
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
            found[path.relative_to(folder).as_posix()] = (size, digest.hexdigest())
        return found

    def pack(self, folder: Path, archive: Path) -> None:
        """See `BackupFiles.pack`."""
        fresh = archive.with_name(f".{archive.name}.new")
        mode = "w:gz" if archive.suffix in (".gz", ".tgz") else "w"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]  # the mode is computed
                    for path in sorted(_walk(folder)):
                        tar.add(path, path.relative_to(folder).as_posix(), recursive=False)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(archive)
        finally:
            fresh.unlink(missing_ok=True)

    def unpack(self, archive: Path, folder: Path) -> None:
        """See `BackupFiles.unpack`."""
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise BackupDamaged(f"{archive.name} cannot be unpacked: {error}.") from error


def _walk(folder: Path) -> Iterator[Path]:
    """Every regular file below a folder; links and devices, which a run may have left, are none."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            with suppress(FileNotFoundError):
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path


def _copy_file(source: Path, target: Path) -> None:
    """The bytes that are there now, with mode and times; a file that grows is taken up to its present end."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file, target.open("xb") as copy:
        left = os.fstat(file.fileno()).st_size
        while left and (chunk := file.read(min(_CHUNK, left))):
            copy.write(chunk)
            left -= len(chunk)
    shutil.copystat(source, target)
