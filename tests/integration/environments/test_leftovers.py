"""A build that leaves a process behind: it ends with the build, whatever it did to stay."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
import uv
from tests.integration.environments.conftest import Request, Service
from tests.integration.environments.projects import gate_build, write_local_project

from fastflow.kernel.environments.domain.environment import EnvironmentRequest
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.executors.process.builder import find_build_user, hand_over

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:  # nobody's child, in a session of its own, with all that could give it away closed
        os.closerange(0, 1024)
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", {mark!r}])
    os._exit(0)
os.wait()
"""


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


def carriers(mark: str) -> list[str]:
    """Processes that have the mark on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words:
            found.append(process.name)
    return found


@pytest.fixture
def prefix(data_dir: Path, uv_cache_dir: Path) -> Callable[[bool], Sequence[str]]:
    """What the product puts before uv's commands, with or without namespaces."""

    def _prefix(alone: bool) -> Sequence[str]:
        user = find_build_user(run_user=None, reach=[data_dir, data_dir / "cache", Path(uv.find_uv_bin()).parent])
        for folder in (data_dir / "cache", data_dir / "python"):
            hand_over(folder, user)
        order = json.loads(user.prefix[-1])
        return [*user.prefix[:-1], json.dumps(order | {"alone": alone})]

    return _prefix


@pytest.fixture(params=[True, False], ids=["in namespaces", "without namespaces"])
def environments(
    request: pytest.FixtureRequest, service: Service, data_dir: Path, prefix: Callable[[bool], Sequence[str]]
) -> EnvironmentService:
    """The service as the product has it."""
    return service(
        command_prefix=prefix(request.param),
        owner_uid=find_build_user(run_user=None, reach=[]).uid,
        uv_cache_dir=data_dir / "cache",
        environ={"PATH": os.environ["PATH"], "UV_OFFLINE": "1"},
    )


@pytest.fixture
def hostile(request_for: Request, data_dir: Path) -> EnvironmentRequest:
    """Asks for a package whose build starts a daemon."""
    code = data_dir / "code"
    write_local_project(code / "lib")
    return request_for("requirements", {"requirements.txt": "./lib\n"}, needs_code=True, code_dir=code)


async def test_build_when_it_starts_a_daemon_then_the_daemon_ends_with_it(
    environments: EnvironmentService, hostile: EnvironmentRequest
) -> None:
    mark = f"daemon-{uuid4().hex}"
    (hostile.code_dir / "lib" / "gate.py").write_text(DAEMON.format(mark=mark))
    async with asyncio.timeout(60):
        environment = await environments.ensure(hostile)
    assert carriers(mark) == []
    assert environment.python.exists()


async def test_build_when_it_is_called_off_then_its_daemon_ends_too(
    environments: EnvironmentService, hostile: EnvironmentRequest
) -> None:
    mark = f"daemon-{uuid4().hex}"
    gate = gate_build(hostile.code_dir / "lib")
    gate.told.chmod(0o666)
    gate.wait.chmod(0o666)
    script = hostile.code_dir / "lib" / "gate.py"
    script.write_text(DAEMON.format(mark=mark) + script.read_text())
    preparing = asyncio.ensure_future(environments.ensure(hostile))
    await asyncio.to_thread(gate.told.read_text)
    while not carriers(mark):  # noqa: ASYNC110 - a process that hides tells nobody
        await asyncio.sleep(0.01)
    preparing.cancel()
    await asyncio.wait([preparing])
    assert preparing.cancelled()
    assert carriers(mark) == []


async def test_daemon_when_started_by_hand_then_the_test_would_see_it() -> None:
    mark = f"daemon-{uuid4().hex}"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)", mark)
    try:
        assert carriers(mark) == [str(process.pid)]
    finally:
        process.kill()
        await process.wait()
    assert carriers(mark) == []
