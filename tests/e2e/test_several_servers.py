"""Two servers, each with folders of its own, on one PostgreSQL."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography.fernet import Fernet

from fastflow.testing.served import Served

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
WORKS = """
import os, pathlib, time
print("of", os.environ["FASTFLOW_RUN_ID"], flush=True)
pathlib.Path(os.environ["FASTFLOW_ARTIFACTS"], "note.txt").write_text(os.environ["FASTFLOW_RUN_ID"])
time.sleep(0.5)
"""
LASTS = """
import os, pathlib, time
print("begun", flush=True)
time.sleep(float(os.environ["PARAM_SECONDS"]))
print("over", flush=True)
"""
LASTS_TOML = '[params.properties.SECONDS]\ntype = "number"\n'


@contextmanager
def _server(database_url: str, key: str) -> Iterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    settings = {
        "DATABASE_URL": database_url,
        "ENCRYPTION_KEY": key,
        "MAX_CONCURRENT_RUNS": "4",
        "LOST_AFTER": "35",
        "LOG_STREAM_RATE_LIMIT": "0",
    }
    made = Served(folder, settings)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def servers(database_url: str) -> Iterator[tuple[Served, Served]]:
    key = Fernet.generate_key().decode()
    with ExitStack() as stack:
        first, second = (stack.enter_context(_server(database_url, key)) for _ in range(2))
        first.add("works", WORKS)
        (first.pipelines / "lasts").mkdir()
        (first.pipelines / "lasts" / "main.py").write_text(LASTS)
        (first.pipelines / "lasts" / "pipeline.toml").write_text(LASTS_TOML)
        first.start()
        second.start()
        first.token = second.token = first.cli("tokens", "create", "t", "--role", "operator").stdout.strip()
        yield first, second


def _host(server: Served) -> str:
    return (server.data / "host_id").read_text()


def _bytes(server: Served, path: str) -> bytes:
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {server.token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        data: bytes = answer.read()
        return data


def _await(server: Served, run_id: str, *states: str, seconds: float = 90) -> Any:
    """The run once it is in one of the states."""
    deadline = time.monotonic() + seconds
    while True:
        _, run = server.call("GET", f"/runs/{run_id}")
        if run["status"] in states or time.monotonic() > deadline:
            assert run["status"] in states, run
            return run
        threading.Event().wait(0.1)


def test_runs_when_submitted_to_one_server_are_shared_and_read_from_both(servers: tuple[Served, Served]) -> None:
    first, second = servers
    ids = [first.call("POST", "/pipelines/works/run", {})[1]["id"] for _ in range(12)]
    runs = [_await(first, run_id, "SUCCESS", "FAILED") for run_id in ids]
    assert [run["status"] for run in runs] == ["SUCCESS"] * 12, runs
    at_first = {path.stem for path in (first.folder / "logs").iterdir()}
    at_second = {path.stem for path in (second.folder / "logs").iterdir()}
    assert at_first | at_second == set(ids), "a log is missing"
    assert not at_first & at_second, "a run was started twice"
    assert at_second, "the second server, which has no such pipeline of its own, took none"
    for run_id in (next(iter(at_first), ids[0]), next(iter(at_second))):
        for server in servers:
            assert _bytes(server, f"/runs/{run_id}/logs") == f"of {run_id}\n".encode()
            events = _bytes(server, f"/runs/{run_id}/logs/stream").decode()
            assert events.count("event: log") == 1 and events.count("event: end") == 1
            assert _bytes(server, f"/logs/stream?job_id={run_id}").decode() == events
            polled = json.loads(_bytes(server, f"/logs/live?since=0&job_id={run_id}"))["items"][0]
            assert [line["line"] for line in polled["lines"]] == [f"of {run_id}"]
            assert _bytes(server, f"/runs/{run_id}/artifacts/note.txt") == run_id.encode()


@pytest.mark.long
def test_server_when_killed_has_its_runs_given_up_by_the_other_and_none_runs_twice(
    servers: tuple[Served, Served],
) -> None:
    first, second = servers
    ids = [first.call("POST", "/pipelines/lasts/run", {"params": {"SECONDS": 300}})[1]["id"] for _ in range(4)]
    started = [_await(first, run_id, "RUNNING") for run_id in ids]
    deadline = time.monotonic() + 30
    while not all(_begun(servers, run_id) for run_id in ids):
        assert time.monotonic() < deadline, "a run has not begun"
        started = [_await(first, run_id, "RUNNING") for run_id in ids]
    here = {path.stem for path in (second.folder / "logs").iterdir()} & set(ids)
    there = set(ids) - here
    victim, survivor, lost, kept = (first, second, there, here) if there else (second, first, here, there)
    _kill_all(victim)
    for run_id in lost:
        run = _await(survivor, run_id, "FAILED")
        assert run["reason"] == "lost" and "did not come back" in run["reason_text"], run
    for run_id in kept:
        assert survivor.call("GET", f"/runs/{run_id}")[1]["status"] == "RUNNING"
        survivor.call("POST", f"/runs/{run_id}/cancel", {})
        _await(survivor, run_id, "FAILED")
    victim.process = None
    victim.start()
    for run_id in lost:  # what went on unseen is ended by the server that comes back, and the row stays as it is
        _await_gone(run_id)
        run = survivor.call("GET", f"/runs/{run_id}")[1]
        assert run["reason"] == "lost"
        _await_last_line(victim.folder / "logs" / f"{run_id}.log", f"[fastflow] the run is lost: {run['reason_text']}")
    assert [run["status"] for run in started] == ["RUNNING"] * 4
    logs = [path for server in servers for path in (server.folder / "logs").iterdir() if path.stem in set(ids)]
    assert len(logs) == 4, "a run was started twice"


def test_stop_when_asked_of_the_other_server_ends_the_run(servers: tuple[Served, Served]) -> None:
    first, second = servers
    ids = [first.call("POST", "/pipelines/lasts/run", {"params": {"SECONDS": 300}})[1]["id"] for _ in range(4)]
    for run_id in ids:
        _await(first, run_id, "RUNNING")
        status, _ = second.call("POST", f"/runs/{run_id}/cancel", {})
        assert status in (200, 202)
    assert [_await(first, run_id, "FAILED", seconds=30)["reason"] for run_id in ids] == ["cancelled"] * 4


def _begun(servers: tuple[Served, Served], run_id: str) -> bool:
    logs = [server.folder / "logs" / f"{run_id}.log" for server in servers]
    return any(path.exists() and b"begun" in path.read_bytes() for path in logs)


def _kill_all(server: Served) -> None:
    """As if the machine's power had gone for the server: parent, web and runner at once; the runs' supervisors stay."""
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)  # it would start its children again, and they would stop in order
    for pid in (server.child("web"), server.child("runner"), server.process.pid):
        os.kill(pid, signal.SIGKILL)
    server.process.wait(30)
    assert server.process.stdout is not None
    server.process.stdout.close()


def _await_gone(run_id: str) -> None:
    deadline = time.monotonic() + 30
    while any(_is_of(process, run_id) for process in psutil.process_iter()):
        assert time.monotonic() < deadline, subprocess.run(["ps", "auxww"], capture_output=True, text=True).stdout
        psutil.wait_procs([process for process in psutil.process_iter() if _is_of(process, run_id)], timeout=1)


def _await_last_line(log: Path, line: str) -> None:
    deadline = time.monotonic() + 30
    while not log.read_text().endswith(f"{line}\n"):
        assert time.monotonic() < deadline, log.read_text()
        threading.Event().wait(0.1)


def _is_of(process: psutil.Process, run_id: str) -> bool:
    try:
        return process.environ().get("FASTFLOW_RUN_ID") == run_id
    except psutil.Error:
        return False
