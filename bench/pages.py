"""What the pages cost: how soon they are there with many runs, and what open ones take from a quiet server."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import Page

from bench.cpu import cpu_shares
from bench.figures import Figure, median, spread
from bench.rows import make_one, settle, spread_runs
from bench.server import Client, Server, serving
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import migrate
from fastflow.kernel.runs.domain.run import RunFilter
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.testing.browser import Visitor, open_browser
from fastflow.testing.postgres import SETTLED, PostgresServer
from fastflow.ui.rooms.overview.heat import edges_of

SIZES = (100_000, 1_000_000)
REPETITIONS = 15
DASHBOARDS = 50
LOOKS = 8
DEEP = 100_000
PASSWORD = "correct-horse-battery"
_PAINTED = "performance.getEntriesByName('first-contentful-paint').length > 0"
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
_ANSWER = "performance.getEntriesByType('navigation')[0].responseEnd / 1000"


def bench_pages(folder: Path, floor: Callable[[], float]) -> list[Figure]:
    """First paints with 100,000 and 1,000,000 runs, and 50 open dashboards."""
    found: list[Figure] = []
    with ExitStack() as stack:
        server = stack.enter_context(serving(folder / "pages"))
        browser = stack.enter_context(open_browser())
        server.client().run("trivial", wait=60)
        visitor = log_in_first(Visitor(browser, f"http://127.0.0.1:{server.port}"), server)
        there = 0
        for size in SIZES:
            with closing(Database(f"sqlite:///{server.data}/fastflow.db")) as database, database.write() as connection:
                spread_runs(connection, size - there, first=there)
            there = size
            found += [
                first_paint(visitor, "/", f"dashboard, {size:,} runs", floor, "≤ 1 s" if size == SIZES[0] else "")
            ]
            if size == SIZES[0]:
                found.append(open_dashboards(visitor, server))
        found.append(first_paint(visitor, "/runs", f"runs, newest of {there:,}", floor, ""))
        cursor = deep_cursor(server.client())
        found.append(first_paint(visitor, f"/runs?cursor={cursor}", f"runs, {DEEP:,} deep in {there:,}", floor, ""))
        assert not visitor.complaints, visitor.complaints
    return found


def log_in_first(visitor: Visitor, server: Server) -> Visitor:
    """As the first administrator."""
    told = re.search(r"one-time password (\S+)", (server.data.parent / "server.log").read_text())
    assert told
    visitor.log_in("admin", told[1])
    visitor.choose_password(told[1], PASSWORD)
    return visitor


def first_paint(visitor: Visitor, path: str, name: str, floor: Callable[[], float], bar: str) -> Figure:
    """From the navigation to the first picture with content, which has everything that the server answered."""
    paints, answers, floors = [], [], []
    visitor.open(path)
    for _ in range(REPETITIONS):
        floors.append(floor())
        visitor.open(path)
        visitor.page.wait_for_function(_PAINTED)
        paints.append(float(visitor.page.evaluate(_PAINT)))
        answers.append(float(visitor.page.evaluate(_ANSWER)))
    visitor.page.goto("about:blank")
    ratio = f"{median(paints) / median(floors):.1f} × (floor {median(floors) * 1000:.1f} ms)"
    print(f"{name}: {median(paints):.2f} s", file=sys.stderr, flush=True)
    value = f"{median(paints):.2f} s (the server's answer after {median(answers):.2f} s)"
    return Figure(f"first paint: {name}", value, ratio, bar, spread(paints, "s", 1))


def open_dashboards(visitor: Visitor, server: Server) -> Figure:
    """What so many open dashboards take of a server on which nothing happens."""
    before = cpu_shares(server.process.pid, LOOKS)
    pages: list[Page] = []
    for _ in range(DASHBOARDS):
        page = visitor.context.new_page()
        page.goto(f"{visitor.url}/ui/")
        page.locator("main.content h1").wait_for()
        pages.append(page)
    after = cpu_shares(server.process.pid, LOOKS)
    for page in pages:
        page.close()
    extra = f"{median(after) - median(before):.1f} % more than with none"
    load = f"load {os.getloadavg()[0]:.1f}, "
    value = f"{median(after):.1f} % of a core"
    return Figure(f"{DASHBOARDS} open dashboards, quiet server", value, extra, "≤ 30 %", load + spread(after, "%", 1))


def deep_cursor(client: Client) -> str:
    """Of a page far down in the list."""
    cursor = ""
    for _ in range(DEEP // 500):
        cursor = client.call("GET", f"/runs?limit=500{f'&cursor={cursor}' if cursor else ''}")["next_cursor"]
    return cursor


def bench_heat(folder: Path, floor: Callable[[], float]) -> list[Figure]:
    """The heat map's count of a week and pages of the list, on both databases, without a server around them."""
    found = []
    for kind in ("SQLite", "PostgreSQL"):
        with _database(kind, folder) as database:
            store, there = SqlReadStore(database), 0
            with database.write() as connection:
                make_one(connection)
            for size in SIZES:
                with database.write() as connection:
                    spread_runs(connection, size - there, first=there)
                there = size
                settle(database)
                found += _reads(store, f"{kind}, {size:,} runs", floor)
    return found


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        if kind == "SQLite":
            (folder / "heat").mkdir(exist_ok=True)
            url = f"sqlite:///{folder / 'heat' / 'fastflow.db'}"
        else:
            server = PostgresServer.start(settings=SETTLED)
            stack.callback(server.stop)
            url = server.create_database("heat")
        database = stack.enter_context(closing(Database(url, silence_seconds=None)))
        migrate(database)
        yield database


def _reads(store: SqlReadStore, where: str, floor: Callable[[], float]) -> list[Figure]:
    _, edges = edges_of(datetime.now(UTC), ZoneInfo("Europe/Berlin"))
    deep = edges[0] + timedelta(hours=1)
    beyond = f"{int(deep.timestamp() * 1000):012x}"
    beyond_id = f"{beyond[:8]}-{beyond[8:]}-0000-0000-000000000000"
    asked: list[tuple[str, Callable[[], object]]] = [
        ("heat map of seven days", lambda: store.tally(edges, None)),
        ("… for somebody who may see twenty pipelines", lambda: store.tally(edges, ["trivial*"])),
        ("runs, first page", lambda: store.load_page(RunFilter(), beyond_id=None, limit=51)),
        ("runs, the oldest page", lambda: store.load_page(RunFilter(), beyond_id=beyond_id, limit=51)),
    ]
    figures = []
    for name, ask in asked:
        ask()
        values, floors = [], []
        for _ in range(REPETITIONS):
            floors.append(floor())
            begun = time.perf_counter()
            ask()
            values.append(time.perf_counter() - begun)
        ratio = f"{median(values) / median(floors):.2f} × (floor {median(floors) * 1000:.1f} ms)"
        figures.append(Figure(f"{name}: {where}", f"{median(values) * 1000:.1f} ms", ratio, "", spread(values)))
        print(f"{figures[-1].name}: {figures[-1].value}", file=sys.stderr, flush=True)
    return figures
