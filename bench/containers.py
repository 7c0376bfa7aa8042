"""Container runs against a bare `docker run` of the same image, on one engine, interleaved."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.figures import Figure, median, spread
from bench.server import Client, Server, serving
from fastflow.testing.docker_engine import WORKER_IMAGE, shared_engine

REPETITIONS = 30
SHORT_RUNS = 100
LIMIT = 4
_PATIENCE_SECONDS = 60.0


def bench_docker(folder: Path) -> list[Figure]:
    """First line without and with prepared containers; a hundred short runs."""
    with shared_engine() as host:
        engine: dict[str, Any] = {"EXECUTOR": "docker", "DOCKER_HOST": host, "WORKER_BASE_IMAGE": WORKER_IMAGE}
        rows = []
        for size, bar in ((0, "≤ 1.3 ×"), (1, "≤ 0.4 ×")):
            with serving(folder / f"docker-{size}", DOCKER_POOL=str(size), **engine) as server:
                rows.append(_first_lines(server, host, size, bar))
        with serving(folder / "docker-short", MAX_CONCURRENT_RUNS=str(LIMIT), **engine) as server:
            rows.append(_short_runs(server, host))
    return rows


def _first_lines(server: Server, host: str, pool: int, bar: str) -> Figure:
    client = server.client()
    client.run("first_line", wait=60)
    values, bare = [], []
    for _ in range(REPETITIONS):
        _await_containers(server, host, pool)
        bare.append(_bare(host))
        values.append(_ours(client, "pool" if pool else "cold"))
    name = "with a prepared one (`DOCKER_POOL`)" if pool else "a fresh one"
    return Figure(
        f"container run: submit → first line, {name}",
        f"{median(values) * 1000:.0f} ms",
        f"{median(values) / median(bare):.2f} × a bare `docker run` ({median(bare) * 1000:.0f} ms)",
        bar,
        spread(values),
    )


def _bare(host: str) -> float:
    """Seconds from the command to the script's first line."""
    begun = time.time_ns()
    script = "import time; print(time.time_ns(), flush=True)"
    command = ["docker", "-H", host, "run", "--rm", WORKER_IMAGE, "python3", "-c", script]
    done = subprocess.run(command, capture_output=True, check=True)
    return (int(done.stdout) - begun) / 1e9


def _ours(client: Client, starts: str) -> float:
    begun = time.time_ns()
    run = client.run("first_line", wait=60)
    assert run["status"] == "SUCCESS", run
    assert run["isolation"]["start"] == starts, run["isolation"]
    return (int(client.log(run["id"]).split()[0]) - begun) / 1e9


def _short_runs(server: Server, host: str) -> Figure:
    client = server.client()
    client.run("trivial", wait=60)
    begun = time.perf_counter()
    ids = [client.run("trivial")["id"] for _ in range(SHORT_RUNS)]
    _until(lambda: all(client.call("GET", f"/runs/{ids[-1 - i]}")["status"] == "SUCCESS" for i in range(SHORT_RUNS)))
    seconds = time.perf_counter() - begun
    _await_containers(server, host, 0)
    bare = median([_bare(host) for _ in range(10)])
    return Figure(
        f"{SHORT_RUNS} short container runs, limit {LIMIT}",
        f"{SHORT_RUNS / seconds:.1f} runs/s",
        f"{seconds / SHORT_RUNS / bare:.2f} × a bare `docker run` per run",
        "none stuck, none left behind",
        f"all succeeded after {seconds:.1f} s, no container left",
    )


def _await_containers(server: Server, host: str, count: int) -> None:
    """Return when the server's data folder has that many containers, all running: what ended has been removed."""
    owner = json.loads((server.data / "containers" / "identity").read_text())["identity"]

    def is_settled() -> bool:
        command = [
            "docker",
            "-H",
            host,
            "ps",
            "-a",
            "--format",
            "{{.State}}",
            "--filter",
            f"label=fastflow-data={owner}",
        ]
        states = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return states == ["running"] * count

    _until(is_settled)


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + _PATIENCE_SECONDS
    while not is_so():
        assert time.perf_counter() < deadline, "it did not come to that"
        time.sleep(0.02)
