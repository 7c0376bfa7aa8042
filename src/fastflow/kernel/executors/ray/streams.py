"""Files that arrive piece by piece: each piece is taken where the file ends and nowhere else."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.executors.ray.errors import ArtifactRefused, ArtifactsTooLarge, WrongOffset

MAX_ARTIFACTS = 10_000
MAX_DEPTH = 32
MAX_PATH_BYTES = 1000
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of an artifact.

    Attributes:
        path: of the whole, relative, with forward slashes.
        offset: where this part belongs.
        total, sha256: of the whole.
        data: its bytes.
    """

    path: str
    offset: int
    total: int
    sha256: str
    data: bytes


def append(path: Path, offset: int, data: bytes, *, base: int = 0, stream: str = "log", mode: int = 0o640) -> int:
    """Append bytes that belong at `offset`, counted from `base`; the new size from there. Repeating one is harmless.

    Raises:
        WrongOffset: they do not belong at the end; names the offset that does.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # a repeated request may overtake the first one
        size = os.fstat(descriptor).st_size - base
        if offset != size:
            if offset + len(data) == size:
                return size
            raise wrong_offset(stream, size)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        return size + len(data)
    finally:
        os.close(descriptor)


@contextmanager
def standing(path: Path) -> Iterator[None]:
    """Inside, the file is there, and nobody who uses this module changes it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def size_of(path: Path, base: int = 0) -> int:
    """The size from `base` on; of a file that is not there yet 0."""
    try:
        return path.stat().st_size - base
    except FileNotFoundError:
        return 0


def wrong_offset(stream: str, right: int) -> WrongOffset:
    """The refusal that says which offset is wanted."""
    return WrongOffset(f"The {stream} goes on at byte {right}.", extra={"offset": right, "stream": stream})


class ArtifactShelf:
    """The artifacts of one attempt as they arrive. What is on it, whole or not, is counted once; nobody else puts there.

    Args:
        incoming: where parts wait until they are whole.
        target: the run's artifact folder.
        max_bytes: of all together.
    """

    def __init__(self, incoming: Path, target: Path, max_bytes: int) -> None:
        self._incoming = incoming
        self._target = target
        self._max_bytes = max_bytes
        self._files = self._bytes = -1

    def put(self, piece: Piece) -> int:
        """Take a part; how much of the artifact is here. With the last one it is checked and laid in its place.

        Raises:
            ArtifactRefused: its path or checksum is wrong.
            ArtifactsTooLarge: it does not fit any more.
            WrongOffset: the part does not belong at the end of what is here.
        """
        parts = check_path(piece.path)
        self._target.mkdir(parents=True, exist_ok=True, mode=0o755)
        with self._locked():
            if self._files < 0:
                self._count()
            if self._is_kept(parts, piece):
                return piece.total
            if piece.offset + len(piece.data) > piece.total:
                raise ArtifactRefused(f"The artifact {piece.path!r} is longer than its {piece.total} bytes.")
            waiting = self._incoming / hashlib.sha256(piece.path.encode()).hexdigest()
            size = self._append(waiting, piece)
            if size < piece.total:
                return size
            if _digest(waiting) != piece.sha256:
                self._drop(waiting)
                raise ArtifactRefused(f"The artifact {piece.path!r} arrived damaged: its checksum differs.")
            place = self._target.joinpath(*parts)
            try:
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
                waiting.rename(place)
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                self._drop(waiting)
                raise ArtifactRefused(f"The artifact {piece.path!r} is a file where another has a folder.") from error
            return size

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._incoming, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _count(self) -> None:
        roots = (self._target, self._incoming)
        sizes = [
            Path(root, name).stat().st_size for each in roots for root, _, names in os.walk(each) for name in names
        ]
        self._files, self._bytes = len(sizes), sum(sizes)

    def _is_kept(self, parts: list[str], piece: Piece) -> bool:
        """Whether it is in its place already: the answer to its last part got lost."""
        place = self._target.joinpath(*parts)
        return place.is_file() and place.stat().st_size == piece.total and _digest(place) == piece.sha256

    def _append(self, waiting: Path, piece: Piece) -> int:
        """Room is asked for by what a part brings, and at the first one for the whole."""
        begun = waiting.exists()
        before = size_of(waiting)
        more = len(piece.data) if begun else piece.total
        if self._bytes + more > self._max_bytes or self._files + (not begun) > MAX_ARTIFACTS:
            if begun:
                self._drop(waiting)
            raise ArtifactsTooLarge(
                f"With {piece.path!r} the run's artifacts exceed {self._max_bytes} bytes or {MAX_ARTIFACTS} files."
            )
        try:
            return append(waiting, piece.offset, piece.data, stream="artifact", mode=0o644)
        finally:  # a full disk may have taken a part of it
            self._files += not begun
            self._bytes += size_of(waiting) - before

    def _drop(self, waiting: Path) -> None:
        self._files -= 1
        self._bytes -= size_of(waiting)
        waiting.unlink()


def check_path(path: str) -> list[str]:
    """The parts of an artifact's path.

    Raises:
        ArtifactRefused: it is no plain relative path below the artifact folder.

    >>> check_path("plots/roc.png")
    ['plots', 'roc.png']
    """
    parts = path.split("/")
    is_plain = all(part not in ("", ".", "..") for part in parts) and path.isprintable() and "\0" not in path
    if not is_plain or len(parts) > MAX_DEPTH + 1 or len(path.encode("utf-8", "replace")) > MAX_PATH_BYTES:
        raise ArtifactRefused(f"{path[:200]!a} is no plain path of an artifact.")
    if any(len(part.encode("utf-8", "replace")) > 255 for part in parts):
        raise ArtifactRefused(f"A part of {path[:200]!a} is too long for a file's name.")
    return parts


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
