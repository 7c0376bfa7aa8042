"""`python -m bench [FIGURE …]`: every figure of the issue of speed, as a ratio to the floor measured in the same run.

The floor is `python -c pass` in an empty virtual environment, interleaved with what it is compared to.
"""

import concurrent.futures
import hashlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import uv

from bench.answers import bench_answers
from bench.churn import bench_churn
from bench.cluster import bench_ray
from bench.containers import bench_docker
from bench.counterfactuals import bench_counterfactuals
from bench.cpu import cpu_seconds
from bench.figures import Figure, median, quantile, spread, table
from bench.pages import bench_heat, bench_pages
from bench.schedules import bench_schedules
from bench.server import Client, Server, serving

REPETITIONS = 30
BURST = 500
READERS = 200
ROWS = 1_000_000
PATIENCE_SECONDS = 600.0
IDLE_CPU_SECONDS = 0.05
"""Of all processes of a server at rest, in a second."""


def floor_command(folder: Path) -> Callable[[], float]:
    """A function that times `python -c pass` in an empty virtual environment, in seconds."""
    environment = folder / "floor"
    if not environment.exists():
        subprocess.run([uv.find_uv_bin(), "venv", "-q", "--python", sys.executable, str(environment)], check=True)
    python = str(environment / "bin" / "python")

    def once() -> float:
        begun = time.perf_counter()
        subprocess.run([python, "-c", "pass"], check=True)
        return time.perf_counter() - begun

    return once


def first_line(client: Client, pipeline: str, starts: str) -> float:
    """Seconds from the submitting request to the user's first line; the run must have started as said."""
    begun = time.time_ns()
    run = client.run(pipeline, wait=60)
    assert run["status"] == "SUCCESS", run
    assert run["isolation"]["start"] == starts, run["isolation"]
    return (int(client.log(run["id"]).split()[0]) - begun) / 1e9


def interleaved(folder: Path, once: Callable[[], float]) -> tuple[list[float], list[float]]:
    """`once` and the floor in turn."""
    floor = floor_command(folder)
    values, floors = [], []
    for _ in range(REPETITIONS):
        floors.append(floor())
        values.append(once())
    return values, floors


def ratio_row(name: str, bar: str, values: list[float], floors: list[float]) -> Figure:
    ratio = median(values) / median(floors)
    floor = f"floor {median(floors) * 1000:.1f} ms"
    return Figure(name, f"{median(values) * 1000:.1f} ms", f"{ratio:.2f} × ({floor})", bar, spread(values))


def against(values: list[float], floors: list[float]) -> str:
    """How many floors the values' median is, for figures whose bar is in absolute terms."""
    return f"{median(values) / median(floors):.1f} × (floor {median(floors) * 1000:.1f} ms)"


def bench_warm(folder: Path) -> list[Figure]:
    with serving(folder / "warm") as server:
        client = server.client()
        deadline = time.time() + 300
        while client.run("warm_ml", wait=250)["isolation"]["start"] != "warm":
            assert time.time() < deadline, "the environment never got warm"
            time.sleep(0.5)
        values, floors = interleaved(folder, lambda: first_line(client, "warm_ml", "warm"))
    return [ratio_row("submit → first line, warm zygote with pandas and scikit-learn", "≤ 4 ×", values, floors)]


def bench_cold(folder: Path) -> list[Figure]:
    with serving(folder / "cold", WARM_ENVIRONMENTS="0") as server:
        client = server.client()
        client.run("first_line", wait=60)
        values, floors = interleaved(folder, lambda: first_line(client, "first_line", "cold"))
    return [ratio_row("submit → first line, cold, standard library only", "≤ 8 ×", values, floors)]


