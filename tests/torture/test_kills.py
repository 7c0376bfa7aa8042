"""kill -9 of the web process, the runner or both, at every change of a run's state: nothing is lost, nothing doubled.

On SQLite and on a real PostgreSQL. A few hundred kills here; `make torture` (`--full`) makes it 10,000 on each.
"""

import contextlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from fastflow.bootstrap import build_product
from fastflow.kernel.db.engine import Database
from fastflow.kit.identity import SYSTEM, Role
from fastflow.settings import Settings

KILLS = {"sqlite": 135, "postgresql": 40}
"""135: each script, at each moment, with each process killed, once."""
SUBMISSIONS = {"sqlite": 15, "postgresql": 5}
FULL_KILLS = 10_000
CHECK_EVERY = 10
"""Kills between two rounds of waiting for every run to end and looking at all of them."""
PATIENCE_SECONDS = 60.0

PIPELINES = {
    "quick": "print('begin')\nprint('end')\n",
    "chatty": "import time\nprint('begin')\nfor i in range(150):\n    print(i, flush=True)\n    time.sleep(0.002)\nprint('end')\n",
    "failing": "import sys\nprint('begin')\nprint('end')\nsys.exit(3)\n",
    "telling": (
        "import time\nprint('begin')\nfor i in range(20):\n    print('::fastflow::{\"metric\": {\"i\": %d}}' % i, flush=True)\n"
        "    time.sleep(0.005)\nprint('end')\n"
    ),
    "stubborn": "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('begin', flush=True)\ntime.sleep(600)\n",
}
TARGETS = (("runner",), ("web",), ("runner", "web"))


def _make_token(folder: Path, database_url: str) -> str:
    product = build_product(
        Settings(
            _env_file=None,
            database_url=database_url,
            data_dir=folder / "data",
            logs_dir=folder / "logs",
            pipelines_dir=folder / "pipelines",
        )
    )
    token = product.tokens.create("torture", Role.OPERATOR, actor=SYSTEM)[1].reveal()
    product.close()
    return token


