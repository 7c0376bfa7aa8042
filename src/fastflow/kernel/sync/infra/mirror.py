"""The repositories as they are here: a bare mirror of each branch in `DATA_DIR/git`, and immutable copies of commits."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.infra.tree import Tree, scan_checkout
from fastflow.kernel.pipelines.ports import PipelineTree
from fastflow.kernel.sync.domain.errors import BranchNotFound, CodeTooLarge, CodeUnusable, GitFailed
from fastflow.kernel.sync.domain.repository import Definition
from fastflow.kernel.sync.infra.access import Access, access_to
from fastflow.kernel.sync.infra.answers import NO_BRANCH, error_of
from fastflow.kernel.sync.infra.git import Answer, Git
from fastflow.kernel.sync.ports import CheckedOut, Credentials, Fetched, Stop
from fastflow.kit.errors import FastFlowError
from fastflow.kit.words import did_you_mean

MAX_FILES = 50_000
_DEPTH = "100"
"""Commits that are fetched behind the newest: enough to see what was pushed lately, however old the repository."""
_HEAD = "refs/fastflow/head"
_KEPT = "refs/fastflow/kept/{}"
_LFS = b"version https://git-lfs.github.com/spec/v1"
_LFS_POINTER_BYTES = 1024
_SUBMODULE = "160000"
_MOST_NAMED = 20
_MEGABYTE = 2**20


class Copies(Protocol):
    """Where immutable copies go; see `pipelines.ports.Snapshots`."""

    def save(self, tree: PipelineTree) -> str:
        """Copy the tree; its hash."""
        ...


class GitRemote:
    """See `ports.Remote`.

    Args:
        folder: `DATA_DIR/git`; made if missing.
        git: runs Git.
        copies: take the files of commits.
        is_shared: whether the other servers can get a copy; None: there are none.
        max_bytes: of a repository that is fetched, and of the files of one commit.
    """

    def __init__(
        self,
        folder: Path,
        git: Git,
        copies: Copies,
        *,
        is_shared: Callable[[str], bool] | None = None,
        max_bytes: int,
    ) -> None:
        self._folder = folder
        self._git = git
        self._copies = copies
        self._is_shared = is_shared
        self._max_bytes = max_bytes

    # -- the host -------------------------------------------------------------------------------------------------------

    def ask(self, repository: Definition, credentials: Credentials, stop: Stop) -> str:
        """See the port."""
        ref = f"refs/heads/{repository.branch}"
        self._open()
        with self._access(repository, credentials) as access:
            answer = self._run(access, "ls-remote", "--exit-code", "--", repository.url, ref, stop=stop)
            if answer.code == 2 and not answer.out.strip():
                raise self._refusal("couldn't find remote ref", repository, access, stop)
        if answer.code != 0:
            raise error_of(answer.error, repository)
        found = [line.split("\t") for line in answer.text.splitlines()]
        commit = next((parts[0] for parts in found if len(parts) == 2 and parts[1] == ref), None)
        if commit is None:
            raise error_of("couldn't find remote ref", repository)
        return commit

    def fetch(self, repository: Definition, credentials: Credentials, stop: Stop) -> Fetched:
        """See the port."""
        mirror = self._made_mirror(repository.name)
        before = _size_of(mirror)
        refspec = f"+refs/heads/{repository.branch}:{_HEAD}"
        with self._access(repository, credentials) as access:
            answer = self._run(
                access,
                *("fetch", "--no-tags", "--no-write-fetch-head", "--force", "--quiet", f"--depth={_DEPTH}"),
                *("--", repository.url, refspec),
                folder=mirror,
                stop=stop,
                is_too_large=lambda: _size_of(mirror) - before > self._max_bytes,
            )
            if answer.code != 0:
                raise self._refusal(answer.error, repository, access, stop)
        if _size_of(mirror) - before > self._max_bytes:
            self.forget(repository.name)
            raise self._too_large(f"The repository {repository.name} holds")
        return self._described(mirror, _HEAD)

    def _refusal(self, told: str, repository: Definition, access: Access, stop: Stop) -> FastFlowError:
        """The error that stands behind Git's words; of a branch that is not there, with those that are."""
        error = error_of(told, repository)
        if not isinstance(error, BranchNotFound):
            return error
        answer = self._run(access, "ls-remote", "--heads", "--", repository.url, stop=stop)
        if answer.code != 0:
            return error
        lines = (line.partition("\t")[2] for line in answer.text.splitlines())
        branches = [_one_line(line.removeprefix("refs/heads/")) for line in lines if line]
        told = f"{error.message}{did_you_mean(repository.branch, branches)}"
        return BranchNotFound(told, hint=_hint_of(branches), fields={"branch": NO_BRANCH})

    def _described(self, mirror: Path, revision: str) -> Fetched:
        told = self._plain(mirror, "log", "-1", "--no-show-signature", "--format=%H%x00%an%x00%s", revision, "--")
        commit, author, subject = told.text.rstrip("\n").split("\0", 2)
        return Fetched(commit=commit, subject=_one_line(subject)[:300], author=_one_line(author)[:200])

    # -- the files ------------------------------------------------------------------------------------------------------

    def check_out(self, repository: Definition, commit: str, stop: Stop) -> CheckedOut:
        """See the port."""
        mirror = self._made_mirror(repository.name)
        wanted = f"{commit}:{repository.subfolder}" if repository.subfolder else commit
        faults = FaultList(repository.name, f"{repository.subfolder}/" if repository.subfolder else "")
        self._look_at_tree(mirror, wanted, repository, faults, stop)
        if faults.has_errors:
            return CheckedOut(tree_hash=None, faults=faults.found)
        with tempfile.TemporaryDirectory(prefix="checkout-", dir=self._folder) as made:
            place, index = Path(made) / "files", {"GIT_INDEX_FILE": str(Path(made) / "index")}
            place.mkdir()
            self._plain(mirror, "read-tree", wanted, environ=index, stop=stop)
            given = {**index, "GIT_WORK_TREE": str(place), "GIT_DIR": str(mirror)}
            self._plain(place, "checkout-index", "--all", "--force", "--quiet", environ=given, stop=stop)
            written = FaultList(faults.pipeline, faults.prefix)
            _add_lfs_faults(place, written)
            tree = scan_checkout(place, written)
            tree_hash = None if written.has_errors else self._save(tree, repository.name)
        if tree_hash is not None:
            self._plain(mirror, "update-ref", _KEPT.format(commit), commit)
        return CheckedOut(tree_hash=tree_hash, faults=[*faults.found, *written.found])

    def _look_at_tree(self, mirror: Path, wanted: str, repository: Definition, faults: FaultList, stop: Stop) -> None:
        """What the commit holds, before any of it is written to disk."""
        answer = self._git.run("ls-tree", "-r", "-z", "-l", "--full-tree", wanted, folder=mirror, stop=stop)
        if answer.code != 0:
            known = self._git.run("cat-file", "-e", f"{wanted.partition(':')[0]}^{{commit}}", folder=mirror)
            if known.code != 0 or not repository.subfolder:
                raise GitFailed(f"The commit {wanted[:12]} of {repository.name} is not here.", hint="Sync again.")
            raise CodeUnusable(
                f"The branch {repository.branch} of {repository.name} has no folder {repository.subfolder!r}.",
                hint="Correct the repository's `subfolder`, or push the folder.",
                fields={"subfolder": "the branch has no such folder"},
            )
        total = count = 0
        for entry in answer.out.split(b"\0"):
            if not entry:
                continue
            about, _, name = entry.partition(b"\t")
            mode, _kind, _id, size = about.decode().split()
            path = name.decode("utf-8", "replace")
            if mode == _SUBMODULE:
                hint = "Copy what the pipelines need of it into the repository, or install it as a dependency."
                faults.error(path, "This is a submodule; submodules are not fetched.", hint)
            count, total = count + 1, total + (int(size) if size.isdigit() else 0)
        if total > self._max_bytes:
            raise self._too_large(f"The files of {repository.name} have {total / _MEGABYTE:.0f} MB:")
        if count > MAX_FILES:
            raise CodeTooLarge(
                f"The commit holds {count:,} files; at most {MAX_FILES:,} are taken.", hint="Name a subfolder."
            )

    def _save(self, tree: Tree, name: str) -> str:
        tree_hash = self._copies.save(tree)
        if self._is_shared is not None and not self._is_shared(tree_hash):
            raise CodeTooLarge(
                f"The files of {name} are too large to be handed to the other servers: 64 MB packed are taken.",
                hint="Keep data elsewhere, or name a subfolder.",
            )
        return tree_hash

    def _too_large(self, beginning: str) -> CodeTooLarge:
        return CodeTooLarge(f"{beginning} more than GIT_MAX_MB ({self._max_bytes / _MEGABYTE:.0f} MB).")

    # -- the mirror -----------------------------------------------------------------------------------------------------

    def forget(self, name: str) -> None:
        """See the port."""
        shutil.rmtree(self._mirror(name), ignore_errors=True)

    def _mirror(self, name: str) -> Path:
        return self._folder / f"{name}.git"

    def _made_mirror(self, name: str) -> Path:
        mirror = self._mirror(name)
        self._open()
        if not (mirror / "HEAD").exists():
            self._plain(self._folder, "init", "--quiet", "--bare", "--template=", "--", mirror.name)
        return mirror

    def _open(self) -> None:
        """The folder is the server's own: nothing in it is for runs to see."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def _access(self, repository: Definition, credentials: Credentials) -> Iterator[Access]:
        with access_to(repository, credentials, self._folder) as access:
            yield access

    def _run(
        self,
        access: Access,
        *arguments: str,
        folder: Path | None = None,
        stop: Stop | None = None,
        is_too_large: Callable[[], bool] | None = None,
    ) -> Answer:
        return self._git.run(
            *arguments,
            folder=folder or self._folder,
            environ=access.environ,
            options=access.options,
            hidden=access.hidden,
            stop=stop,
            is_too_large=is_too_large,
        )

    def _plain(
        self, folder: Path, *arguments: str, environ: dict[str, str] | None = None, stop: Stop | None = None
    ) -> Answer:
        """A command that needs no host and has to succeed."""
        answer = self._git.run(*arguments, folder=folder, environ=environ, stop=stop)
        if answer.code != 0:
            raise _failed(arguments[0], answer)
        return answer


def _hint_of(branches: Sequence[str]) -> str:
    """What to do about a branch that is not there."""
    if not branches:
        return "It has no branch at all yet: push one."
    more = f" and {len(branches) - _MOST_NAMED} more" if len(branches) > _MOST_NAMED else ""
    return f"It has {', '.join(branches[:_MOST_NAMED])}{more}: correct the repository's `branch`, or push it."


def _failed(command: str, answer: Answer) -> FastFlowError:
    words = answer.error.splitlines()[0][:300] if answer.error else f"exit code {answer.code}"
    return GitFailed(f"`git {command}` failed: {words}.")


def _add_lfs_faults(folder: Path, faults: FaultList) -> None:
    """Files that Git keeps elsewhere: what is here are their addresses alone."""
    found: list[str] = []
    for path in _small_files(folder):
        with path.open("rb") as file:
            if file.read(len(_LFS)) == _LFS:
                found.append(str(path.relative_to(folder)))
    for name in sorted(found)[:_MOST_NAMED]:
        hint = "Put the file into Git itself, or have the pipeline fetch it."
        faults.error(name, "The file is kept by Git LFS, which is not fetched from.", hint)


def _small_files(folder: Path) -> Iterator[Path]:
    for place, _folders, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and len(_LFS) <= status.st_size <= _LFS_POINTER_BYTES:
                yield path


def _size_of(folder: Path) -> int:
    """Bytes of the files in a folder; one that vanishes meanwhile has none."""
    total = 0
    for place, _folders, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{place}/{name}").st_size
            except FileNotFoundError:
                continue
    return total


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


__all__: Sequence[str] = ("MAX_FILES", "GitRemote")
