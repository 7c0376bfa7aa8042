"""A real Ray cluster on this machine for tests and benchmarks: a head and a second node, each on an address of its own.

One is shared by all workers of a test session. A node is a session of processes and is ended as one; `ray stop`, which
ends every Ray of the machine, is never used. What a killed test session left is swept by the next one.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.ray.local import environment, free_ports, start_command
from fastflow.kernel.executors.ray.sessions import born_at, end_session

HEAD, SECOND, VICTIM = "127.0.0.2", "127.0.0.3", "127.0.0.4"
CPUS = 32
"""What each node says it has: tests wait for runs, not for room."""
START_SECONDS = 110.0
_END_SECONDS = 3.0
_PREFIX = "ffray-tests-"
_QUICKER = {
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "5",
}
"""A node's death is noticed after five seconds instead of fifteen."""


class ClusterRefused(OSError):
    """What its dashboard answered instead, in its own words."""


@dataclass(kw_only=True)
class RayCluster:
    """A running cluster.

    Attributes:
        address: of its dashboard.
        gcs: where further nodes join.
        token: what everybody must show.
        leaders: the sessions of its nodes: process id and start.
    """

    folder: str
    address: str
    gcs: str
    token: str
    owner: int
    leaders: list[tuple[int, int]] = field(default_factory=list)

    def add_node(self, ip: str, *, memory: int | None = None) -> int:
        """Start a further node on this machine and wait until it has joined; the leader of its session.

        Args:
            memory: what it says it has, to be asked for by runs that shall go there.
        """
        more = [f"--address={self.gcs}", f"--num-cpus={CPUS}"]
        if memory is not None:
            more.append(f"--memory={memory}")
        folder = tempfile.mkdtemp(prefix="n", dir=self.folder)  # another worker may add one too
        Path(folder).chmod(0o711)
        leader = self._spawn(start_command(ip, folder, free_ports(ip, 4), head=False, more=more))
        self._until(lambda: ip in self.alive(), f"the node {ip} to join")
        return leader

    def alive(self) -> Sequence[str]:
        """The addresses of its living nodes."""
        told = self.ask("GET", "/api/v0/nodes")["data"]["result"]["result"]
        return [node["node_ip"] for node in told if node["state"] == "ALIVE"]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What its dashboard answers."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  of our own
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise ClusterRefused(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error

    def end(self) -> None:
        """End all of it, and remove its files."""
        for pid, born in reversed(self.leaders):
            if born_at(pid) == born:
                end_session(pid, _END_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, command: Sequence[str]) -> int:
        with Path(self.folder, f"node-{len(self.leaders)}.log").open("wb") as output:
            process = subprocess.Popen(
                command,
                env={**environment(os.environ, self.token), **_QUICKER},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        self.leaders.append((process.pid, born_at(process.pid) or 0))
        self.save()
        process.returncode = 0  # it outlives this process; its end is seen by its session
        return process.pid

    def save(self) -> None:
        """Note it for the other workers, and for a later sweep."""
        fresh = Path(self.folder, f"cluster.json.{os.getpid()}")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.rename(Path(self.folder, "cluster.json"))

    def _until(self, holds: Any, what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if holds():
                    return
            except OSError:
                pass  # it does not answer yet
            pid, born = self.leaders[-1]
            if time.monotonic() > deadline or born_at(pid) != born:
                logs = [path.read_text(errors="replace")[-1500:] for path in Path(self.folder).glob("node-*.log")]
                raise RuntimeError(f"waited in vain for {what}:\n" + "\n".join(logs))
            time.sleep(0.1)


def start(owner: int, *, nodes: Sequence[str] = (SECOND,)) -> RayCluster:
    """A new cluster: its head, and further nodes.

    Args:
        owner: the process without which it is of no use.
        nodes: addresses of the further nodes.
    """
    folder = tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp")
    Path(folder).chmod(0o711)
    ports = free_ports(HEAD, 7)
    cluster = RayCluster(
        folder=folder,
        address=f"http://{HEAD}:{ports[1]}",
        gcs=f"{HEAD}:{ports[0]}",
        token=os.urandom(32).hex(),
        owner=owner,
    )
    try:
        cluster._spawn(start_command(HEAD, folder, ports, head=True, more=[f"--num-cpus={CPUS}"]))
        cluster._until(lambda: HEAD in cluster.alive(), "the head")
        for ip in nodes:
            cluster.add_node(ip)
    except BaseException:
        cluster.end()
        raise
    return cluster


def load(folder: Path) -> RayCluster:
    """The cluster of a folder."""
    told: Mapping[str, Any] = json.loads((folder / "cluster.json").read_text())
    return RayCluster(**{**told, "leaders": [(pid, born) for pid, born in told["leaders"]]})


def sweep(parent: Path | None = None) -> None:
    """End the clusters whose owner was killed before it could."""
    for folder in Path(parent or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if (folder / "cluster.json").exists() and folder.stat().st_uid == os.geteuid():
            cluster = load(folder)
            if born_at(cluster.owner) is None:
                cluster.end()
