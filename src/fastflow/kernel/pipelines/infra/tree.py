"""Walking a pipeline's files: which belong to it, their signature, and what is wrong with them as files."""

import fnmatch
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.source import UnreadableFile

IGNORE_FILE = ".fastflowignore"
MAX_TREE_BYTES = 200_000_000
"""A snapshot is made of every version that runs; data belongs elsewhere."""
MAX_TREE_FILES = 20_000

_IGNORED_FOLDERS = frozenset(
    {
        ".git", ".hg", ".svn", "__pycache__", ".venv", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache",
        ".ipynb_checkpoints", ".idea", ".vscode", "node_modules",
    }
)  # fmt: skip
_IGNORED_SUFFIXES = (".pyc", ".pyo", "~", ".swp", ".swo", ".swx")
_IGNORED_FILES = frozenset({".DS_Store", "Thumbs.db", "4913"})
_IGNORED_PREFIXES = (".#", "#", "._")


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a pipeline.

    Attributes:
        path: relative to the pipeline's folder, with forward slashes.
        real: where its content is.
        signature: size, times and inode: equal as long as the content is.
    """

    path: str
    real: str
    is_executable: bool
    size: int
    changed_ns: int
    signature: tuple[int, ...]


@dataclass(frozen=True)
class Tree:
    """A pipeline's files at one moment.

    Attributes:
        files: sorted by path.
        faults: what is wrong with them as files: links that lead outside, too many, too large.
    """

    files: Sequence[TreeFile]
    faults: FaultList
    _by_path: dict[str, TreeFile] = field(default_factory=dict)

    @cached_property
    def signature(self) -> tuple[object, ...]:
        """Equal as long as no file was added, removed, changed or made executable."""
        return tuple((file.path, file.is_executable, file.signature) for file in self.files)

    @property
    def changed_ns(self) -> int:
        """When the youngest of its files changed, in nanoseconds since the epoch."""
        return max((file.changed_ns for file in self.files), default=0)

    @cached_property
    def paths(self) -> Collection[str]:
        """See `Files.paths`."""
        self._by_path.update((file.path, file) for file in self.files)
        return self._by_path.keys()

    def read(self, path: str) -> bytes:
        """See `Files.read`."""
        assert path in self.paths
        try:
            return Path(self._by_path[path].real).read_bytes()
        except OSError as error:
            raise UnreadableFile(error.strerror or str(error)) from error

    def read_begin(self, path: str, count: int) -> bytes:
        """See `PipelineTree.read_begin`."""
        assert path in self.paths
        try:
            with Path(self._by_path[path].real).open("rb") as file:
                return file.read(count)
        except OSError as error:
            raise UnreadableFile(error.strerror or str(error)) from error


def scan_folder(folder: Path, root: str, faults: FaultList) -> Tree:
    """The files of a folder pipeline; `root` is PIPELINES_DIR with its links resolved: nothing outside it is taken."""
    walk = _Walk(root=root, faults=faults, ignored=_ignore_patterns(f"{folder}/{IGNORE_FILE}"))
    real = f"{root}/{folder.name}"
    if folder.is_symlink():
        real = os.path.realpath(folder)
        if not real.startswith(root + os.sep):
            hint = "Copy what it leads to into PIPELINES_DIR."
            faults.error("", "The symbolic link leads outside PIPELINES_DIR.", hint)
            return Tree((), faults)
    files = sorted(walk.below(str(folder), "", (real,)), key=lambda file: file.path)
    _check_size(files, faults)
    return Tree(files, faults)


def scan_checkout(folder: Path, faults: FaultList) -> Tree:
    """The files of a repository's checkout; nothing outside it is taken. Its size is for others to judge."""
    real = os.path.realpath(folder)
    walk = _Walk(root=real, faults=faults, ignored=(), outside="the repository's files that are taken")
    return Tree(sorted(walk.below(real, "", (real,)), key=lambda file: file.path), faults)


def scan_parts(parts: Mapping[str, Path], faults: FaultList) -> Tree:
    """Files and folders of the product from several places as one tree, by the path that each has in it, a folder's with a
    slash at its end. Its installation decides what they are links to."""
    walk = _Walk(root="", faults=faults, ignored=())
    files: list[TreeFile] = []
    for path, place in parts.items():
        if path == "" or path.endswith("/"):
            files += walk.below(str(place), path, (os.path.realpath(place),))
        else:
            files += [file for file in [walk.file(str(place), path)] if file is not None]
    files.sort(key=lambda file: file.path)
    _check_size(files, faults)
    return Tree(files, faults)


