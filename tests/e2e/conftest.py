"""What the tests of the whole product share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.e2e.web_driver import first_admin, serving

from fastflow.testing.browser import Visitor, open_browser
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file."""
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def started(request: pytest.FixtureRequest) -> Iterator[Served]:
    """One server for all tests of a file, with the PIPELINES and the SETTINGS it names."""
    with serving(request.module.PIPELINES, getattr(request.module, "SETTINGS", None)) as served:
        yield served


@pytest.fixture(scope="module")
def anna(browser: Browser, started: Served) -> Iterator[Visitor]:
    """The first administrator."""
    visitor = first_admin(browser, started)
    yield visitor
    visitor.close()
