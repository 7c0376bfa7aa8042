"""Container runs through the whole server: submitted over HTTP, executed on a real engine."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fastflow.testing.docker_engine import WORKER_IMAGE
from fastflow.testing.served import PATIENCE_SECONDS, Served

SECRET = "kept-from-the-engine-0815"
HELLO = """
import json, os, sys
print("hello", os.environ["PARAM_CITY"], json.load(open(os.environ["FASTFLOW_PARAMS"]))["CITY"])
print("token is", os.environ["TOKEN"], file=sys.stderr)
print('::fastflow::{"metric": {"auc": 0.5}}')
open(os.environ["FASTFLOW_ARTIFACTS"] + "/made.txt", "w").write("in a container")
"""
PATIENT = """
import time
print("begun", flush=True)
for number in range(600):
    print(number, flush=True)
    time.sleep(0.05)
    if {last} and number >= {last}:
        break
print("ended", flush=True)
"""


class Doorman:
    """Stands before the engine's socket, passes everything on, and writes down which processes come."""

    def __init__(self, path: Path, engine: Path) -> None:
        self.host = f"unix://{path}"
        self.visitors: set[int] = set()
        self._engine = engine
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self._listener.accept()
            except OSError:
                return
            peer = visitor.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            self.visitors.add(struct.unpack("3i", peer)[0])
            engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            engine.connect(str(self._engine))
            threading.Thread(target=self._pass_on, args=(visitor, engine), daemon=True).start()

    @staticmethod
    def _pass_on(visitor: socket.socket, engine: socket.socket) -> None:
        with visitor, engine, suppress(ConnectionError):  # the runner may have been killed
            while True:
                ready, _, _ = select.select([visitor, engine], [], [])
                for side, other in ((visitor, engine), (engine, visitor)):
                    if side in ready:
                        data = side.recv(1 << 16)
                        if not data:
                            return
                        other.sendall(data)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def doorman(served: Served, docker_host: str) -> Iterator[Doorman]:
    made = Doorman(served.folder / "engine.sock", Path(docker_host.removeprefix("unix://")))
    yield made
    made.close()


@pytest.fixture
def server(served: Served, doorman: Doorman, docker_host: str) -> Iterator[Served]:
    """A server with container runs, not started yet; in the end its containers are gone."""
    served.environment.update(
        EXECUTOR="docker",
        RUN_MEMORY="200MB",
        DOCKER_HOST=doorman.host,
        WORKER_BASE_IMAGE=WORKER_IMAGE,
        STOP_GRACE="1s",
        UV_PRE_HEAT="false",
    )
    yield served
    served.close()
    identity = served.data / "containers" / "identity"
    if identity.exists():
        owner = json.loads(identity.read_text())["identity"]
        for container in listed(docker_host, f"fastflow-data={owner}"):
            docker(docker_host, "rm", "-f", container)


