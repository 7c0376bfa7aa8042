"""Two servers on one PostgreSQL, killed one after the other while both work: every run runs once and ends once.

A dozen kills here; `make torture` (`--full`) makes it 500.
"""

import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from fastflow.kernel.db.engine import Database
from fastflow.testing.served import Served

KILLS, FULL_KILLS = 12, 500
RUNS_PER_KILL = 6
PATIENCE_SECONDS = 90.0
WORKS = """
import time
print("begun", flush=True)
time.sleep(0.4)
print("over", flush=True)
"""


@contextmanager
def _server(database_url: str, key: str) -> Iterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    settings = {"DATABASE_URL": database_url, "ENCRYPTION_KEY": key, "MAX_CONCURRENT_RUNS": "6"}
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
        for server in (first, second):
            server.add("works", WORKS)
            server.start()
        first.token = second.token = first.cli("tokens", "create", "t", "--role", "operator").stdout.strip()
        yield first, second


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_servers_when_killed_in_turns_then_every_run_runs_once_and_ends_once(
    servers: tuple[Served, Served], database_url: str, full: bool
) -> None:
    dice = random.Random(20261121)
    ids: list[str] = []
    for _ in range(FULL_KILLS if full else KILLS):
        victim, other = dice.sample(servers, 2)
        ids += [other.call("POST", "/pipelines/works/run", {})[1]["id"] for _ in range(RUNS_PER_KILL)]
        threading.Event().wait(dice.random() * 0.6)  # the moment is what is drawn by lot
        _kill(victim, dice.choice(["runner", "web", "both", "all"]))
    with closing(Database(database_url)) as database:
        _await_all_ended(database, len(ids))
        with database.read() as connection:
            rows = connection.execute(text("SELECT id, status, reason, reason_text, host FROM run")).all()
            ends = connection.execute(
                text("SELECT run_id, count(*) FROM run_event WHERE kind = 'state' AND data->>'status' IN "
                     "('SUCCESS', 'FAILED') GROUP BY run_id HAVING count(*) <> 1")
            ).all()  # fmt: skip
    assert sorted(row.id for row in rows) == sorted(ids)
    assert Counter(row.status for row in rows) == {"SUCCESS": len(ids)}, [row for row in rows if row.reason]
    assert ends == [], "a run ended twice"
    assert len({row.host for row in rows}) == 2, "one server did all of it"
    for run_id in ids:
        logs = [server.folder / "logs" / f"{run_id}.log" for server in servers]
        lines = [line for log in logs if log.exists() for line in log.read_text().splitlines()]
        assert [line.split(" ", 3)[3] for line in lines if "[fastflow]" not in line] == ["begun", "over"], lines


def _kill(server: Served, what: str) -> None:
    """Kill -9; what the parent does not start again itself is started again here."""
    assert server.process is not None
    children = [server.child(name) for name in ("web", "runner") if what in (name, "both", "all")]
    if what == "all":
        os.kill(server.process.pid, signal.SIGSTOP)  # else it would start its children again
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    if what != "all":
        for _ in children:
            server.await_line("process is ready again")
        return
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(30)
    assert server.process.stdout is not None
    server.process.stdout.close()
    server.process = None
    server.start()


def _await_all_ended(database: Database, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with database.read() as connection:
            ended = connection.execute(text("SELECT count(*) FROM run WHERE status IN ('SUCCESS', 'FAILED')")).scalar()
        if ended == count:
            return
        assert time.monotonic() < deadline, f"only {ended} of {count} runs have ended"
        threading.Event().wait(0.2)