class House:
    """Web and runner as two killable processes on one data folder and one database."""

    def __init__(self, folder: Path, database_url: str) -> None:
        folder.chmod(0o755)
        self.database = Database(database_url)
        self.folder = folder
        self.data = folder / "data"
        self.logs = folder / "logs"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pids: dict[str, int] = {}
        pipelines = folder / "pipelines"
        for name, script in PIPELINES.items():
            (pipelines / name).mkdir(parents=True)
            (pipelines / name / "main.py").write_text(script)
        (pipelines / "stubborn" / "pipeline.toml").write_text("grace = 0.2\n[retry]\nmax_retries = 1\n")
        (pipelines / "failing" / "pipeline.toml").write_text('[retry]\ndelays = ["50ms"]\n')
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "DATA_DIR": str(self.data),
            "LOGS_DIR": str(self.logs),
            "PIPELINES_DIR": str(pipelines),
            "PORT": str(self.port),
            "MAX_CONCURRENT_RUNS": "3",
            "WARM_ENVIRONMENTS": "2",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self.token = _make_token(folder, database_url)
        with (folder / "processes.log").open("ab") as log:
            self.nursery = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("nursery.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                pass_fds=[self.listener.fileno()],
                text=True,
            )
        self._answer()
        self.start("web", "runner")

    def _answer(self) -> dict[str, Any]:
        assert self.nursery.stdout is not None
        line = self.nursery.stdout.readline()
        assert line, (self.folder / "processes.log").read_text()[-4000:]
        return json.loads(line)

    def start(self, *names: str) -> None:
        """Start the processes and wait until each says that it serves."""
        assert self.nursery.stdin is not None
        for name in names:
            arguments = ["--listen-fd", self.listener.fileno()] if name == "web" else []
            self.nursery.stdin.write(json.dumps([name, *arguments]) + "\n")
            self.nursery.stdin.flush()
            told = self._answer()
            assert told["ready"], (self.folder / "processes.log").read_text()[-4000:]
            self.pids[name] = told["pid"]

    def kill(self, *names: str) -> None:
        """kill -9, and wait until they are gone."""
        for name in names:
            os.kill(self.pids[name], signal.SIGKILL)
        for name in names:
            while Path(f"/proc/{self.pids[name]}").exists():
                time.sleep(0.0005)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; an OSError or HTTPException when the web process dies under it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            data = json.dumps(body) if body is not None else None
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 500, (answer.status, text)
            return json.loads(text) if answer.status < 400 else {"status_code": answer.status}

    def insist(self, method: str, path: str, body: Any = None) -> Any:
        """The request, repeated until it is answered; safe for whatever has an idempotency key."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self.call(method, path, body)
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise

    def submit(self, pipeline: str, key: str) -> str:
        """The run's id."""
        return str(self.insist("POST", f"/pipelines/{pipeline}/run", {"idempotency_key": key})["id"])

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Read the database directly."""
        with self.database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(text(sql), values)]

    def close(self) -> None:
        """End everything."""
        self.database.close()
        for pid in self.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.nursery.kill()
        self.nursery.wait()
        for stream in (self.nursery.stdin, self.nursery.stdout):
            assert stream is not None
            stream.close()
        self.listener.close()


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    """A running house, ended afterwards."""
    made = House(tmp_path, database_url)
    yield made
    made.close()


def moments(house: House, run_id: str) -> dict[str, Callable[[], bool]]:
    """Every change of a run that can be seen from outside, in their order."""

    def control(name: str) -> Callable[[], bool]:
        return lambda: any(
            (folder / "ctl" / name).exists() for folder in (house.data / "supervised").glob(f"{run_id}.*")
        )

    def status(*wanted: str) -> Callable[[], bool]:
        return lambda: house.rows("SELECT status FROM run WHERE id = :id", id=run_id)[0]["status"] in wanted

    log = house.logs / f"{run_id}.log"
    return {
        "submitted": lambda: True,
        "claimed": status("RUNNING", "SUCCESS", "FAILED"),
        "folder made": lambda: any((house.data / "supervised").glob(f"{run_id}.*")) or ended(house, run_id),
        "supervisor listens": lambda: control("control.sock")() or ended(house, run_id),
        "started": lambda: control("started")() or ended(house, run_id),
        "first line": lambda: log.exists() and b"begin" in log.read_bytes(),
        "end recorded": lambda: control("exit.json")() or ended(house, run_id),
        "row ended": status("SUCCESS", "FAILED"),
        "folder gone": lambda: ended(house, run_id) and not any((house.data / "supervised").glob(f"{run_id}.*")),
    }


def ended(house: House, run_id: str) -> bool:
    """Whether the run's row is terminal."""
    return house.rows("SELECT status FROM run WHERE id = :id", id=run_id)[0]["status"] in ("SUCCESS", "FAILED")


