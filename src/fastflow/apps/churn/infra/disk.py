"""The few operations on files by which the churn database is written, each of them one that a crash may follow.

Apart, so that tests can crash at every one of them, and at every byte of a write.
"""

import os
from pathlib import Path


class Disk:
    """The real one."""

    def write(self, path: Path, content: bytes) -> None:
        """A new file with this content, on the disk when this returns."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def keep(self, path: Path, snapshot: Path) -> None:
        """Give the file a second name, under which it stays when the first gets another one."""
        os.link(path, snapshot)

    def replace(self, source: Path, target: Path) -> None:
        """Put a file in the place of another one, at once; also a crash of the machine leaves one of the two."""
        source.replace(target)
        self.sync_folder(target.parent)

    def remove(self, path: Path) -> None:
        """Remove a file that may be gone already."""
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """The names in it, on the disk when this returns."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
