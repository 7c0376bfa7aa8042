"""What 10,000 schedules cost: when nothing is due, and when all are due at the same moment."""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.cpu import cpu_shares
from bench.figures import Figure, median, spread
from bench.server import Server, serving

SCHEDULES = 10_000
STARTED = 1_000
LOOKS = 20


def bench_schedules(folder: Path) -> list[Figure]:
    """Idle cost with none and with 10,000 schedules; 10,000 due times decided; 1,000 runs started."""
    with serving(folder / "schedules") as server:
        server.client().run("trivial", wait=60)
        before = cpu_shares(server.process.pid, LOOKS)
        job = {"pipeline_name": "trivial", "trigger": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"}
        call(server, "POST", "/scheduler/jobs", job)
        fill(server.data / "fastflow.db")
        after = cpu_shares(server.process.pid, LOOKS)
        call(server, "POST", "/scheduler/pipelines/trivial/pause", {})
        decided = all_at_once(server, SCHEDULES, "paused")
        call(server, "POST", "/scheduler/pipelines/trivial/resume")
        started = all_at_once(server, STARTED, "started")
    extra = max(0.0, median(after) - median(before))
    return [
        Figure(
            f"{SCHEDULES:,} schedules, none due: CPU of all server processes",
            f"{median(after):.2f} % of a core",
            f"{extra:.2f} % more than with none",
            "< 5 %",
            spread(after, "%", 1),
        ),
        Figure(f"{SCHEDULES:,} due at the same moment: all decided (paused)", f"{decided:.1f} s", "", "", "n = 1"),
        Figure(f"{STARTED:,} due at the same moment: all runs submitted", f"{started:.1f} s", "", "", "n = 1"),
    ]


def fill(database: Path) -> None:
    """Copies of the one schedule there is, due at all seconds of the day after tomorrow."""
    connection = sqlite3.connect(database, timeout=60)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(schedule)")]
    base = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=2)
    due = f"strftime('%Y-%m-%d %H:%M:%S.000000', '{base.isoformat(sep=' ')}', '+' || (n * 8) || ' seconds')"
    values = {
        "id": "printf('00%06x-0000-7000-8000-%012x', n / 4096, n)",
        "name": "'copy-' || n",
        "next_due_at": due,
        "next_fire_at": due,
    }
    chosen = ", ".join(values.get(column, f'"{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    connection.execute(
        f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {SCHEDULES}) "
        f"INSERT INTO schedule ({names}) SELECT {chosen} FROM c, (SELECT * FROM schedule LIMIT 1)"
    )
    connection.commit()
    connection.close()


def all_at_once(server: Server, count: int, outcome: str) -> float:
    """Seconds from the moment at which so many schedules are due until each has its row with the outcome."""
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
    text = moment.replace(tzinfo=None).isoformat(sep=" ") + ".000000"
    connection = sqlite3.connect(server.data / "fastflow.db", timeout=60)
    connection.execute(
        "UPDATE schedule SET next_due_at = ?, next_fire_at = ? WHERE id IN (SELECT id FROM schedule LIMIT ?)",
        (text, text, count),
    )
    connection.commit()
    wake(server)
    query = "SELECT count(*) FROM occurrence WHERE due_at = ? AND outcome = ?"
    await_true(lambda: connection.execute(query, (text, outcome)).fetchone()[0] == count)
    connection.close()
    return (datetime.now(UTC) - moment).total_seconds()


def wake(server: Server) -> None:
    """Any change of a schedule wakes the scheduler."""
    job = call(server, "GET", "/scheduler/jobs?limit=1")["items"][0]
    call(server, "PATCH", f"/scheduler/jobs/{job['id']}", {"priority": job["priority"] + 1})


def call(server: Server, method: str, path: str, body: Any = None) -> Any:
    """Over a connection of its own: one that was silent for long is closed by the server."""
    client = server.client()
    try:
        return client.call(method, path, body)
    finally:
        client.close()


def await_true(look: Callable[[], bool]) -> None:
    deadline = time.time() + 600
    while not look():
        assert time.time() < deadline, "it never came"
        time.sleep(0.05)
