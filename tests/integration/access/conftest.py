"""The access rooms on a real database behind the real app, and the web process as it is started."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from fastflow.bootstrap import build_product
from fastflow.kernel.db.engine import Database
from fastflow.kit.identity import SYSTEM, Role
from fastflow.settings import Settings
from fastflow.testing.access import AccessRooms, build_access_rooms
from fastflow.testing.clock import FakeClock
from fastflow.testing.http import client_of


@pytest.fixture
def rooms(database: Database, clock: FakeClock, data_dir: Path) -> AccessRooms:
    """The rooms on this test's database, with a clock that stands still."""
    return build_access_rooms(database, data_dir, clock)


@pytest.fixture
async def anonymous(rooms: AccessRooms) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials; it keeps cookies."""
    async with client_of(rooms.app) as client:
        yield client


@pytest.fixture
async def admin(rooms: AccessRooms) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an admin token."""
    async with client_of(rooms.app, token=rooms.token()) as client:
        yield client


@dataclass(frozen=True, kw_only=True)
class WebProcess:
    """A started web process without a runner."""

    url: str
    token: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    start: Callable[[Mapping[str, str], Path], tuple[subprocess.Popen[bytes], str]]


def start_web(environment: Mapping[str, str], folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the web process as `fastflow serve` does; once it answers: it and its URL."""
    read, write = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        given = ["--listen-fd", str(listening.fileno()), "--ready-fd", str(write)]
        process = subprocess.Popen(
            [sys.executable, "-m", "fastflow.web", *given],
            env=environment,
            pass_fds=[write, listening.fileno()],
            cwd=folder,
        )
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    os.close(write)
    with os.fdopen(read) as told:
        answered = '{"ready": true}' in told.read()
    if not answered:
        process.kill()
        process.wait(30)
    assert answered, "the web process did not become ready"
    return process, url


@pytest.fixture(scope="module")
def web_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """`python -m fastflow.web` on folders of its own, with one pipeline."""
    folder = tmp_path_factory.mktemp("web")
    settings = Settings(
        _env_file=None,
        data_dir=folder / "data",
        logs_dir=folder / "logs",
        pipelines_dir=folder / "pipelines",
    )
    settings.pipelines_dir.mkdir()
    (settings.pipelines_dir / "hello.py").write_text("print('hello')\n")
    product = build_product(settings)
    token = product.tokens.create("test", Role.ADMIN, actor=SYSTEM)[1].reveal()
    product.users.ensure_first_admin()
    product.close()
    environment = {
        **os.environ,
        "DATA_DIR": str(settings.data_dir),
        "LOGS_DIR": str(settings.logs_dir),
        "PIPELINES_DIR": str(settings.pipelines_dir),
        "PYTHONWARNINGS": "error",
    }
    process, url = start_web(environment, folder)
    yield WebProcess(url=url, token=token, process=process, environment=environment, start=start_web)
    process.terminate()
    process.wait(30)
