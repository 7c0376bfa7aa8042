"""A real Git repository to sync from, and somebody who pushes to it."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")


class Upstream:
    """A bare repository with the branch `main`, and a work tree that pushes to it.

    Args:
        folder: gets both.
    """

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "flows.git"
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), where=folder)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(self.bare))

    @property
    def url(self) -> str:
        """Its address."""
        return f"file://{self.bare}"

    def git(self, *arguments: str, where: Path | None = None) -> str:
        """One command in the work tree; what it says."""
        done = subprocess.run(
            ["git", *_IDENTITY, *arguments],
            cwd=where or self.work,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.work), "GIT_CONFIG_NOSYSTEM": "1"},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def push(
        self, files: Mapping[str, str | None], message: str = "Change", *, branch: str = "main", force: bool = False
    ) -> str:
        """Write files (None removes), commit, push; the commit's hash."""
        for path, text in files.items():
            target = self.work / path
            if text is None:
                shutil.rmtree(target) if target.is_dir() and not target.is_symlink() else target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", *(["--force"] if force else []), "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")
