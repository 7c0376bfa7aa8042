"""The process executor keeps its contract also when the server is not root."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastflow.testing.ordinary import OrdinaryUser

ROOT = Path(__file__).parents[2]
MAIN = "server_files or two_at_once or interpreter or processes_when or memory or network or restart or cancel"


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of the user's own, whose path is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("suite", "chosen"), [("TestProcessExecutor", ""), ("TestProcessExecutorWithoutNamespaces", MAIN)]
)
def test_contract_when_the_server_is_an_ordinary_user_then_it_is_kept(home: Path, suite: str, chosen: str) -> None:
    user = OrdinaryUser()
    user.own(home)
    tests = f"tests/contract/test_process_executor.py::{suite}"
    done = subprocess.run(
        [*user.prefix(), sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, "-k", chosen],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            "HOME": str(home),
            "TMPDIR": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert user.uid != 0
    assert " passed" in done.stdout
