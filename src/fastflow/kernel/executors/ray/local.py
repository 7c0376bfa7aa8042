"""A cluster of one node on this machine, started because none was named.

It has ports, a folder and a token of its own, and is known by a file, so that a runner that was killed finds it again.
It is ended by the ids of its own processes: `ray stop` would end every Ray of the machine.
"""

import asyncio
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from fastflow.kernel.executors.ray.cluster import Cluster, ClusterError
from fastflow.kernel.executors.ray.sessions import born_at, end_session

START_SECONDS = 180.0
END_SECONDS = 8.0
IP = "127.0.0.2"
"""Ray takes 127.0.0.1 for this machine's outer address, and would then be there for everybody."""
OBJECT_STORE_BYTES = 100 << 20
"""Nothing of ours is kept there; Ray's own default is a third of the machine's memory."""
_LOOK_SECONDS = 0.1
_KEPT = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip
_HEAD_PORTS = ("--port", "--dashboard-port", "--ray-client-server-port")
_NODE_PORTS = (
    "--dashboard-agent-listen-port", "--dashboard-agent-grpc-port", "--metrics-export-port", "--runtime-env-agent-port",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Started:
    """A cluster that runs.

    Attributes:
        pid: of the process that leads its session.
        born: that process's start, in the kernel's clock ticks: tells it from a later one of the same id.
        folder: Ray's own files.
    """

    pid: int
    born: int
    address: str
    token: str
    folder: str


class LocalCluster:
    """The cluster of one data folder.

    Args:
        folder: where it is noted, and where what it says goes.
        environ: of the server; only what Ray and uv need of it is handed on.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._environ = os.environ if environ is None else environ  # noqa: TID251  handed on through an allow-list

    @property
    def _file(self) -> Path:
        return self._folder / "cluster.json"

    async def start(self) -> tuple[str, str]:
        """Address and token of the cluster: the one that runs already, else a new one, once it answers.

        Raises:
            RuntimeError: Ray is not installed, or does not come up; the reason is in words.
        """
        running = self.find()
        if running is None:
            running = await asyncio.to_thread(self._launch)
        await self._await_answer(running)
        return running.address, running.token

    def find(self) -> Started | None:
        """The cluster that was started for this folder and still runs."""
        try:
            known = Started(**json.loads(self._file.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return known if born_at(known.pid) == known.born else None

    def end(self) -> None:
        """End it, if it runs: everything in its session, and nothing else. Idempotent."""
        running = self.find()
        if running is None:
            return
        end_session(running.pid, END_SECONDS)
        shutil.rmtree(running.folder, ignore_errors=True)
        self._file.unlink(missing_ok=True)

    def _launch(self) -> Started:
        if importlib.util.find_spec("ray") is None:
            raise RuntimeError("Ray is not installed with this server (the extra `ray` brings it).")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = tempfile.mkdtemp(prefix="ffray-", dir="/tmp")  # its sockets' paths must be short
        Path(folder).chmod(0o711)
        token = secrets.token_hex(32)
        with (self._folder / "log").open("wb") as output:
            ports = free_ports(IP, len(_HEAD_PORTS) + len(_NODE_PORTS))
            process = subprocess.Popen(
                start_command(IP, folder, ports, head=True),
                env=environment(self._environ, token),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,  # it outlives a runner that is killed
            )
        address = f"http://{IP}:{ports[1]}"
        born = born_at(process.pid)
        running = Started(pid=process.pid, born=born or 0, address=address, token=token, folder=folder)
        fresh = self._file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(running)))
        fresh.rename(self._file)
        return running

    async def _await_answer(self, running: Started) -> None:
        cluster = Cluster(running.address, running.token)
        deadline = time.monotonic() + START_SECONDS
        try:
            while True:
                try:
                    if any(node.is_alive for node in await cluster.nodes()):
                        return
                except ClusterError:
                    pass  # not yet
                if born_at(running.pid) != running.born:
                    raise RuntimeError(f"Ray ended at its start: {self._last_words()}")
                if time.monotonic() > deadline:
                    raise RuntimeError(f"Ray did not come up within {START_SECONDS:g} s: {self._last_words()}")
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await cluster.close()

    def _last_words(self) -> str:
        lines = (self._folder / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def start_command(ip: str, folder: str, ports: Sequence[int], *, head: bool, more: Sequence[str] = ()) -> list[str]:
    """The command that starts one node and stays in front of it.

    Args:
        ip: of the node; several on one machine take several addresses of it.
        folder: for the node's files, and no other node's: each removes the package of a job before it unpacks it for the
            first time, under the jobs of its neighbours too. Its path is short.
        ports: free ones: seven for a head, four for any other node. Without ports of its own, the agent of a second node
            on one machine has none at all, and its jobs' logs cannot be read.
        head: whether it begins a cluster.
        more: further options.
    """
    names = _HEAD_PORTS + _NODE_PORTS if head else _NODE_PORTS
    role = ["--head", f"--dashboard-host={ip}"] if head else []
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--node-ip-address={ip}", *role),
        f"--temp-dir={folder}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        *("--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats", "--include-log-monitor=false"),
        *(f"{name}={port}" for name, port in zip(names, ports, strict=True)),
        *more,
    ]


def environment(environ: Mapping[str, str], token: str) -> dict[str, str]:
    """What a node of ours gets of the server's variables, and the token that everybody must show."""
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith(("UV_", "RAY_"))}
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH"):
        kept.pop(name, None)
    return {
        **kept,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_USAGE_STATS_ENABLED": "0",
        # A server started by `uv run` would have every node carry the server's folder into each job.
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_prestart_worker_first_driver": "0",  # every job gets a worker of its own anyway
    }


def free_ports(ip: str, count: int) -> list[int]:
    """Ports that nobody has bound at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((ip, 0))
        return [each.getsockname()[1] for each in sockets]
