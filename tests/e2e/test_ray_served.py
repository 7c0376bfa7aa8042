"""Runs on a Ray cluster through the whole product: a real server, its runner killed, a real cluster."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from fastflow.kernel.executors.ray.sessions import members_of
from fastflow.testing.ray_cluster import VICTIM, RayCluster
from fastflow.testing.served import Served

pytestmark = pytest.mark.xdist_group("ray-beside")

PATIENCE_SECONDS = 120.0
SCRIPT = """
import os, time
attempt = os.environ["FASTFLOW_ATTEMPT"]
print("attempt", attempt, flush=True)
if attempt == "1":
    time.sleep(600)
with open(os.environ["FASTFLOW_ARTIFACTS"] + "/table.csv", "w") as file:
    file.write("a,b\\n")
"""
ROOM = 1 << 45
SPARE = "127.0.0.5"
SETTINGS = '[limits]\nmemory = "16TB"\n[retry]\nmax_retries = 1\ndelay = "1s"\non = ["lost"]\n'


@pytest.fixture
def server(served: Served) -> Iterator[Served]:
    """A server whose runs go to Ray, not started yet."""
    served.environment.update(
        EXECUTOR="ray", RAY_CPUS="0.1", RAY_NODE_DIR=str(served.folder / "node"), UV_PRE_HEAT="false"
    )
    folder = served.pipelines / "report"
    folder.mkdir()
    (folder / "main.py").write_text(SCRIPT)
    (folder / "pipeline.toml").write_text(SETTINGS)
    yield served
    served.close()


def _start(server: Served) -> None:
    server.start()
    server.token = server.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()


def _until(holds: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


def _get(server: Served, path: str) -> Any:
    status, answer = server.call("GET", path)
    assert status == 200, answer
    return answer


@pytest.fixture
def add_node(ray_cluster: RayCluster) -> Iterator[Callable[[str], int]]:
    """Starts a node with room for the test's runs, which nobody else has; the leader of its session."""
    leaders: list[int] = []

    def add(ip: str) -> int:
        leaders.append(ray_cluster.add_node(ip, memory=ROOM))
        return leaders[-1]

    yield add
    for leader in leaders:
        _kill_node(leader)


def _kill_node(leader: int) -> None:
    """With all on it, whatever session that is in, as when a machine loses its power: all stand still before one is gone, so
    that none of them tells of another's end."""
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(leader)
        still: dict[int, psutil.Process] = {}
        while new := [each for each in (top, *top.children(recursive=True)) if each.pid not in still]:
            for process in new:
                still[process.pid] = process
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
        for process in still.values():
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_run_when_its_runner_and_then_its_node_are_killed_then_found_again_told_and_tried_again_on_another_node(
    server: Served, ray_cluster: RayCluster, add_node: Callable[[str], int]
) -> None:
    node = add_node(VICTIM)
    server.environment.update(RAY_ADDRESS=ray_cluster.address, RAY_AUTH_TOKEN=ray_cluster.token)
    _start(server)
    _until(lambda: _get(server, "/health")["parts"].get("cluster", {}).get("ok"), "/health tells of the cluster")
    status, run = server.call("POST", "/pipelines/report/run", {"params": {}})
    assert status in (200, 202), run
    log = server.folder / "logs" / f"{run['id']}.log"
    _until(lambda: log.exists() and b"attempt 1" in log.read_bytes(), "the script runs")

    os.kill(server.child("runner"), signal.SIGKILL)
    server.await_line("runner.ready")
    assert _get(server, f"/runs/{run['id']}")["status"] == "RUNNING"
    jobs = ray_cluster.ask("GET", "/api/jobs/")
    ours = [job for job in jobs if (job["metadata"] or {}).get("fastflow-run-id") == run["id"]]
    assert len(ours) == 1, "a new runner does not submit it again"
    add_node(SPARE)
    _kill_node(node)

    ended = _until(lambda: (found := _get(server, f"/runs/{run['id']}"))["status"] == "FAILED" and found, "its end")
    assert ended["reason"] == "lost" and VICTIM in ended["reason_text"] and "died" in ended["reason_text"]
    assert log.read_text().endswith(f"[fastflow] the run is lost: {ended['reason_text']}\n")
    retried = _until(
        lambda: [
            found for found in _get(server, f"/runs?root_id={run['id']}")["items"] if found["status"] == "SUCCESS"
        ],
        "the second attempt succeeds",
    )
    kept = server.data / "artifacts" / retried[0]["id"] / "table.csv"
    assert kept.read_text() == "a,b\n"
    _until(lambda: list((server.data / "ray").glob("*.[0-9]*")) == [], "nothing is kept of either attempt")


def test_serve_when_no_cluster_is_named_then_one_is_started_here_and_ends_with_the_server(server: Served) -> None:
    server.add("hello", "print('hello from ray')")
    _start(server)
    status, run = server.call("POST", "/pipelines/hello/run?wait=50", {"params": {}})
    assert status in (200, 202), run
    ended = _until(
        lambda: (found := _get(server, f"/runs/{run['id']}"))["status"] in ("SUCCESS", "FAILED") and found, "its end"
    )
    assert ended["status"] == "SUCCESS", ended
    told = json.loads((server.data / "ray" / "cluster" / "cluster.json").read_text())
    assert told["address"].startswith("http://127."), "nobody else's machine reaches it"
    server.close()
    assert not (server.data / "ray" / "cluster" / "cluster.json").exists()
    assert members_of(told["pid"]) == set() and not Path(told["folder"]).exists()
