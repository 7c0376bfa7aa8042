"""What the catalogue of pipelines needs of the outside: files, sources of code, snapshots, Git, what is remembered."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.pipeline import PipelineMemory

AskNeeded = Callable[[Sequence[str]], Collection[str]]
"""Of these copies' hashes, those that somebody still needs."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """A pipeline's place: in PIPELINES_DIR, in the checkout of a repository, or in the product itself.

    Attributes:
        path: its folder or file.
        script: the file to run, relative to the snapshot.
        twin: the entry that has the same name, which is a fault.
        twin_is_elsewhere: whether that entry is in another place than this one.
        repository: the repository it comes from; None: PIPELINES_DIR.
        commit: of the checkout; None in PIPELINES_DIR.
        shown: put before the names of its files when they are told: the repository's subfolder, with a slash.
        workbench: the workbench it is shipped with; None: it is the installation's own.
        covers: the workbench that ships a pipeline of the same name, which cannot run while this one is there.
    """

    name: str
    kind: Literal["folder", "file"]
    path: Path
    script: str
    twin: str | None = None
    twin_is_elsewhere: bool = False
    repository: str | None = None
    commit: str | None = None
    shown: str = ""
    workbench: str | None = None
    covers: str | None = None


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """The pipelines that come with a workbench of the product.

    Attributes:
        workbench: its name; beside each of its pipelines stands a package of that name.
        folder: the workbench's own package: the pipelines are in its `pipelines/`.
        packages: folders of it that go along inside the package `workbench`.
    """

    workbench: str
    folder: Path
    packages: tuple[str, ...] = ("domain", "method")


@dataclass(frozen=True, kw_only=True)
class CodeSource:
    """The version of a repository whose pipelines are in the catalogue.

    Attributes:
        repository: its name.
        commit: which version.
        tree_hash: of the copy of its files.
        prefix: put before the names of its pipelines.
        subfolder: where in the repository the copy was taken from; empty: at its top.
    """

    repository: str
    commit: str
    tree_hash: str
    prefix: str = ""
    subfolder: str = ""


class Sources(Protocol):
    """Where pipelines come from beside PIPELINES_DIR."""

    def active(self) -> Sequence[CodeSource]:
        """The version of each repository that is active now, by name; changes take effect with the next call.

        Raises:
            Unavailable: that cannot be found out.
        """
        ...

    def kept(self) -> Collection[str]:
        """Hashes of the copies that must stay: the active ones, and those that may become active again."""
        ...


class PipelineTree(Protocol):
    """A pipeline's files at one moment; also the `Files` of the readers."""

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal as long as no file was added, removed or changed."""
        ...

    @property
    def changed_ns(self) -> int:
        """When the youngest of its files changed, in nanoseconds since the epoch."""
        ...

    @property
    def faults(self) -> FaultList:
        """What is wrong with the files as files."""
        ...

    @property
    def paths(self) -> Collection[str]:
        """See `Files.paths`."""
        ...

    def read(self, path: str) -> bytes:
        """See `Files.read`."""
        ...

    def read_begin(self, path: str, count: int) -> bytes:
        """The first bytes of one of `paths`, at most `count`.

        Raises:
            UnreadableFile: it vanished or cannot be read.
        """
        ...


class PipelineFiles(Protocol):
    """PIPELINES_DIR, the checkouts beside it, and what the product ships."""

    def locate_all(self) -> Sequence[Located]:
        """Every pipeline, by name, those that are shipped last; hidden entries and what is no pipeline are left out.

        Raises:
            PipelinesDirUnavailable: the folder is missing or cannot be read.
        """
        ...

    def locate(self, name: str) -> Located | None:
        """The pipeline of that name; the name must be a valid one."""
        ...

    def scan(self, located: Located) -> PipelineTree:
        """Its files now. Costs a directory listing and one `stat` per file."""
        ...


class Snapshots(Protocol):
    """Immutable copies of pipelines' code, by tree hash."""

    def save(self, tree: PipelineTree) -> str:
        """Copy the tree's files; answers the hash of what was copied. A copy is complete or not there at all; any
        number of writers may save the same one.

        Raises:
            SnapshotFailed: it could not be written.
            UnreadableFile: a file vanished or cannot be read.
        """
        ...

    def identify(self, tree: PipelineTree) -> str:
        """The hash that a copy of the tree would have. Reads every file.

        Raises:
            UnreadableFile: a file vanished or cannot be read.
        """
        ...

    def digests(self, tree: PipelineTree) -> Mapping[str, str]:
        """Path -> what tells the file's content and mode from another's. Reads every file.

        Raises:
            UnreadableFile: a file vanished or cannot be read.
        """
        ...

    def find(self, tree_hash: str) -> Path | None:
        """The folder of a copy."""
        ...

    def sweep(self) -> None:
        """Remove what crashes left of unfinished copies."""
        ...

    def remove_unused(self, needed: AskNeeded, unused_seconds: float) -> Sequence[str]:
        """Remove the copies that no `find` asked for in so many seconds, except those that are `needed`; answers the
        hashes of the removed ones. One that is asked for at this very moment stays, or is not found."""
        ...


class Revisions(Protocol):
    """The Git work tree that PIPELINES_DIR may be in."""

    def state_of(self, path: Path, signature: tuple[object, ...]) -> tuple[str | None, bool]:
        """HEAD's hash (None outside a work tree or before the first commit), and whether what is below `path` differs
        from it (True when that cannot be found out). Remembered as long as HEAD, index and `signature` stay the same."""
        ...


class PipelineStore(Protocol):
    """What is remembered of pipelines."""

    def remember(self, seen: Mapping[str, bool], at: datetime) -> None:
        """Note pipelines by name with whether they have requirements; known ones are updated. Idempotent."""
        ...

    def save_warmup(self, name: str, at: datetime) -> None:
        """Note when the pipeline's environment was made ready."""
        ...

    def load_all(self) -> Mapping[str, PipelineMemory]:
        """All that is remembered, by name."""
        ...
