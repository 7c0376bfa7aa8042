"""What a backup says of itself."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastflow.kernel.backups.domain.errors import BackupDamaged

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database"
PARTS = ("code", "logs", "artifacts", "key")
"""What may be in a backup beside the database."""


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """A file of the backup."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The contents of a backup.

    Attributes:
        kind: of the database it was made of: sqlite or postgresql.
        revision: of its schema.
        tables: rows by table.
        parts: what else is in it.
        files: by path in the backup.
    """

    version: str
    created_at: str
    kind: str
    revision: str
    tables: Mapping[str, int]
    parts: tuple[str, ...]
    files: Mapping[str, FileEntry]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())

    def to_json(self) -> str:
        """As it is written."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True)


def read_manifest(text: str) -> Manifest:
    """The manifest in a text.

    Raises:
        BackupDamaged: it is none, or of another format.
    """
    try:
        told: dict[str, Any] = json.loads(text)
        if told.pop("format") != FORMAT:
            raise BackupDamaged("The backup is of a format that this release does not know.")
        files = {str(path): FileEntry(**entry) for path, entry in told.pop("files").items()}
        return Manifest(**{**told, "parts": tuple(told["parts"]), "files": files})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupDamaged("The backup's manifest cannot be read.") from error
