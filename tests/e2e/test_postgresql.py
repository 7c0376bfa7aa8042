"""The whole server on PostgreSQL: used, stopped and started again, and its database taken away under it."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from fastflow.testing.postgres import DURABLE, PostgresServer
from fastflow.testing.served import PATIENCE_SECONDS, Served

QUICK = "import os\nprint('hello', os.environ['PARAM_NAME'])\n"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('begun', flush=True)\ntime.sleep(600)\n"
)
PATIENT = """
import os, time
print("begun", flush=True)
while not os.path.exists("{signal}"):
    time.sleep(0.02)
print("ended", flush=True)
"""


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A server of the test's own, which it may stop."""
    server = PostgresServer.start(settings=DURABLE)
    yield server
    server.stop()


@pytest.fixture
def house(served: Served, postgres: PostgresServer) -> Served:
    """A server at work on it."""
    served.environment["DATABASE_URL"] = postgres.create_database("fastflow")
    served.environment["RUN_READABLE_PATHS"] = str(served.folder)
    served.environment["STOP_GRACE"] = "0.2"
    served.add("quick", QUICK)
    served.add("stubborn", STUBBORN)
    served.add("patient", PATIENT.format(signal=served.folder / "go"))
    served.start()
    made = served.cli("tokens", "create", "ci", "--role", "admin")
    served.token = made.stdout.strip()
    assert served.token.startswith("ff_"), made
    return served


def submit(house: Served, name: str, *, wait: bool = False, **params: str) -> Mapping[str, Any]:
    path = f"/pipelines/{name}/run" + (f"?wait={PATIENCE_SECONDS:g}" if wait else "")
    status, run = house.call("POST", path, {"params": params})
    assert status in (200, 202), run
    return run


def await_run(house: Served, run: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """The run, once it has the field: `started_at` or `finished_at`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        status, found = house.call("GET", f"/runs/{run['id']}")
        if status == 200 and found[field] is not None:
            return dict(found)
        assert time.monotonic() < deadline, (run, found)


def log_of(house: Served, run: Mapping[str, Any]) -> str:
    return house.cli("runs", "logs", run["id"]).stdout


def test_serve_when_on_postgresql_then_it_keeps_its_promises(house: Served) -> None:
    assert house.call("GET", "/health")[1]["parts"]["database"]["kind"] == "postgresql"
    assert not (house.data / "fastflow.db").exists()

    run = submit(house, "quick", wait=True, NAME="Ada")
    assert (run["status"], run["exit_code"]) == ("SUCCESS", 0)
    assert log_of(house, run) == "hello Ada\n"
    done = house.cli("run", "quick", "-p", "NAME=Bo")
    assert (done.returncode, done.stdout) == (0, "hello Bo\n"), done

    stubborn = submit(house, "stubborn")
    await_run(house, stubborn, "started_at")
    assert house.call("POST", f"/runs/{stubborn['id']}/cancel", {"reason": "enough"})[0] == 202
    assert await_run(house, stubborn, "finished_at")["reason"] == "cancelled"

    # either process may be killed, and the whole server be stopped and started again, under a run
    patient = submit(house, "patient")
    await_run(house, patient, "started_at")
    for name in ("web", "runner"):
        os.kill(house.child(name), signal.SIGKILL)
        assert name in house.await_line("is ready again")
    assert house.stop() == 0
    house.said.clear()
    house.start()
    assert not any("password" in line for line in house.said)
    assert house.call("GET", f"/runs/{patient['id']}")[1]["status"] == "RUNNING"
    (house.folder / "go").touch()
    followed = house.cli("runs", "logs", patient["id"], "-f")
    assert (followed.returncode, followed.stdout) == (0, "begun\nended\n")
    assert [run["status"] for run in house.call("GET", "/runs?pipeline_name=patient")[1]["items"]] == ["SUCCESS"]


def test_serve_when_the_database_dies_then_runs_go_on_and_their_ends_are_recorded_once_it_is_back(
    house: Served, postgres: PostgresServer
) -> None:
    patient = submit(house, "patient")
    await_run(house, patient, "started_at")

    postgres.halt()
    for method, path, body in (
        ("GET", f"/runs/{patient['id']}", None),
        ("GET", "/pipelines", None),
        ("POST", "/pipelines/quick/run", {"params": {"NAME": "Ada"}}),
        ("POST", f"/runs/{patient['id']}/cancel", {}),
        ("POST", "/auth/login", {"name": "admin", "password": "not-the-password"}),
    ):
        status, problem = house.call(method, path, body)
        assert (status, problem["code"]) == (503, "database_unavailable"), path
        assert "127.0.0.1" not in problem["detail"]
        assert "DATABASE_URL" in problem["hint"]
    assert house.call("GET", "/ready", token="none") == (503, {"ready": False, "missing": ["database"]})
    assert house.call("GET", "/health", token="none") == (200, {"status": "degraded"})
    assert house.call("GET", "/health", token="another")[0] == 200
    shown = house.cli("runs", "show", patient["id"])
    assert shown.returncode == 1
    assert shown.stderr.startswith("Error: The database does not answer")
    assert "Hint: " in shown.stderr

    # the script does not notice, and ends while nobody can write that down
    (house.folder / "go").touch()
    control = next((house.data / "supervised").glob(f"{patient['id']}.*")) / "ctl"
    while not (control / "exit.json").exists():
        pass
    log = (house.folder / "logs" / f"{patient['id']}.log").read_text()
    assert [line.split(" ", 3)[3] for line in log.splitlines()] == ["begun", "ended"]

    postgres.resume()
    ended = await_run(house, patient, "finished_at")
    assert (ended["status"], ended["exit_code"]) == ("SUCCESS", 0)
    assert house.call("GET", "/ready", token="none")[0] == 200
    assert submit(house, "quick", wait=True, NAME="Ada")["status"] == "SUCCESS"
    assert not any("Traceback" in line for line in house.said)
