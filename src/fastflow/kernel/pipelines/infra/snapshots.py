"""Copies of pipelines' code in `DATA_DIR/code/<tree hash>/`: written aside, then renamed, never changed again."""

import hashlib
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from uuid import uuid4

from fastflow.kernel.locks import hold_new_folder, try_hold_folder
from fastflow.kernel.pipelines.domain.errors import SnapshotFailed
from fastflow.kernel.pipelines.domain.source import UnreadableFile
from fastflow.kernel.pipelines.infra.tree import Tree, TreeFile
from fastflow.kernel.pipelines.ports import AskNeeded, PipelineTree

_UNFINISHED = ".unfinished-"
_USE_NOTED_SECONDS = 3600.0
_BEGINNING = b"fastflow-tree-1\n"


class DiskSnapshots:
    """See `ports.Snapshots`.

    Args:
        code_dir: where the copies are; made if missing.
    """

    def __init__(self, code_dir: Path) -> None:
        self.code_dir = code_dir

    def open(self) -> None:
        """Make the folder, readable for every run whatever the umask."""
        self.code_dir.mkdir(parents=True, exist_ok=True)
        self.code_dir.chmod(0o755)

    def save(self, tree: PipelineTree) -> str:
        """See the port."""
        assert isinstance(tree, Tree)
        try:
            with self._unfinished() as folder:
                tree_hash = _copy(tree.files, folder)
                self._publish(folder, tree_hash)
        except (OSError, shutil.Error) as error:
            raise SnapshotFailed(f"The pipeline's code could not be copied to {self.code_dir}: {error}.") from error
        return tree_hash

    def restore(self, tree_hash: str, fill: Callable[[Path], None]) -> None:
        """Publish the copy that `fill` writes into an empty folder, if it has that hash.

        Raises:
            SnapshotFailed: it has another one, is damaged, or cannot be written.
        """
        try:
            with self._unfinished() as given, self._unfinished() as folder:
                fill(given)
                if _copy(_files_below(given), folder) != tree_hash:
                    raise SnapshotFailed(f"The stored code {tree_hash[:12]} is not what its hash says.")
                self._publish(folder, tree_hash)
        except (OSError, shutil.Error, tarfile.TarError) as error:
            raise SnapshotFailed(f"The stored code could not be unpacked to {self.code_dir}: {error}.") from error

    def identify(self, tree: PipelineTree) -> str:
        """See the port."""
        assert isinstance(tree, Tree)
        tree_hash = hashlib.sha256(_BEGINNING)
        for file in tree.files:
            tree_hash.update(_entry(file, _digest(file)))
        return tree_hash.hexdigest()

    def digests(self, tree: PipelineTree) -> Mapping[str, str]:
        """See the port."""
        assert isinstance(tree, Tree)
        return {file.path: f"{'x' if file.is_executable else '-'} {_digest(file)}" for file in tree.files}

    def find(self, tree_hash: str) -> Path | None:
        """See the port. Costs one system call; the folder's time notes the use, once an hour."""
        folder = f"{self.code_dir}/{tree_hash}"
        try:
            used = os.stat(folder).st_mtime  # noqa: PTH116 - the hot path of every submit
            if abs(time.time() - used) > _USE_NOTED_SECONDS:
                os.utime(folder)  # from now on `remove_unused` leaves it alone, or it is gone already
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Path(folder)

    def sweep(self) -> None:
        """See the port."""
        for entry in self.code_dir.glob(f"{_UNFINISHED}*"):
            with try_hold_folder(entry) as free:
                if free:
                    shutil.rmtree(entry)

    def remove_unused(self, needed: AskNeeded, unused_seconds: float) -> Sequence[str]:
        """See the port."""
        limit = time.time() - max(unused_seconds, _USE_NOTED_SECONDS * 2)
        copies = [entry for entry in self.code_dir.iterdir() if not entry.name.startswith(".")]
        unused = sorted(entry.name for entry in copies if entry.stat().st_mtime < limit)
        kept = needed(unused) if unused else ()
        return [name for name in unused if name not in kept and self._remove(name, limit)]

    def _remove(self, tree_hash: str, limit: float) -> bool:
        """Remove a copy, unless somebody asked for it since it was found unused."""
        copy, aside = self.code_dir / tree_hash, self.code_dir / f"{_UNFINISHED}{uuid4().hex}"
        copy.rename(aside)
        with try_hold_folder(aside) as mine:
            if mine and aside.stat().st_mtime >= limit and not copy.exists():
                aside.rename(copy)
                return False
            if mine:  # else a sweep, which takes what nobody holds, is at it
                shutil.rmtree(aside)
        return True

    @contextmanager
    def _unfinished(self) -> Iterator[Path]:
        """A folder that is held while it is written, so that no sweep takes it, and is gone afterwards."""
        with hold_new_folder(self.code_dir, f"{_UNFINISHED}{uuid4().hex}") as (folder, _descriptor):
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=not folder.exists())

    def _publish(self, folder: Path, tree_hash: str) -> None:
        target = self.code_dir / tree_hash
        if target.exists():
            os.utime(target)
            return
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():  # else another writer was quicker, with the same content
                raise
        _sync(self.code_dir)


def _files_below(folder: Path) -> Sequence[TreeFile]:
    paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return [
        TreeFile(
            path=path,
            real=str(folder / path),
            is_executable=bool((folder / path).stat().st_mode & 0o111),
            size=0,
            changed_ns=0,
            signature=(),
        )
        for path in paths
    ]


def _copy(files: Sequence[TreeFile], folder: Path) -> str:
    """Copy the files; answers the hash over their paths, modes and contents, as copied."""
    tree = hashlib.sha256(_BEGINNING)
    folder.chmod(0o755)
    made = {folder}
    for file in files:
        target = folder / file.path
        _make_folders(target.parent, made)
        tree.update(_entry(file, _copy_file(file, target)))
    for path in made:
        _sync(path)
    return tree.hexdigest()


def _copy_file(file: TreeFile, target: Path) -> str:
    digest = hashlib.sha256()
    with _opened(file) as source, target.open("wb") as copy:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fchmod(copy.fileno(), 0o755 if file.is_executable else 0o644)
        os.fsync(copy.fileno())  # a copy that is visible under its hash must survive a power cut whole
    return digest.hexdigest()


def _digest(file: TreeFile) -> str:
    with _opened(file) as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _opened(file: TreeFile) -> BufferedReader:
    """The file, to be closed by who asked; its errors are told apart from those of what is written."""
    try:
        return Path(file.real).open("rb")
    except OSError as error:
        raise UnreadableFile(f"{file.path}: {error.strerror}") from error


def _entry(file: TreeFile, digest: str) -> bytes:
    """What the hash of a tree is made of."""
    return f"{'x' if file.is_executable else '-'} {digest} ".encode() + os.fsencode(file.path) + b"\0"


def _make_folders(folder: Path, made: set[Path]) -> None:
    if folder in made:
        return
    _make_folders(folder.parent, made)
    folder.mkdir()
    folder.chmod(0o755)
    made.add(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
