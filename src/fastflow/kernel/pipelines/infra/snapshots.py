"""Copies of pipelines' code in `DATA_DIR/code/<tree hash>/`: written aside, then renamed, never changed again."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from fastflow.kernel.pipelines.domain.errors import SnapshotFailed
from fastflow.kernel.pipelines.domain.source import UnreadableFile
from fastflow.kernel.pipelines.infra.tree import Tree, TreeFile
from fastflow.kernel.pipelines.ports import PipelineTree

_UNFINISHED = ".unfinished-"
_USE_NOTED_SECONDS = 3600.0


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

    def find(self, tree_hash: str) -> Path | None:
        """See the port. Costs one system call; the folder's time notes the use, once an hour."""
        folder = f"{self.code_dir}/{tree_hash}"
        try:
            used = os.stat(folder).st_mtime  # noqa: PTH116 - the hot path of every submit
        except (FileNotFoundError, NotADirectoryError):
            return None
        if abs(time.time() - used) > _USE_NOTED_SECONDS:
            os.utime(folder)
        return Path(folder)

    def sweep(self) -> None:
        """See the port."""
        for entry in self.code_dir.glob(f"{_UNFINISHED}*"):
            with _held(entry) as free:
                if free:
                    shutil.rmtree(entry)

    def remove_unused(self, keep: Collection[str], unused_seconds: float) -> Sequence[str]:
        """See the port."""
        limit = time.time() - max(unused_seconds, _USE_NOTED_SECONDS * 2)
        removed = []
        for entry in sorted(self.code_dir.iterdir()):
            if entry.name.startswith(".") or entry.name in keep or entry.stat().st_mtime >= limit:
                continue
            aside = self.code_dir / f"{_UNFINISHED}{uuid4().hex}"
            entry.rename(aside)
            shutil.rmtree(aside)
            removed.append(entry.name)
        return removed

    @contextmanager
    def _unfinished(self) -> Iterator[Path]:
        """A folder that is held while it is written, so that no sweep takes it, and is gone afterwards."""
        while True:
            folder = self.code_dir / f"{_UNFINISHED}{uuid4().hex}"
            folder.mkdir(mode=0o755)
            with _held(folder) as mine:
                if not mine or not folder.exists():
                    continue  # a sweep took it between making and holding
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder, ignore_errors=not folder.exists())
                return

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


def _copy(files: Sequence[TreeFile], folder: Path) -> str:
    """Copy the files; answers the hash over their paths, modes and contents, as copied."""
    tree = hashlib.sha256(b"fastflow-tree-1\n")
    folder.chmod(0o755)
    made = {folder}
    for file in files:
        target = folder / file.path
        _make_folders(target.parent, made)
        digest = _copy_file(file, target)
        mode = "x" if file.is_executable else "-"
        tree.update(f"{mode} {digest} ".encode() + os.fsencode(file.path) + b"\0")
    for path in made:
        _sync(path)
    return tree.hexdigest()


def _copy_file(file: TreeFile, target: Path) -> str:
    digest = hashlib.sha256()
    try:
        source = Path(file.real).open("rb")  # noqa: SIM115 - closed below; its errors are told apart from the target's
    except OSError as error:
        raise UnreadableFile(f"{file.path}: {error.strerror}") from error
    with source, target.open("wb") as copy:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fchmod(copy.fileno(), 0o755 if file.is_executable else 0o644)
        os.fsync(copy.fileno())  # a copy that is visible under its hash must survive a power cut whole
    return digest.hexdigest()


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


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Whether nobody else holds the folder; if so it is held inside the block."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        free = False
    else:
        free = True
    try:
        yield free
    finally:
        os.close(descriptor)
