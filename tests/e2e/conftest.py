"""What the tests of the whole product share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastflow.testing.served import Served


@pytest.fixture
def served() -> Iterator[Served]:
    """A server, not started yet, in folders that an unprivileged run can reach, with paths short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    made = Served(folder)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)
