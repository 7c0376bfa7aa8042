"""Copies of pipelines' code in `DATA_DIR/code/<tree hash>/`: written aside, then renamed, never changed again."""

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from io import BufferedReader
from pathlib import Path

from fastflow.kernel.hashed_folders import HashedFolders, sync_folder
from fastflow.kernel.pipelines.domain.errors import SnapshotFailed
from fastflow.kernel.pipelines.domain.source import UnreadableFile
from fastflow.kernel.pipelines.infra.tree import Tree, TreeFile
from fastflow.kernel.pipelines.ports import PipelineTree

_BEGINNING = b"fastflow-tree-1\n"


class DiskSnapshots(HashedFolders):
    """See `ports.Snapshots`.

    Args:
        code_dir: where the copies are; made if missing.
    """

    def __init__(self, code_dir: Path) -> None:
        super().__init__(code_dir)
        self.code_dir = code_dir

    def save(self, tree: PipelineTree) -> str:
        """See the port."""
        assert isinstance(tree, Tree)
        try:
            with self.unfinished() as folder:
                tree_hash = _copy(tree.files, folder)
                self.publish(folder, tree_hash)
        except (OSError, shutil.Error) as error:
            raise SnapshotFailed(f"The pipeline's code could not be copied to {self.code_dir}: {error}.") from error
        return tree_hash

    def restore(self, tree_hash: str, fill: Callable[[Path], None]) -> None:
        """Publish the copy that `fill` writes into an empty folder, if it has that hash.

        Raises:
            SnapshotFailed: it has another one, is damaged, or cannot be written.
        """
        try:
            with self.unfinished() as given, self.unfinished() as folder:
                fill(given)
                if _copy(_files_below(given), folder) != tree_hash:
                    raise SnapshotFailed(f"The stored code {tree_hash[:12]} is not what its hash says.")
                self.publish(folder, tree_hash)
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
        sync_folder(path)
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
