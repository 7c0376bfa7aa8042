"""The Git work tree around PIPELINES_DIR, read from its files; Git itself is asked only when something changed."""

import logging
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_LOG = logging.getLogger(__name__)
_GIT_SECONDS = 10.0
_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_MAX_REMEMBERED = 10_000
_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*")
"""Nothing of the repository's own configuration is started, and a mounted repository of another owner is read too."""


@dataclass(frozen=True)
class _Repository:
    """Where the parts of a repository are, as strings: this is on the way of every submit.

    Attributes:
        top: the work tree's top folder.
        own: HEAD and index of this work tree.
        shared: refs and packed refs.
    """

    top: str
    own: str
    shared: str


class GitRevisions:
    """See `ports.Revisions`.

    Args:
        folder: PIPELINES_DIR.
        path_variable: PATH, to find Git.
    """

    def __init__(self, folder: Path, path_variable: str) -> None:
        self._folder = str(folder)
        self._environ = {"PATH": path_variable, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        self._packed: tuple[tuple[int, ...], dict[str, str]] | None = None
        self._dirty: dict[Path, tuple[object, bool]] = {}

    def state_of(self, path: Path, signature: tuple[object, ...]) -> tuple[str | None, bool]:
        """See the port."""
        repository = find_repository(self._folder)
        if repository is None:
            return None, False
        commit = self._head(repository)
        state = (signature, commit, _stamp(f"{repository.own}/index"))
        known = self._dirty.get(path)
        if known is None or known[0] != state:
            if len(self._dirty) >= _MAX_REMEMBERED:
                self._dirty.clear()
            known = self._dirty[path] = (state, self._ask(path))
        return commit, known[1]

    def _head(self, repository: _Repository) -> str | None:
        head = _read(f"{repository.own}/HEAD")
        if head is None or not head.startswith("ref: "):
            return head if head is not None and _HASH.fullmatch(head) else None
        name = head[5:].strip()
        if name == "refs/heads/.invalid":  # the reftable format keeps its refs elsewhere
            return self._run("rev-parse", "--verify", "--quiet", "HEAD", folder=repository.top)
        loose = _read(f"{repository.shared}/{name}")
        if loose is not None and _HASH.fullmatch(loose):
            return loose
        return self._packed_refs(f"{repository.shared}/packed-refs").get(name)

    def _packed_refs(self, path: str) -> dict[str, str]:
        stamp = _stamp(path)
        if self._packed is None or self._packed[0] != stamp:
            lines = (line.split(" ", 1) for line in (_read(path) or "").splitlines() if line[:1] not in ("#", "^"))
            self._packed = (stamp, {parts[1]: parts[0] for parts in lines if len(parts) == 2})
        return self._packed[1]

    def _ask(self, path: Path) -> bool:
        told = self._run("status", "--porcelain", "--untracked-files=normal", "--", path.name, folder=str(path.parent))
        return told is None or bool(told)

    def _run(self, *arguments: str, folder: str) -> str | None:
        """What Git answers; None when there is no Git or it fails."""
        try:
            done = subprocess.run(
                ["git", *_QUIET, *arguments],
                cwd=folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_GIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            _LOG.warning("git_failed", extra={"arguments": arguments, "reason": str(error)})
            return None
        if done.returncode != 0:
            _LOG.warning("git_failed", extra={"arguments": arguments, "reason": done.stderr.strip()[:500]})
            return None
        return done.stdout.strip()


def find_repository(folder: str) -> _Repository | None:
    """The repository whose work tree `folder` is in. Costs one system call per level up."""
    real = os.path.realpath(folder)
    while not os.path.lexists(f"{real}/.git"):
        parent = real.rpartition("/")[0]
        if parent == real:
            return None
        real = parent
    return _repository(real, f"{real}/.git")


def _repository(top: str, mark: str) -> _Repository | None:
    head = f"{mark}/HEAD"
    if os.path.lexists(head):
        return _Repository(top, mark, mark)
    told = _read(mark)  # a linked work tree or submodule: a file that says where the rest is
    if told is None or not told.startswith("gitdir: "):
        return None
    own = os.path.join(top, told[8:].strip())  # noqa: PTH118 - strings throughout, see _Repository
    common = _read(f"{own}/commondir")
    return _Repository(top, own, f"{own}/{common}" if common else own)


def _read(path: str) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        chunks = []
        while chunk := os.read(descriptor, 1 << 20):
            chunks.append(chunk)
    except OSError:  # a folder of that name
        return None
    finally:
        os.close(descriptor)
    return b"".join(chunks).decode("utf-8", "surrogateescape").strip()


def _stamp(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)  # noqa: PTH116 - strings throughout, see _Repository
    except OSError:
        return ()
    return (status.st_size, status.st_mtime_ns, status.st_ino)
