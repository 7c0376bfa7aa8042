"""The commits between two runs, as Git has them."""

import logging
import re
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fastflow.kernel.failures.domain.changes import Commit

_LOG = logging.getLogger(__name__)
_SECONDS = 5.0
_MOST = 20
_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*")


class GitCommits:
    """See `ports.Commits`.

    Args:
        folder: PIPELINES_DIR.
        path_variable: PATH, to find Git.
    """

    def __init__(self, folder: Path, path_variable: str) -> None:
        self._folder = folder
        self._environ = {"PATH": path_variable, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}

    def between(self, pipeline_name: str, before: str, after: str) -> Sequence[Commit] | None:
        """See `Commits.between`."""
        if not (_HASH.fullmatch(before) and _HASH.fullmatch(after)):
            return None
        form = "--format=%H%x00%an%x00%aI%x00%s"
        paths = [name for name in (pipeline_name, f"{pipeline_name}.py") if (self._folder / name).exists()]
        arguments = ["git", *_QUIET, "log", f"-n{_MOST}", form, f"{before}..{after}", "--", *paths]
        try:
            done = subprocess.run(
                arguments,
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            _LOG.warning("git_failed", extra={"fields": {"reason": str(error)}})
            return None
        if done.returncode != 0:  # a commit that this repository has not, or no repository at all
            return None
        return [_commit(line) for line in done.stdout.splitlines() if line.count("\0") == 3]


def _commit(line: str) -> Commit:
    commit_id, author, at, subject = line.split("\0")
    return Commit(id=commit_id, author=author[:200], at=datetime.fromisoformat(at), subject=subject[:300])
