"""Pages that stay open: what they and the server cost before and after many events, and whether that has grown."""

import json
import re
import sqlite3
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import CDPSession, Page

from fastflow.kernel.db.wakeups import WakeupSender
from fastflow.kit.ids import new_id
from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

_PATIENCE_SECONDS = 120
_COLLECTIONS = 4
"""What a table showed before, a browser lets go of in several steps."""
_UNTIL_PAGES = """async ([count, seconds]) => {
  const end = Date.now() + 1000 * seconds;
  while (Date.now() < end) {
    const told = await (await fetch("/metrics")).text();
    if (told.includes(`fastflow_pages_open ${count}.0`)) return true;
    await new Promise((go) => setTimeout(go, 500));
  }
  return false;
}"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What is held at one moment.

    Attributes:
        memory_bytes: proportional share of the web process.
        files: that it has open.
        threads: of it.
        pages: that it keeps.
        tasks: of its event loop.
        heap_bytes: of all tabs' scripts, after what is garbage was removed.
        nodes: of all tabs' documents, also those that only scripts still hold.
        listeners: of all tabs.
    """

    memory_bytes: int
    files: int
    threads: int
    pages: int
    tasks: int
    heap_bytes: int
    nodes: int
    listeners: int


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """How much something may grow: once, and with every event."""

    once: float
    each: float = 0.0


ALLOWED = {
    "memory_bytes": Allowance(once=10e6, each=150),
    "files": Allowance(once=6),
    "threads": Allowance(once=12),
    "pages": Allowance(once=0),
    "tasks": Allowance(once=6),
    "heap_bytes": Allowance(once=3e6, each=20),
    "nodes": Allowance(once=3000),
    "listeners": Allowance(once=30),
}
"""Caches that fill, a pool's threads, and a table that was replaced and not yet let go of come once; the rest would be a leak: of
a table of fifty runs each refresh makes a thousand nodes."""


class HeldPages:
    """Tabs of one visitor that stay open.

    Args:
        served: the server; started.
        visitor: logged in; its own tab is left alone.
        paths: of the pages.
    """

    def __init__(self, served: Served, visitor: Visitor, paths: Sequence[str]) -> None:
        self._served = served
        self.tabs: list[Page] = []
        self._sessions: list[CDPSession] = []
        for path in paths:
            page = visitor.context.new_page()
            page.goto(f"{served.url}/ui{path}")
            page.locator("main.content h1").wait_for()
            session = visitor.context.new_cdp_session(page)
            session.send("Performance.enable")
            self.tabs.append(page)
            self._sessions.append(session)

    def look(self) -> Cost:
        """What is held now."""
        heap, nodes, listeners = 0, 0, 0
        for session in self._sessions:
            told = [_metrics(session) for _ in range(_COLLECTIONS)]
            heap += min(each["JSHeapUsedSize"] for each in told)
            nodes += min(each["Nodes"] for each in told)
            listeners += min(each["JSEventListeners"] for each in told)
        process = Path(f"/proc/{self._served.child('web')}")
        gauges = self._gauges()
        return Cost(
            memory_bytes=_first_number("Pss", (process / "smaps_rollup").read_text()) * 1024,
            files=len(list((process / "fd").iterdir())),
            threads=_first_number("Threads", (process / "status").read_text()),
            pages=gauges["fastflow_pages_open"],
            tasks=gauges["fastflow_web_tasks"],
            heap_bytes=heap,
            nodes=nodes,
            listeners=listeners,
        )

    def await_pages(self, count: int) -> None:
        """Until the server keeps so many pages: one that was closed is kept a while, for a browser that was only cut off."""
        assert self.tabs[0].evaluate(_UNTIL_PAGES, [count, _PATIENCE_SECONDS]), self._gauges()

    def _gauges(self) -> dict[str, int]:
        request = urllib.request.Request(  # noqa: S310 - of our own server
            f"{self._served.url}/metrics", headers={"Authorization": f"Bearer {self._served.token}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            lines = answer.read().decode().splitlines()
        return {
            line.split()[0]: int(float(line.split()[1])) for line in lines if re.match(r"fastflow_(pages|web)_", line)
        }


def _metrics(session: CDPSession) -> dict[str, int]:
    session.send("HeapProfiler.collectGarbage")
    return {each["name"]: int(each["value"]) for each in session.send("Performance.getMetrics")["metrics"]}


def _first_number(name: str, text: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    assert found, name
    return int(found[1])


def grown(before: Cost, after: Cost, events: int) -> Sequence[str]:
    """What has grown by more than it may."""
    names = [field.name for field in fields(Cost)]
    found = []
    for name, old, new in zip(names, astuple(before), astuple(after), strict=True):
        allowance = ALLOWED[name]
        may = allowance.once + allowance.each * events
        if new - old > may:
            found.append(f"{name} grew by {new - old:,} from {old:,} over {events:,} events; allowed are {may:,.0f}")
    return found


class Happenings:
    """Makes things happen to a run that goes on, faster than any run could: rows as the runner writes them.

    Args:
        served: the server, on SQLite.
        run_id: of a run that goes on and tells nothing itself.
    """

    def __init__(self, served: Served, run_id: str) -> None:
        self._path = served.data / "fastflow.db"
        self._run_id = run_id
        self._sender = WakeupSender(served.data / "run")
        self.events = 0
        self.steps = 0

    def tell(self, count: int, *, ended_runs: int = 1) -> tuple[str, str]:
        """So many events, and some more runs that have ended; the step that is told of last, and the last run's id."""
        self.steps += 1
        step, ended = f"step {self.steps} of many", [new_id() for _ in range(ended_runs)]
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        rows = []
        for number in range(count):
            kind = ("progress", "metric")[number % 2]
            data = {"progress": 0.5, "step": step} if kind == "progress" else {"loss": 1 / (self.events + number + 1)}
            rows.append((self._run_id, now, kind, json.dumps(data)))
        rows.append((self._run_id, now, "state", json.dumps({"status": "RUNNING"})))
        with closing(sqlite3.connect(self._path, timeout=60)) as connection, connection:
            connection.executemany("INSERT INTO run_event (run_id, at, kind, data) VALUES (?, ?, ?, ?)", rows)
            told = json.dumps({"progress": 0.5, "step": step})
            connection.execute("UPDATE run SET progress = ? WHERE id = ?", (told, self._run_id))
            for run_id in ended:
                self._copy(connection, run_id, now)
        self.events += len(rows)
        self._sender.tell_web(f"run {self._run_id}")
        return step, ended[-1]

    def _copy(self, connection: sqlite3.Connection, ended: str, now: str) -> None:
        names = [row[1] for row in connection.execute("PRAGMA table_info(run)")]
        given = {"id": ended, "idempotency_key": None, "status": "SUCCESS", "finished_at": now, "lease_owner": None}
        columns = ", ".join(f'"{name}"' for name in names)
        chosen = ", ".join(f":{name}" if name in given else f'"{name}"' for name in names)
        # only names of columns stand in the statement
        copy = f"INSERT INTO run ({columns}) SELECT {chosen} FROM run WHERE id = :of"  # noqa: S608
        connection.execute(copy, {**given, "of": self._run_id})

    def close(self) -> None:
        """Let go of the socket."""
        self._sender.close()