def bench_fib(folder: Path) -> list[Figure]:
    floor = floor_command(folder)
    totals, floors = [], []
    with serving(folder / "fib") as server:
        client = server.client()
        for _ in range(3):
            client.run("fib", wait=60)
        for _ in range(20):
            floors.append(floor())
            begun = time.perf_counter()
            for _ in range(40):
                assert client.run("fib", wait=60)["status"] == "SUCCESS"
            totals.append(time.perf_counter() - begun)
    ratio = f"{median(totals) / 40 / median(floors):.2f} × per step (floor {median(floors) * 1000:.1f} ms)"
    return [
        Figure(
            "40 × fib(10) one after the other, `?wait`",
            f"{median(totals):.2f} s",
            ratio,
            "≤ 1.2 s",
            spread(totals, "s", 1),
        )
    ]


def bench_burst(folder: Path) -> list[Figure]:
    rates, floors = [], []
    floor = floor_command(folder)
    with serving(folder / "burst", MAX_CONCURRENT_RUNS="4") as server:
        server.client().run("trivial", wait=60)
        for _ in range(5):
            floors.append(floor())
            begun = time.perf_counter()
            ids = submit_many(server, "trivial", BURST)
            await_all(server, ids)
            rates.append(BURST / (time.perf_counter() - begun))
    ratio = f"{1 / median(rates) / median(floors):.2f} × per run (floor {median(floors) * 1000:.1f} ms)"
    return [
        Figure(
            f"burst of {BURST} trivial runs, limit 4",
            f"{median(rates):.0f} runs/s",
            ratio,
            "≥ 80/s",
            spread(rates, "/s", 1),
        )
    ]


