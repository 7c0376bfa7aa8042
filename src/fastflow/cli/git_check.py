"""Whether Git is here, which only syncing needs, and how the repositories stand."""

import shutil
import subprocess

from fastflow.findings import Finding
from fastflow.kernel.db.engine import Database
from fastflow.settings import Settings

OLDEST_GIT = (2, 31)
"""Its configuration can be given by the environment alone since then."""
_NAME = "git"
_SHOWN = 3


def check_git(settings: Settings, database: Database | None) -> Finding:
    """A fault only where something is to be synced.

    Args:
        settings: may describe a repository.
        database: at this release's schema; None: there is none yet.
    """
    repositories, problems = _repositories(database)
    is_needed = bool(repositories) or settings.git_url is not None
    git = shutil.which("git")
    if git is None:
        if not is_needed:
            return Finding(name=_NAME, level="note", text="not installed; only `fastflow sync` needs it")
        remedy = "Install Git, for example with `apt-get install git`."
        return Finding(name=_NAME, level="fault", text=f"not installed, but {_told(repositories)}", remedy=remedy)
    told = subprocess.run([git, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    if _version(told) < OLDEST_GIT:
        remedy = f"Install Git {'.'.join(map(str, OLDEST_GIT))} or later."
        return Finding(
            name=_NAME, level="fault" if is_needed else "note", text=f"{told} at {git}, too old to sync", remedy=remedy
        )
    if problems:
        return Finding(
            name=_NAME,
            level="warning",
            text=f"{told}; {'; '.join(problems[:_SHOWN])}",
            remedy="`GET /sync/status` shows every repository.",
        )
    return Finding(name=_NAME, level="ok", text=f"{told} at {git}; {_told(repositories)}")


def _repositories(database: Database | None) -> tuple[list[str], list[str]]:
    """Names of the repositories, and what keeps some from being looked at."""
    if database is None:
        return [], []
    from fastflow.kernel.sync.wiring import look_at_sync  # only a database that has the tables

    found, _active = look_at_sync(database)
    return [one.name for one in found], [f"{one.name}: {one.problem}" for one in found if one.problem]


def _told(repositories: list[str]) -> str:
    if not repositories:
        return "no repositories"
    return f"{len(repositories)} {'repository' if len(repositories) == 1 else 'repositories'}"


def _version(told: str) -> tuple[int, ...]:
    """Of `git version 2.39.5 (…)`."""
    words = told.split()
    numbers = words[2].split(".")[:2] if len(words) > 2 else []
    return tuple(int(number) for number in numbers if number.isdigit())