def await_true(what: str, condition: Callable[[], bool], house: House) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            tail = (house.folder / "processes.log").read_text()[-3000:]
            raise AssertionError(f"{what}: not after {PATIENCE_SECONDS:g} s\n{tail}")
        time.sleep(0.0002)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_kills_at_every_state_change_when_restarted_then_every_run_ends_once(
    house: House, database_kind: str, full: bool
) -> None:
    chance = random.Random(20261121)
    kills = itertools.count(1)
    submitted: dict[str, str] = {}
    names = tuple(moments(house, ""))
    for number in itertools.islice(kills, FULL_KILLS if full else KILLS[database_kind]):
        pipeline = tuple(PIPELINES)[number % len(PIPELINES)]
        moment, targets = names[number % len(names)], TARGETS[number // len(names) % len(TARGETS)]
        run_id = house.submit(pipeline, f"key-{number}")
        submitted[run_id] = pipeline
        if pipeline == "stubborn":
            await_true("the stubborn script runs", moments(house, run_id)["first line"], house)
            house.insist("POST", f"/runs/{run_id}/cancel")
        await_true(f"{pipeline}: {moment}", moments(house, run_id)[moment], house)
        time.sleep(chance.uniform(0, 0.004))
        house.kill(*targets)
        house.start(*targets)
        if number % CHECK_EVERY == 0:
            look_at_everything(house, submitted)
            submitted.clear()
    look_at_everything(house, submitted)


def test_submit_when_web_dies_under_it_then_the_same_key_gives_one_run(house: House, database_kind: str) -> None:
    chance = random.Random(7)
    for number in range(SUBMISSIONS[database_kind]):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=10)
            with contextlib.closing(connection):
                connection.request(
                    "POST",
                    "/pipelines/quick/run",
                    json.dumps({"idempotency_key": f"k{number}"}),
                    {"Authorization": f"Bearer {house.token}", "Content-Type": "application/json"},
                )
                time.sleep(chance.uniform(0, 0.01))
                house.kill("web")
                connection.getresponse()
        house.start("web")
        first, second = house.submit("quick", f"k{number}"), house.submit("quick", f"k{number}")
        assert first == second
        assert len(house.rows("SELECT id FROM run WHERE idempotency_key = :key", key=f"k{number}")) == 1


def look_at_everything(house: House, submitted: dict[str, str]) -> None:
    """All invariants, once every run has ended."""
    await_true(
        "every run ends", lambda: not house.rows("SELECT 1 FROM run WHERE status IN ('PENDING', 'RUNNING')"), house
    )
    await_true("nothing is left in supervised", lambda: not any((house.data / "supervised").iterdir()), house)
    for run_id, pipeline in submitted.items():
        (row,) = house.rows("SELECT * FROM run WHERE id = :id", id=run_id)
        lines = [line.split(b" ", 3)[3] for line in (house.logs / f"{run_id}.log").read_bytes().splitlines()]
        context = (pipeline, dict(row), lines[-5:])
        expected = {"failing": ("FAILED", "exit", 3), "stubborn": ("FAILED", "cancelled", row["exit_code"])}
        assert (row["status"], row["reason"], row["exit_code"]) == expected.get(pipeline, ("SUCCESS", None, 0)), context
        assert lines.count(b"begin") == 1, context
        if pipeline != "stubborn":
            assert lines[-1] == b"end", context
        if pipeline == "chatty":
            assert lines[1:-1] == [b"%d" % i for i in range(150)], context
        events = events_of(house, run_id, "metric")
        assert [e["i"] for e in events] == (list(range(20)) if pipeline == "telling" else []), context
        ends = events_of(house, run_id, "state")
        assert sum(end.get("status") in ("SUCCESS", "FAILED") for end in ends) == 1, (context, ends)
        again = house.rows("SELECT attempt, retry_of, reason, exit_code FROM run WHERE root_id = :id", id=run_id)
        once = [{"attempt": 2, "retry_of": run_id, "reason": "exit", "exit_code": 3}]
        assert again == (once if pipeline == "failing" else []), (context, again)
    assert orphans(set(submitted)) == []


def events_of(house: House, run_id: str, kind: str) -> list[Any]:
    told = house.rows(
        "SELECT data FROM run_event WHERE run_id = :id AND kind = :kind ORDER BY id", id=run_id, kind=kind
    )
    return [json.loads(event["data"]) if house.database.is_sqlite else event["data"] for event in told]


def orphans(run_ids: set[str]) -> list[str]:
    """Processes that still carry one of the runs' ids."""
    marks = {f"FASTFLOW_RUN_ID={run_id}".encode() for run_id in run_ids}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marks.intersection((folder / "environ").read_bytes().split(b"\0")):
                found.append(folder.name)
    return found
