"""How soon pages are answered, on both databases: the server's part, without a browser."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from bench.figures import Figure, median, spread
from bench.rows import settle, spread_runs
from bench.server import Server, serving
from fastflow.kernel.db.engine import Database
from fastflow.testing.postgres import SETTLED, PostgresServer
from fastflow.ui.rooms.overview.snapshot import BELIEVED_SECONDS

RUNS = 100_000
REPETITIONS = 20
PATHS = {"dashboard": "/ui/", "runs": "/ui/runs", "failed runs": "/ui/runs?status=FAILED", "pipelines": "/ui/pipelines"}


def bench_answers(folder: Path, floor: Callable[[], float]) -> list[Figure]:
    """Each page's answer with 100,000 runs in SQLite and in PostgreSQL, its session in UTC as servers mostly are."""
    found = []
    for kind in ("SQLite", "PostgreSQL"):
        with _served(kind, folder) as server:
            for name, path in PATHS.items():
                found.append(_answer(server, path, f"answer: {name}, {RUNS:,} runs in {kind}", floor))
                print(f"{found[-1].name}: {found[-1].value}", file=sys.stderr, flush=True)
    return found


@contextmanager
def _served(kind: str, folder: Path) -> Iterator[Server]:
    if kind == "SQLite":
        with serving(folder / "answers") as server:
            _fill(server, f"sqlite:///{server.data}/fastflow.db")
            yield server
        return
    postgres = PostgresServer.start(settings=SETTLED)
    try:
        url = postgres.create_database("answers")
        with serving(folder / "answers", DATABASE_URL=url) as server:
            _fill(server, url)
            yield server
    finally:
        postgres.stop()


def _fill(server: Server, url: str) -> None:
    server.client().run("trivial", wait=60)
    with closing(Database(url, silence_seconds=None)) as database:
        with database.write() as connection:
            spread_runs(connection, RUNS)
        settle(database)


def _answer(server: Server, path: str, name: str, floor: Callable[[], float]) -> Figure:
    values, floors = [], []
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        _get(connection, path, server.token)
        for _ in range(REPETITIONS):
            floors.append(floor())
            begun = time.perf_counter()
            _get(connection, path, server.token)
            values.append(time.perf_counter() - begun)
            time.sleep(BELIEVED_SECONDS + 0.1)  # the pace at which each answer takes a snapshot of its own
    ratio = f"{median(values) / median(floors):.2f} × (floor {median(floors) * 1000:.1f} ms)"
    return Figure(name, f"{median(values) * 1000:.1f} ms", ratio, "", spread(values))


def _get(connection: HTTPConnection, path: str, token: str) -> None:
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"GET {path}: {answer.status} {text[:500]!r}")
