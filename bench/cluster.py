"""Runs on a Ray cluster against bare jobs of the same cluster, interleaved."""

import json
import os
import time
from pathlib import Path
from typing import Any

from bench.figures import Figure, median, spread
from bench.server import Client, serving
from fastflow.testing.ray_cluster import RayCluster, start

REPETITIONS = 20
_CPUS = 0.1
_PATIENCE_SECONDS = 120.0
_SCRIPT = "import time; print(time.time_ns(), flush=True)"
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


def bench_ray(folder: Path) -> list[Figure]:
    """Submit → first line on a cluster of two nodes; a bare job does nothing but print, with no package to fetch."""
    cluster = start(os.getpid())
    try:
        settings: dict[str, Any] = {
            "RAY_ADDRESS": cluster.address,
            "RAY_AUTH_TOKEN": cluster.token,
            "RAY_CPUS": str(_CPUS),
        }
        node_dir = str(folder / "node")
        with serving(folder / "ray", EXECUTOR="ray", RAY_NODE_DIR=node_dir, **settings) as server:
            _ours(server.client())
            _bare(cluster, 0)
            values, bare = [], []
            for number in range(1, REPETITIONS + 1):
                bare.append(_bare(cluster, number))
                values.append(_ours(server.client()))
    finally:
        cluster.end()
    pairs = [value / floor for value, floor in zip(values, bare, strict=True)]
    return [
        Figure(
            "run on a Ray cluster: submit → first line",
            f"{median(values) * 1000:.0f} ms",
            f"{median(values) / median(bare):.2f} × a bare Ray job ({median(bare) * 1000:.0f} ms); "
            f"{median(pairs):.2f} × in the median pair",
            "≤ 1.2 ×",
            spread(values),
        )
    ]


def _bare(cluster: RayCluster, number: int) -> float:
    """Seconds from the request to the script's first line."""
    job = f"bare-{os.getpid()}-{number}"
    begun = time.time_ns()
    entrypoint = f"python3 -c {json.dumps(_SCRIPT)}"
    cluster.ask("POST", "/api/jobs/", {"submission_id": job, "entrypoint": entrypoint, "entrypoint_num_cpus": _CPUS})
    deadline = time.perf_counter() + _PATIENCE_SECONDS
    while cluster.ask("GET", f"/api/jobs/{job}")["status"] not in _ENDED:
        assert time.perf_counter() < deadline, "the bare job does not end"
        time.sleep(0.02)
    printed = int(cluster.ask("GET", f"/api/jobs/{job}/logs")["logs"].split()[-1])
    cluster.ask("DELETE", f"/api/jobs/{job}")
    return (printed - begun) / 1e9


def _ours(client: Client) -> float:
    begun = time.time_ns()
    run = client.run("first_line", wait=_PATIENCE_SECONDS)
    assert run["status"] == "SUCCESS", run
    printed = int(client.log(run["id"]).split()[0])
    client.close()
    return (printed - begun) / 1e9