def submit_many(server: Server, pipeline: str, count: int) -> list[str]:
    """Submit `count` runs over four connections."""

    def some(number: int) -> list[str]:
        client = server.client()
        return [client.run(pipeline)["id"] for _ in range(number)]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return [run_id for ids in pool.map(some, [count // 4] * 4) for run_id in ids]


def await_all(server: Server, ids: list[str]) -> None:
    """Until every run has ended; none may be lost, all must have succeeded."""
    client = server.client()
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while any(client.call("GET", f"/runs?status={status}&limit=1")["items"] for status in ("PENDING", "RUNNING")):
        assert time.perf_counter() < deadline, "some runs do not end"
        time.sleep(0.02)
    states: dict[str, str] = {}
    path = "/runs?limit=500"
    while not states.keys() >= set(ids):
        page = client.call("GET", path)
        states.update({run["id"]: run["status"] for run in page["items"]})
        assert page["next_cursor"] or states.keys() >= set(ids), "a run is not in the list"
        path = f"/runs?limit=500&cursor={page['next_cursor']}"
    assert all(states[run_id] == "SUCCESS" for run_id in ids)


def bench_log(folder: Path) -> list[Figure]:
    seconds, peaks, floors = [], [], []
    floor = floor_command(folder)
    with serving(folder / "log", WARM_ENVIRONMENTS="0") as server:
        client = server.client()
        for _ in range(20):
            floors.append(floor())
            run = client.run("million_lines")
            path = str(folder / "log" / "logs" / f"{run['id']}.log")
            peaks.append(watch_writer(client, run["id"], path))
            run = client.call("GET", f"/runs/{run['id']}")
            assert run["status"] == "SUCCESS", run
            with open(path, "rb") as file:
                assert sum(1 for _ in file) == 1_000_000
            seconds.append(stamp(run["finished_at"]) - stamp(run["started_at"]))
            os.unlink(path)
    rates = [1_000_000 / each for each in seconds]
    return [
        Figure(
            "log: 1,000,000 lines of 100 bytes",
            f"{median(rates):,.0f} lines/s",
            against(seconds, floors),
            "≥ 200,000/s",
            spread(rates, "/s", 1),
        ),
        Figure(
            "… the supervisor's RSS meanwhile",
            f"{max(peaks) / 2**20:.1f} MB",
            "",
            "≤ 40 MB",
            spread(peaks, "MB", 2**-20),
        ),
    ]


def watch_writer(client: Client, run_id: str, path: str) -> int:
    """The largest RSS of the supervisor that holds the log open (the runner does too, for a moment), until the end."""
    writer, peak = None, 0
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while client.call("GET", f"/runs/{run_id}")["status"] in ("PENDING", "RUNNING"):
        assert time.perf_counter() < deadline, "the run does not end"
        if writer is None or not writer.is_running():
            writer = next((p for p in psutil.process_iter() if is_supervisor(p) and holds(p, path)), None)
        if writer is not None:
            try:
                peak = max(peak, writer.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.02)
    return peak


def is_supervisor(process: psutil.Process) -> bool:
    try:
        return any("sidecar" in argument for argument in process.cmdline())
    except psutil.Error:
        return False  # ended meanwhile


def holds(process: psutil.Process, path: str) -> bool:
    try:
        return any(os.readlink(entry.path) == path for entry in os.scandir(f"/proc/{process.pid}/fd"))
    except OSError:
        return False


def stamp(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def stream(server: Server, run_id: str, on_line: Callable[[bytes, int], None]) -> bytes:
    """Read a run's stream to its end; returns every byte of its log events."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", f"/runs/{run_id}/logs/stream", headers={"Authorization": f"Bearer {server.token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    whole, event = bytearray(), b""
    while line := answer.readline():
        if line.startswith(b"event:"):
            event = line[6:].strip()
        elif line.startswith(b"data:") and event == b"log":
            on_line(line[5:].strip(), time.time_ns())
        if event == b"end" and line == b"\n":
            break
        if not line.startswith(b":"):
            whole += line
    return bytes(whole)


def bench_latency(folder: Path) -> list[Figure]:
    delays: list[float] = []
    with serving(folder / "latency") as server:
        client = server.client()
        client.run("first_line", wait=60)
        for _ in range(20):
            run = client.run("ticks")
            stream(server, run["id"], lambda data, now: delays.append((now - int(json.loads(data)["line"])) / 1e9))
    value = f"p50 {median(delays) * 1000:.1f}, p95 {quantile(delays, 0.95) * 1000:.1f} ms"
    return [Figure("printed line → SSE client", value, "", "p95 ≤ 10 ms", spread(delays))]


def bench_readers(folder: Path) -> list[Figure]:
    digests: list[str] = []
    lock = threading.Lock()
    with serving(folder / "readers") as server:
        run = server.client().run("lines_for_readers")

        def read() -> None:
            data = stream(server, run["id"], lambda _data, _now: None)
            with lock:
                digests.append(hashlib.sha256(data).hexdigest())

        begun = time.perf_counter()
        threads = [threading.Thread(target=read) for _ in range(READERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begun
    assert len(digests) == READERS
    value = f"{len(set(digests))} distinct stream, all at the end after {seconds:.1f} s"
    return [Figure(f"{READERS} readers on one log of 20,000 lines", value, "", "identical", "")]


def bench_list(folder: Path) -> list[Figure]:
    firsts, deeps, rares, floors = [], [], [], []
    floor = floor_command(folder)
    with serving(folder / "list") as server:
        server.client().run("trivial", wait=60)
        fill(server.data / "fastflow.db")
        client = server.client()
        cursor = client.call("GET", "/runs?limit=500")["next_cursor"]
        for _ in range(200):
            cursor = client.call("GET", f"/runs?limit=500&cursor={cursor}")["next_cursor"]
        for _ in range(REPETITIONS):
            floors.append(floor())
            firsts.append(timed(lambda: client.call("GET", "/runs")))
            deeps.append(timed(lambda: client.call("GET", f"/runs?cursor={cursor}")))
            rares.append(timed(lambda: client.call("GET", "/runs?pipeline_name=rare&status=FAILED")))
    return [
        Figure(
            "`GET /runs` first page, 1,000,000 runs in SQLite",
            f"{median(firsts) * 1000:.1f} ms",
            against(firsts, floors),
            "≤ 50 ms",
            spread(firsts),
        ),
        Figure(
            "… a page 100,000 runs deep",
            f"{median(deeps) * 1000:.1f} ms",
            against(deeps, floors),
            "≤ 50 ms",
            spread(deeps),
        ),
        Figure("… a rare filter", f"{median(rares) * 1000:.1f} ms", against(rares, floors), "≤ 50 ms", spread(rares)),
    ]


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def fill(database: Path) -> None:
    """Copies of the one run there is, with older ids and every thousandth of another pipeline."""
    connection = sqlite3.connect(database, timeout=60)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(run)")]
    values = {
        "id": "printf('00%06x-0000-7000-8000-%012x', n / 4096, n)",
        "idempotency_key": "NULL",
        "pipeline_name": "CASE WHEN n % 1000 = 0 THEN 'rare' ELSE pipeline_name END",
        "status": "CASE WHEN n % 7 = 0 THEN 'FAILED' ELSE status END",
    }
    chosen = ", ".join(values.get(column, f'"{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    connection.execute(
        f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {ROWS}) "
        f"INSERT INTO run ({names}) SELECT {chosen} FROM c, (SELECT * FROM run LIMIT 1)"
    )
    connection.commit()
    connection.close()


def await_idle(root: psutil.Process) -> list[psutil.Process]:
    """The server's processes, once they have hardly used a processor for a second: what a start still does is done."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < deadline:
        tree = [root, *root.children(recursive=True)]
        try:
            used = cpu_seconds(tree)
            time.sleep(1.0)  # the second that is measured
            if cpu_seconds(tree) - used < IDLE_CPU_SECONDS:
                return tree
        except psutil.NoSuchProcess:
            continue  # one has ended, such as a build: that is no rest
    raise AssertionError("the server does not come to rest")


def bench_idle(folder: Path) -> list[Figure]:
    readies, sizes, floors = [], [], []
    floor = floor_command(folder)
    for _ in range(20):
        floors.append(floor())
        with serving(folder / "idle") as server:
            readies.append(server.ready_seconds)
            tree = await_idle(psutil.Process(server.process.pid))
            sizes.append(float(sum(process.memory_full_info().pss for process in tree)))
    return [
        Figure(
            "idle `serve`, all processes, PSS",
            f"{median(sizes) / 2**20:.0f} MB",
            "",
            "≤ 250 MB",
            spread(sizes, "MB", 2**-20),
        ),
        Figure(
            "`serve` → ready",
            f"{median(readies):.2f} s",
            against(readies, floors),
            "≤ 3 s",
            spread(readies, "s", 1),
        ),
    ]


def bench_with_floor(
    bench: Callable[[Path, Callable[[], float]], list[Figure]],
) -> Callable[[Path], list[Figure]]:
    return lambda folder: bench(folder, floor_command(folder))


FIGURES: dict[str, Callable[[Path], list[Figure]]] = {
    "warm": bench_warm,
    "cold": bench_cold,
    "fib": bench_fib,
    "burst": bench_burst,
    "log": bench_log,
    "latency": bench_latency,
    "readers": bench_readers,
    "list": bench_list,
    "idle": bench_idle,
    "docker": bench_docker,
    "ray": bench_ray,
    "schedules": bench_schedules,
    "pages": bench_with_floor(bench_pages),
    "heat": bench_with_floor(bench_heat),
    "answers": bench_with_floor(bench_answers),
    "churn": bench_churn,
    "counterfactuals": bench_counterfactuals,
}


def main() -> None:
    """Measure the named figures, or all, and print the table."""
    names = sys.argv[1:] or list(FIGURES)
    rows: list[Figure] = []
    work = Path(__file__).parent.parent / ".bench"  # on the disk a server would use, and not below /tmp
    work.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as place:
        for name in names:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            rows += FIGURES[name](Path(place))
            print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
