"""A real PIPELINES_DIR, a real catalogue."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.pipelines.wiring import build_pipelines
from fastflow.testing.clock import FakeClock

Write = Callable[..., Path]


@pytest.fixture
def write(pipelines_dir: Path) -> Write:
    """Writes one file below PIPELINES_DIR."""

    def _write(path: str, content: str | bytes = "print()\n") -> Path:
        target = pipelines_dir / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    return _write


@pytest.fixture
def catalog(database: Database, pipelines_dir: Path, data_dir: Path, clock: FakeClock) -> PipelineCatalog:
    return build_pipelines(
        database, pipelines_dir=pipelines_dir, data_dir=data_dir, known_executors=("process",), clock=clock
    )


@pytest.fixture
def git(pipelines_dir: Path) -> Callable[..., str]:
    """Runs Git in PIPELINES_DIR, which is made a repository."""

    def _git(*arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=pipelines_dir, check=True, capture_output=True, text=True).stdout.strip()

    _git("init", "--quiet", "--initial-branch=main")
    return _git
