"""Inputs of runs in `DATA_DIR/inputs/<hash>/`: what a room of the product hands to a run, kept once for equal content.

Large files are never copied where the file system can share them: a room may lay a hard link of a file that never changes any
more, and a file that is here already under another hash becomes a link to it (`.files/<sha256>`).
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from fastflow.kernel.hashed_folders import AskNeeded, HashedFolders, sync_folder
from fastflow.kernel.runs.domain.errors import InputsRefused

_BEGINNING = b"fastflow-inputs-1\n"
_FILES = ".files"


class DiskInputs(HashedFolders):
    """See `ports.InputStore`.

    Args:
        root: where they are; made if missing.
    """

    def keep(self, fill: Callable[[Path], None]) -> str:
        """See the port."""
        self.open()
        (self.root / _FILES).mkdir(exist_ok=True, mode=0o700)
        try:
            with self.unfinished() as folder:
                folder.chmod(0o755)
                fill(folder)
                name = self._seal(folder)
                self.publish(folder, name)
        except OSError as error:
            raise InputsRefused(f"The inputs of the run could not be written to {self.root}: {error}.") from error
        return name

    def remove_unused(self, needed: AskNeeded, unused_seconds: float) -> list[str]:
        """See `HashedFolders.remove_unused`; files that no inputs have any more go as well."""
        if not self.root.exists():
            return []
        removed = [*super().remove_unused(needed, unused_seconds)]
        for file in (self.root / _FILES).iterdir():
            if file.stat().st_nlink == 1:
                file.unlink()
        return removed

    def _seal(self, folder: Path) -> str:
        whole = hashlib.sha256(_BEGINNING)
        for path in _entries(folder):
            if path.is_dir():
                path.chmod(0o755)
                continue
            digest = self._seal_file(path)
            whole.update(f"{digest} ".encode() + os.fsencode(path.relative_to(folder)) + b"\0")
        for path in [folder, *(each for each in _entries(folder) if each.is_dir())]:
            sync_folder(path)
        return whole.hexdigest()

    def _seal_file(self, path: Path) -> str:
        """Make the file readable for every run, and one with the other files of its content."""
        about = path.stat()
        if not about.st_mode & 0o004 or about.st_uid != os.geteuid():
            _make_own(path, about.st_nlink)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        known = self.root / _FILES / digest
        try:
            os.link(path, known)
        except FileExistsError:
            path.unlink()
            os.link(known, path)
        return digest


def _entries(folder: Path) -> Iterator[Path]:
    """Everything below the folder, sorted.

    Raises:
        InputsRefused: something is neither a folder nor a plain file.
    """
    for path in sorted(folder.rglob("*")):
        kind = path.lstat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            raise InputsRefused(f"{path.relative_to(folder)} is no plain file: inputs hold files and folders alone.")
        yield path


def _make_own(path: Path, links: int) -> None:
    """A file of ours that everybody may read; one that lies elsewhere as well stays there as it is."""
    if links > 1 or path.stat().st_uid != os.geteuid():
        copy = path.with_name(f"{path.name}.own")
        shutil.copyfile(path, copy)
        copy.replace(path)
    path.chmod(0o644)
