"""What backups need: the database's contents, and files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fastflow.kernel.backups.domain.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was taken out of a database."""

    kind: str
    revision: str
    tables: Mapping[str, int]


class DatabaseCopy(Protocol):
    """The product's database, as a whole."""

    def export(self, folder: Path) -> Exported:
        """Write one consistent state of it into a folder, while others read and write.

        Raises:
            SchemaOld: it is not at this release's schema.
            Unavailable: it does not answer.
        """
        ...

    def check(self, folder: Path, manifest: Manifest) -> None:
        """Whether what is in the folder can be read and has the rows that the manifest tells.

        Raises:
            BackupDamaged: it is not so.
            BackupTooNew: its schema is not known.
        """
        ...

    def is_empty(self) -> bool:
        """Whether nothing would be lost."""
        ...

    def load(self, folder: Path, manifest: Manifest) -> None:
        """Replace what is there by what is in the folder, all or nothing, and bring it to this release's schema."""
        ...


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the server's files are."""

    data_dir: Path
    logs_dir: Path

    def of(self, part: str) -> Path:
        """Where a part's files are."""
        return {
            "code": self.data_dir / "code",
            "logs": self.logs_dir,
            "artifacts": self.data_dir / "artifacts",
            "key": self.data_dir / "encryption.key",
        }[part]


class BackupFiles(Protocol):
    """Files in and out of backups."""

    def take_in(self, source: Path, target: Path) -> None:
        """Copy a file or a folder as it is now; what vanishes meanwhile is left out, links are not followed."""
        ...

    def put_back(self, source: Path, target: Path) -> None:
        """Copy a file or a folder to where it belongs, beside what is there."""
        ...

    def describe(self, folder: Path) -> Mapping[str, tuple[int, str]]:
        """Size and SHA-256 of every file, by path in the folder."""
        ...

    def pack(self, folder: Path, archive: Path) -> None:
        """One tar file of the folder, appearing whole or not at all."""
        ...

    def unpack(self, archive: Path, folder: Path) -> None:
        """The contents of a tar file.

        Raises:
            BackupDamaged: it is none, or holds something a backup never holds.
        """
        ...
