"""A small disk of a test's own, to be filled."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SPARE = "spare"


class SmallDisk:
    """A mounted file system of a few megabytes.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, megabytes: int) -> None:
        """Take so much room, which `give_back` frees."""
        (self.folder / _SPARE).write_bytes(b"0" * (megabytes << 20))

    def fill(self, *, leaving: int) -> None:
        """Take all room but so many bytes, which `give_back` frees."""
        with (self.folder / _SPARE).open("ab", 0) as file:
            with suppress(OSError):  # full
                while True:
                    file.write(b"0" * 65536)
            file.truncate(file.tell() - leaving)

    def give_back(self) -> None:
        """Free what was kept."""
        (self.folder / _SPARE).unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a file system in memory at the folder, for as long as the block lasts; needs root, as other tests do."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)],
        check=True,
        capture_output=True,
    )
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
