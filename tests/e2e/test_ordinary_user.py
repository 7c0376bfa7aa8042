"""The whole server as an ordinary user: what `doctor` says of isolation is what a run finds."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.environments.projects import write_local_project

from fastflow.testing.ordinary import OrdinaryUser
from fastflow.testing.served import PATIENCE_SECONDS, Served

LOOKS = """
import json, os, pathlib, signal, sys
import lib

def tried(attempt):
    try:
        return str(attempt())
    except Exception as error:
        return type(error).__name__

def written(path):
    os.chmod(path, 0o666)
    with open(path, "a") as file:
        file.write("changed")

data, server = pathlib.Path({data!r}), int(os.environ["PARAM_SERVER"])
found = dict(
    key=tried((data / "encryption.key").read_text),
    database=tried((data / "fastflow.db").read_bytes),
    logs=tried(lambda: os.listdir({logs!r})),
    others=tried(lambda: os.listdir(data / "artifacts")),
    server_environment=tried(lambda: open(f"/proc/{{server}}/environ").read()),
    kill=tried(lambda: os.kill(server, signal.SIGTERM)),
    environment=tried(lambda: written(lib.__file__)),
    cache=tried(lambda: os.listdir(data / "uv_cache")),
    processes=sorted(int(name) for name in os.listdir("/proc") if name.isdigit())[:1000],
    server_pid=server,
    variables=sorted(os.environ),
    user=os.getuid(),
)
print("::fastflow::" + json.dumps({{"output": found}}))
print("unfinished", end="")
"""
LONELY = "import os\nprint(sorted(os.listdir('/sys/class/net')), open('/proc/net/dev').read().count(':'))\n"
HUNGRY = "block = []\nwhile True:\n    block.append(bytearray(8_000_000))\n"


@pytest.fixture
def house() -> Iterator[Served]:
    """A server started by an ordinary user, in folders of their own."""
    user, folder = OrdinaryUser(), Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    made = Served(folder, {"HOME": str(folder), "SESSION_SECRET": "of-the-server"}, prefix=user.prefix(folder))
    pipelines = made.pipelines
    write_local_project(pipelines / "looks" / "lib")
    (pipelines / "looks" / "main.py").write_text(LOOKS.format(data=str(made.data), logs=str(folder / "logs")))
    (pipelines / "looks" / "requirements.txt").write_text("./lib\n")
    made.add("lonely", LONELY)
    (pipelines / "hungry").mkdir()
    (pipelines / "hungry" / "main.py").write_text(HUNGRY)
    (pipelines / "hungry" / "pipeline.toml").write_text('[limits]\nmemory = "200MB"\n')
    made.add("patient", "import time\nprint('begun', flush=True)\ntime.sleep(600)\n")
    user.own(folder)
    made.start()
    made.token = made.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


def run(house: Served, name: str, **params: str) -> dict[str, Any]:
    status, ended = house.call("POST", f"/pipelines/{name}/run?wait={PATIENCE_SECONDS:g}", {"params": params})
    assert status == 200, ended
    return dict(ended)


def doctor(house: Served) -> dict[str, dict[str, Any]]:
    told = json.loads(house.cli("doctor", "--json").stdout)
    return {check["name"]: check for check in told["checks"]}


def test_server_when_started_by_an_ordinary_user_then_runs_are_kept_apart_as_doctor_says(house: Served) -> None:
    user = OrdinaryUser()
    assert house.process is not None
    assert Path(f"/proc/{house.process.pid}").stat().st_uid == user.uid
    told = doctor(house)["isolation"]
    executor = house.call("GET", "/health")[1]["parts"]["runner"]["executors"]["process"]
    assert f"runs act as user {user.uid} (the server's own)" in told["text"]
    for name in executor["namespaces"]:
        assert name in told["text"]
    assert told["ok"] is all(name in executor["namespaces"] for name in ("mount", "pid", "ipc", "network"))
    assert executor["files"] in ("view", "landlock"), "this machine allows an ordinary user no isolation at all"

    ended = run(house, "looks", SERVER=str(house.process.pid))
    assert ended["status"] == "SUCCESS", house.cli("runs", "logs", ended["id"]).stdout
    assert ended["isolation"]["files"] == executor["files"]
    assert set(ended["isolation"]["namespaces"]) <= set(executor["namespaces"])
    found = ended["outputs"]
    assert found["user"] == user.uid
    refused = ("FileNotFoundError", "PermissionError", "OSError", "ProcessLookupError", "NotADirectoryError")
    for what in ("key", "database", "logs", "server_environment", "kill", "environment"):
        assert found[what] in refused, (what, found[what])
    for what in ("others", "cache"):
        assert found[what] in refused or ended["id"] in found[what], (what, found[what])
    if "pid" in executor["namespaces"] and "mount" in executor["namespaces"]:
        assert len(found["processes"]) < 10
    assert not {"SESSION_SECRET", "DATABASE_URL", "ENCRYPTION_KEY", "PYTHONPATH"} & set(found["variables"])
    assert house.cli("runs", "logs", ended["id"]).stdout == "unfinished"
    os.kill(house.process.pid, 0)

    # what the run asked for in vain is whole: a second one gets the same environment
    again = run(house, "looks", SERVER=str(house.process.pid))
    assert (again["status"], again["environment"]) == ("SUCCESS", ended["environment"])


def test_server_when_started_by_an_ordinary_user_then_limits_ends_and_restarts_hold(house: Served) -> None:
    executor = house.call("GET", "/health")[1]["parts"]["runner"]["executors"]["process"]
    limits = doctor(house)["limits"]
    assert f"memory by {executor['memory_limit']}" in limits["text"]
    pids = executor["pids_limit"]
    assert ("not enforced: pids" if pids == "none" else f"pids by {pids}") in limits["text"]
    assert limits["ok"] or limits["remedy"]
    assert run(house, "hungry")["reason"] == "oom"

    assert run(house, "lonely")["status"] == "SUCCESS"
    if "network" in executor["namespaces"]:
        (house.pipelines / "lonely").mkdir()
        (house.pipelines / "lonely.py").rename(house.pipelines / "lonely" / "main.py")
        (house.pipelines / "lonely" / "pipeline.toml").write_text("network = false\n")
        assert house.cli("runs", "logs", run(house, "lonely")["id"]).stdout.endswith(" 1\n")

    status, patient = house.call("POST", "/pipelines/patient/run", {})
    assert status == 202
    while house.call("GET", f"/runs/{patient['id']}")[1]["started_at"] is None:
        pass
    os.kill(house.child("runner"), signal.SIGKILL)
    house.await_line("is ready again")
    assert house.call("GET", f"/runs/{patient['id']}")[1]["status"] == "RUNNING"
    assert house.call("POST", f"/runs/{patient['id']}/cancel", {})[0] == 202
    while (ended := house.call("GET", f"/runs/{patient['id']}")[1])["finished_at"] is None:
        pass
    assert ended["reason"] == "cancelled"
    assert house.stop() == 0