def docker(host: str, *arguments: str) -> str:
    done = subprocess.run(["docker", "-H", host, *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def listed(host: str, label: str) -> list[str]:
    return docker(host, "ps", "-aq", "--no-trunc", "--filter", f"label={label}").split()


def start(server: Served) -> None:
    server.start()
    if not server.token:
        server.token = server.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()


def run(server: Served, pipeline: str, wait: float = 60, **body: Any) -> Any:
    status, answer = server.call("POST", f"/pipelines/{pipeline}/run?wait={wait:g}", {"params": {}, **body})
    assert status in (200, 202), answer
    return answer


def await_end(server: Served, run_id: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = server.call("GET", f"/runs/{run_id}")[1]
        if found["status"] in ("SUCCESS", "FAILED"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{run_id} did not end")


def log_of(server: Served, run_id: str) -> str:
    return (server.folder / "logs" / f"{run_id}.log").read_text()


def await_logged(server: Served, run_id: str, text: str) -> None:
    path = server.folder / "logs" / f"{run_id}.log"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < deadline, f"{text!r} never came"
        time.sleep(0.02)


def test_serve_when_runs_go_into_containers_then_all_promises_hold_and_only_the_runner_asks_the_engine(
    server: Served, doorman: Doorman, docker_host: str
) -> None:
    folder = server.pipelines / "greeting"
    folder.mkdir()
    (folder / "main.py").write_text(HELLO)
    (folder / "pipeline.toml").write_text(
        'secrets = ["TOKEN"]\nnetwork = false\n[params]\nrequired = ["CITY"]\n'
        '[params.properties.CITY]\ntype = "string"\n'
    )
    server.add("patient", PATIENT.format(last=0))
    server.add("hungry", "chunks = []\nwhile True: chunks.append(bytearray(1 << 22))")
    start(server)
    assert server.call("POST", "/secrets", {"key": "TOKEN", "value": SECRET, "pipelines": ["greeting"]})[0] < 300

    greeting = run(server, "greeting", params={"CITY": "Köln"})
    assert greeting["status"] == "SUCCESS", (greeting, log_of(server, greeting["id"]))
    log = log_of(server, greeting["id"])
    assert "hello Köln Köln" in log and "token is ***" in log and SECRET not in log and "::fastflow::" not in log
    assert greeting["isolation"]["files"] == "container" and greeting["isolation"]["network"] is False
    assert greeting["interpreter"].startswith("cpython-3.11") and "+image." in greeting["interpreter"]
    artifacts = server.call("GET", f"/runs/{greeting['id']}/artifacts")[1]["items"]
    assert [artifact["path"] for artifact in artifacts] == ["made.txt"]

    again = server.call("POST", f"/runs/{greeting['id']}/rerun", {"exact": True})[1]
    assert await_end(server, again["id"])["environment"] == greeting["environment"]

    patient = run(server, "patient", wait=0)
    await_logged(server, patient["id"], "begun")
    (container,) = listed(docker_host, f"fastflow-run-id={patient['id']}")
    assert SECRET not in docker(docker_host, "inspect", container)
    assert server.call("POST", f"/runs/{patient['id']}/cancel", {"reason": "enough"})[0] < 300
    cancelled = await_end(server, patient["id"])
    assert cancelled["reason"] == "cancelled" and cancelled["reason_text"].endswith("enough")
    hungry = run(server, "hungry")
    assert hungry["reason"] == "oom", json.dumps(hungry)
    assert "200 MB" in hungry["reason_text"]

    health = server.call("GET", "/health")[1]
    assert health["parts"]["engine"]["ok"] is True
    assert health["parts"]["runner"]["executors"]["docker"]["reachable"] is True
    assert doorman.visitors == {server.child("runner")}, "the web process, or its parent, asked the engine"
    owner = json.loads((server.data / "containers" / "identity").read_text())["identity"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while listed(docker_host, f"fastflow-data={owner}"):
        assert time.monotonic() < deadline, "a container was left behind"
        time.sleep(0.1)


def test_runner_when_killed_then_container_runs_go_on_and_one_whose_container_went_is_lost(
    server: Served, docker_host: str
) -> None:
    server.add("patient", PATIENT.format(last=60))
    server.add("endless", PATIENT.format(last=0))
    start(server)
    going_on, doomed = run(server, "patient", wait=0), run(server, "endless", wait=0)
    for each in (going_on, doomed):
        await_logged(server, each["id"], "begun")
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)  # so that it does not start the runner again at once
    os.kill(server.child("runner"), signal.SIGKILL)
    docker(docker_host, "rm", "-f", *listed(docker_host, f"fastflow-run-id={doomed['id']}"))
    os.kill(server.process.pid, signal.SIGCONT)
    lost = await_end(server, doomed["id"])
    assert lost["reason"] == "lost" and "removed from outside" in lost["reason_text"]
    assert log_of(server, doomed["id"]).endswith(f"[fastflow] the run is lost: {lost['reason_text']}\n")
    ended = await_end(server, going_on["id"])
    assert ended["status"] == "SUCCESS", ended
    printed = [line.split(" ", 3)[3] for line in log_of(server, going_on["id"]).splitlines()]
    assert printed == ["begun", *map(str, range(61)), "ended"]


def test_server_when_stopped_and_started_then_a_container_run_that_ended_meanwhile_is_closed_with_its_exit(
    server: Served,
) -> None:
    server.add("patient", PATIENT.format(last=40) + "raise SystemExit(7)")
    start(server)
    patient = run(server, "patient", wait=0)
    await_logged(server, patient["id"], "begun")
    server.stop()
    await_logged(server, patient["id"], "ended")
    start(server)
    ended = await_end(server, patient["id"])
    assert (ended["reason"], ended["exit_code"]) == ("exit", 7)


def test_run_without_a_server_when_it_goes_into_a_container_then_seen_through_and_nothing_left(
    server: Served, docker_host: str
) -> None:
    server.environment["DOCKER_POOL"] = "2"
    server.add("hello", "import sys\nprint('from', sys.platform)\nsys.exit(3)")
    done = server.cli("run", "hello")
    assert (done.returncode, done.stdout) == (3, "from linux\n"), done.stderr
    owner = json.loads((server.data / "containers" / "identity").read_text())["identity"]
    assert listed(docker_host, f"fastflow-data={owner}") == []


def test_run_when_it_names_the_executor_then_it_goes_there_and_the_others_stay(server: Served) -> None:
    server.environment["EXECUTOR"] = "process"
    wheels = server.folder / "wheels"
    wheels.mkdir()
    make_wheel(wheels)
    server.environment.update(UV_FIND_LINKS=str(wheels), UV_NO_INDEX="1", UV_OFFLINE="1")
    folder = server.pipelines / "packaged"
    folder.mkdir()
    (folder / "main.py").write_text("import sys, alpha\nprint(alpha.VERSION, sys.prefix)")
    (folder / "requirements.txt").write_text("alpha==1.0\n")
    (folder / "pipeline.toml").write_text("[limits]\ncpus = 4096\n")  # which an engine would refuse
    start(server)
    here, there = run(server, "packaged"), run(server, "packaged", executor="docker")
    for each in (here, there):
        assert each["status"] == "SUCCESS", log_of(server, each["id"])
    assert (here["executor"], there["executor"]) == ("process", "docker")
    assert here["environment"] != there["environment"]
    assert "1.0 /fastflow/env" in log_of(server, there["id"])
    for each in (here, there):
        assert "[fastflow] limits.cpus is 4096, but the machine has " in log_of(server, each["id"])
    assert run(server, "packaged", executor="docker")["environment"] == there["environment"]
    assert "engine" not in server.call("GET", "/health")[1]["parts"]
    assert "containers: engine" in server.cli("doctor").stdout


def make_wheel(folder: Path) -> None:
    info = "alpha-1.0.dist-info"
    with zipfile.ZipFile(folder / "alpha-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("alpha.py", 'VERSION = "1.0"\n')
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"alpha.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def test_serve_when_the_engine_is_away_then_it_starts_says_so_and_container_runs_fail_in_words(served: Served) -> None:
    nowhere = served.folder / "nowhere.sock"
    served.environment.update(EXECUTOR="docker", DOCKER_HOST=f"unix://{nowhere}", UV_PRE_HEAT="false")
    served.add("hello", "print('hello')")
    start(served)
    failed = run(served, "hello", wait=30)
    assert (failed["status"], failed["reason"]) == ("FAILED", "setup")
    assert str(nowhere) in failed["reason_text"]
    assert run(served, "hello", executor="process")["status"] == "SUCCESS"
    health = served.call("GET", "/health")[1]
    assert health["status"] == "degraded" and str(nowhere) in health["parts"]["engine"]["problem"]
    doctor = served.cli("doctor")
    assert doctor.returncode != 0 and str(nowhere) in doctor.stdout


def test_serve_when_the_image_is_missing_then_the_run_says_how_to_get_it(server: Served) -> None:
    server.environment["WORKER_BASE_IMAGE"] = "127.0.0.1:9/nowhere:1"
    server.add("hello", "print('hello')")
    start(server)
    failed = run(server, "hello")
    assert (failed["status"], failed["reason"]) == ("FAILED", "setup")
    assert "docker pull 127.0.0.1:9/nowhere:1" in failed["reason_text"] and "make worker-image" in failed["reason_text"]
    assert "pulling the image 127.0.0.1:9/nowhere:1" in log_of(server, failed["id"])
    assert server.call("GET", "/health")[1]["parts"]["engine"]["image_here"] is False
    assert "without the image 127.0.0.1:9/nowhere:1" in server.cli("doctor").stdout
    assert run(server, "hello", executor="process")["status"] == "SUCCESS"