def scan_file(path: Path, root: str, faults: FaultList) -> Tree:
    """The one file of a file pipeline, and the lock of its header that lies beside it (`name.py.lock`)."""
    walk = _Walk(root=root, faults=faults, ignored=())
    found = (walk.file(str(candidate), candidate.name) for candidate in (path, path.with_name(path.name + ".lock")))
    files = [file for file in found if file is not None]
    _check_size(files, faults)
    return Tree(files, faults)


@dataclass(frozen=True)
class _Walk:
    root: str
    faults: FaultList
    ignored: Sequence[str]
    outside: str = "PIPELINES_DIR"

    def below(self, folder: str, prefix: str, parents: tuple[str, ...]) -> Iterator[TreeFile]:
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            self.faults.error(
                prefix.rstrip("/"), f"The folder cannot be read: {error.strerror}.", "Correct its rights."
            )
            return
        if prefix and any(entry.name == "pyvenv.cfg" for entry in entries):
            return  # a virtual environment under a name of its own
        for entry in entries:
            path = prefix + entry.name
            if entry.is_symlink() and not self._leads_inside(entry.path, path):
                continue
            if entry.is_dir():
                if entry.name in _IGNORED_FOLDERS or self._is_ignored(entry.name + "/", path + "/"):
                    continue
                real = os.path.realpath(entry.path) if entry.is_symlink() else f"{parents[-1]}/{entry.name}"
                if real in parents:
                    self.faults.error(path, "The link leads back to a folder above it.", "Remove the link.")
                    continue
                yield from self.below(entry.path, path + "/", (*parents, real))
            elif not _is_editors(entry.name) and not self._is_ignored(entry.name, path):
                file = self.file(entry.path, path, entry)
                if file is not None:
                    yield file

    def file(self, real: str, path: str, entry: "os.DirEntry[str] | None" = None) -> TreeFile | None:
        """One file; None when it is not there or not a plain file, which is noted."""
        try:
            if entry is None and os.path.islink(real) and not self._leads_inside(real, path):  # noqa: PTH114
                return None
            status = os.stat(real) if entry is None else entry.stat()  # noqa: PTH116 - the hot path of every submit
        except FileNotFoundError:
            return None
        except OSError as error:
            self.faults.error(path, f"The file cannot be read: {error.strerror}.", "Correct its rights.")
            return None
        if not stat.S_ISREG(status.st_mode):
            self.faults.warning(
                path, "This is no plain file; it is left out.", "Remove it, or name it in .fastflowignore."
            )
            return None
        return TreeFile(
            path,
            real,
            bool(status.st_mode & 0o100),
            status.st_size,
            max(status.st_mtime_ns, status.st_ctime_ns),
            (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino),
        )

    def _leads_inside(self, link: str, path: str) -> bool:
        name = os.path.basename(link)  # noqa: PTH119 - as above
        if _is_editors(name) or self._is_ignored(name, path):
            return False
        target = os.path.realpath(link)
        if not os.path.exists(target):  # noqa: PTH110 - as above
            self.faults.error(path, "The symbolic link leads nowhere.", "Remove the link or restore what it leads to.")
            return False
        if target != self.root and not target.startswith(self.root + os.sep):
            hint = f"Copy what it leads to into {self.outside}."
            self.faults.error(path, f"The symbolic link leads outside {self.outside}.", hint)
            return False
        return True

    def _is_ignored(self, name: str, path: str) -> bool:
        return any(
            fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(path, pattern.lstrip("/"))
            for pattern in self.ignored
        )


def _is_editors(name: str) -> bool:
    return name.endswith(_IGNORED_SUFFIXES) or name.startswith(_IGNORED_PREFIXES) or name in _IGNORED_FILES


def _ignore_patterns(path: str) -> Sequence[str]:
    """Shell patterns, one a line, for names or paths; `data/` is a folder. No negation."""
    if not os.path.exists(path):  # noqa: PTH110 - the usual case, on the hot path
        return ()
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return ()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _check_size(files: Sequence[TreeFile], faults: FaultList) -> None:
    total = sum(file.size for file in files)
    hint = f"Keep data elsewhere and read it from there, or name it in {IGNORE_FILE}."
    if total > MAX_TREE_BYTES:
        largest = max(files, key=lambda file: file.size)
        message = f"The pipeline holds {total / 1e6:.0f} MB; at most {MAX_TREE_BYTES // 10**6} MB are copied for a run."
        faults.error(largest.path, message, hint)
    if len(files) > MAX_TREE_FILES:
        faults.error(files[0].path, f"The pipeline holds {len(files):,} files; at most {MAX_TREE_FILES:,}.", hint)
