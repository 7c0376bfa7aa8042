"""Several processes, one data folder."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.integration.environments.conftest import Request, Service
from tests.integration.environments.projects import gate_build, write_local_project

from fastflow.kernel.db.engine import Database
from fastflow.kernel.locks import hold_file_lock
from fastflow.kit.identity import SYSTEM

WORKER = """
import asyncio, json, sys
from pathlib import Path
from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.domain.environment import EnvironmentRequest
from fastflow.kernel.environments.wiring import build_environments

order = json.loads(sys.argv[1])
database = Database(order["database"])
service = build_environments(
    database, data_dir=Path(order["data"]), uv_cache_dir=Path(order["cache"]), environ=order["environ"]
)
request = EnvironmentRequest(
    kind="requirements", content=order["content"], code_dir=Path(order["code"]), needs_code=order["needs_code"]
)

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    found = await asyncio.gather(*(service.ensure(request) for _ in range(order["times"])))
    print(json.dumps([[one.hash, one.built] for one in found]), flush=True)

asyncio.run(main())
database.close()
"""


@pytest.fixture
def database_kind() -> str:
    """The folders are what is shared; the catalogue is tested on both databases elsewhere."""
    return "sqlite"


class Workers:
    """Starts processes that make the same environment ready."""

    def __init__(self, order: dict[str, object]) -> None:
        self._order = order

    def start(self, count: int, **changed: object) -> Sequence["subprocess.Popen[str]"]:
        order = json.dumps(self._order | changed)
        started = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, order], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(count)
        ]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        return started


@pytest.fixture
def workers(
    database: Database, data_dir: Path, uv_cache_dir: Path, offline: dict[str, str], request_for: Request
) -> Workers:
    return Workers(
        {
            "database": database.url.render_as_string(hide_password=False),
            "data": str(data_dir),
            "cache": str(uv_cache_dir),
            "environ": offline,
            "code": str(request_for("none", {}).code_dir),
            "content": {"requirements.txt": "alpha\n"},
            "needs_code": False,
            "times": 4,
        }
    )


def test_environment_when_three_processes_with_four_runs_each_need_it_at_once_then_built_once(
    workers: Workers, data_dir: Path
) -> None:
    started = workers.start(3)
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    found = [tuple(one) for process in started for one in json.loads(process.communicate(timeout=60)[0])]
    assert len(found) == 12
    assert len({environment for environment, _ in found}) == 1
    assert [built for _, built in found].count(True) == 1
    assert [path.name for path in (data_dir / "envs").iterdir()] == [found[0][0]]
    assert list((data_dir / "build").iterdir()) == []


async def test_builder_when_killed_half_way_then_nothing_is_visible_and_the_next_one_builds(
    workers: Workers, service: Service, request_for: Request, data_dir: Path
) -> None:
    request = request_for("requirements", {"requirements.txt": "./lib\n"}, needs_code=True)
    write_local_project(request.code_dir / "lib")
    gate = gate_build(request.code_dir / "lib")
    (victim,) = workers.start(1, content=dict(request.content), needs_code=True)
    assert victim.stdin is not None
    victim.stdin.write("go\n")
    victim.stdin.flush()
    await asyncio.to_thread(gate.told.read_text)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()

    (left,) = [path for path in (data_dir / "build").iterdir() if path.is_dir()]
    survivor = service()
    assert left.exists(), "uv still works in it, so no sweep may take it"
    assert list((data_dir / "envs").iterdir()) == []
    gate.close()
    gate.wait.write_text("")  # uv goes on and ends
    await asyncio.to_thread(_wait_until_free, left)
    survivor.open()
    assert not left.exists()
    assert (await survivor.ensure(request)).built


async def test_environment_when_folders_and_catalogue_were_lost_apart_then_one_is_made_from_the_other(
    service: Service, request_for: Request, database: Database, data_dir: Path
) -> None:
    made = service()
    environment = await made.ensure(request_for("requirements", {"requirements.txt": "alpha\n"}))
    with database.write() as connection:
        for table in ("environment", "environment_resolution"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    again = service()
    (card,) = again.list()
    assert (card.hash, card.packages) == (environment.hash, 1)
    assert again.get(environment.hash).interpreter == environment.interpreter
    assert not (await again.ensure(request_for("requirements", {"requirements.txt": "alpha\n"}))).built


async def test_environment_when_its_interpreter_is_gone_then_built_anew_under_the_same_hash(
    service: Service, request_for: Request
) -> None:
    request = request_for("none", {})
    environment = await service().ensure(request)
    folder = environment.python.parent
    folder.chmod(0o755)
    environment.python.unlink()
    environment.python.symlink_to("/nonexistent/python3")
    made = service()
    assert made.list()[0].hash == environment.hash
    again = await made.ensure(request)
    assert (again.hash, again.built) == (environment.hash, True)
    assert again.python.exists()


async def test_lock_when_held_elsewhere_then_waited_for_and_a_cancelled_wait_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "name.lock"
    order: list[str] = []
    first_has_it, let_go = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with hold_file_lock(path):
            order.append("first")
            first_has_it.set()
            await let_go.wait()

    async def second() -> None:
        async with hold_file_lock(path):
            order.append("second")

    holding = asyncio.ensure_future(first())
    await first_has_it.wait()
    impatient = asyncio.ensure_future(second())
    patient = asyncio.ensure_future(second())
    await asyncio.to_thread(lambda: None)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert order == ["first"]
    let_go.set()
    await asyncio.gather(holding, patient)
    assert order == ["first", "second"]
    async with hold_file_lock(path):
        order.append("third")
    assert order[-1] == "third"


def _wait_until_free(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


async def test_list_when_another_server_without_the_folder_has_started_then_what_is_here_is_still_told(
    service: Service, request_for: Request, tmp_path: Path
) -> None:
    here = service()
    request = request_for("requirements", {"requirements.txt": "alpha==1.0\n"})
    environment = await here.ensure(request)
    here.refresh(request, SYSTEM)
    service(data_dir=tmp_path / "elsewhere").open()
    assert [card.hash for card in here.list()] == [environment.hash]
