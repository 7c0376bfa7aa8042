"""A real server on a free port with folders of its own, and a lean client for it."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PIPELINES = Path(__file__).parent / "pipelines"
READY_SECONDS = 60.0


class Client:
    """One kept-alive connection; requests in the plainest way, so that the client costs little."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer; raises on any status of 400 and above."""
        data = json.dumps(body).encode() if body is not None else None
        self.connection.request(method, path, data, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)

    def run(self, pipeline: str, *, wait: float | None = None, params: dict[str, Any] | None = None) -> Any:
        """Submit a run, and with `wait` hold until it ended."""
        path = f"/pipelines/{pipeline}/run" + (f"?wait={wait:g}" if wait else "")
        return self.call("POST", path, {"params": params or {}})

    def log(self, run_id: str) -> bytes:
        """The run's log as text."""
        self.connection.request("GET", f"/runs/{run_id}/logs", headers=self.headers)
        return self.connection.getresponse().read()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class Server:
    """A running `fastflow serve`."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, token: str, ready_seconds: float, data: Path
    ) -> None:
        self.process = process
        self.port = port
        self.token = token
        self.ready_seconds = ready_seconds
        self.data = data

    def client(self) -> Client:
        """A new connection."""
        return Client(self.port, self.token)


def fastflow(*arguments: str, environment: dict[str, str]) -> str:
    """Run the command line and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "fastflow", *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@contextlib.contextmanager
def serving(folder: Path, *, pipelines: Path = PIPELINES, **settings: str) -> Iterator[Server]:
    """A server with fresh data in `folder`; `settings` are environment variables."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = _free_port()
    environment = {
        **os.environ,
        "DATA_DIR": str(folder / "data"),
        "LOGS_DIR": str(folder / "logs"),
        "PIPELINES_DIR": str(pipelines),
        "PORT": str(port),
        "LOG_STREAM_RATE_LIMIT": "0",
        **settings,
    }
    begun = time.perf_counter()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "fastflow", "serve"], env=environment, stdout=log, stderr=log)
    try:
        _await_ready(port, process, folder)
        ready = time.perf_counter() - begun
        token = fastflow("tokens", "create", "bench", "--role", "operator", environment=environment)
        yield Server(process, port, token, ready, folder / "data")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _await_ready(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.perf_counter() + READY_SECONDS
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.01)
    raise RuntimeError(f"the server did not get ready:\n{(folder / 'server.log').read_text()[-3000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
