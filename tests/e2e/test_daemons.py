"""A daemon in the whole product: it crashes, hangs, is edited, and everything that looks after it is killed."""

import json
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fastflow.testing.served import PATIENCE_SECONDS, Served

SERVICE = """
import os, threading
from http.server import BaseHTTPRequestHandler, HTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(3)
        if self.path == "/hang":
            self.connection.close()
            threading.Event().wait()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"version 1")


HTTPServer(("127.0.0.1", int(os.environ["FASTFLOW_PORT"])), Answer).serve_forever()
"""
SETTINGS = """
[daemon]
port = {port}
health = "/health"
interval = 0.2
misses = 1
delay = 0.2
"""


def until(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE_SECONDS)
    while datetime.now(UTC) < deadline:
        if found := look():
            return found
        threading.Event().wait(0.05)  # leaves the cores to what is waited for
    raise AssertionError("it did not come")


class Web:
    """The daemon `web`, as the API and its own port show it."""

    def __init__(self, served: Served) -> None:
        self.served = served
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = min(free.getsockname()[1], 60_000)
        self.folder = served.pipelines / "web"
        self.folder.mkdir()
        (self.folder / "pipeline.toml").write_text(SETTINGS.format(port=self.port))
        (self.folder / "main.py").write_text(SERVICE)

    def look(self) -> dict[str, Any]:
        found: dict[str, Any] = self.served.call("GET", "/daemons/web")[1]
        return found

    def instance(self, number: int) -> dict[str, Any] | None:
        """The instance, once it is the only one, and healthy."""
        found = self.look()
        at = found.get("instances", [])
        is_it = found.get("state") == "running" and [each["number"] for each in at] == [number]
        return at[0] if is_it else None

    def events(self) -> list[tuple[str, str]]:
        items = self.served.call("GET", "/daemons/web/events")[1]["items"]
        return [(each["kind"], each["text"]) for each in reversed(items)]

    def ask(self, port: int, path: str = "/") -> str:
        """What the instance answers; empty: nobody does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""


@pytest.fixture
def web(served: Served) -> Iterator[Web]:
    made = Web(served)
    served.start()
    served.token = served.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()
    yield made
    served.cli("daemons", "stop", "web")  # its runs would outlive the server
    until(lambda: made.look()["instances"] == [])


@pytest.mark.long
def test_daemon_when_it_crashes_hangs_is_edited_and_its_keepers_are_killed_then_it_is_there(
    served: Served, web: Web
) -> None:
    first = until(lambda: web.instance(1))
    assert first["port"] == web.port
    assert web.ask(web.port) == "version 1"

    web.ask(web.port, "/crash")
    second = until(lambda: web.instance(2))
    assert any(kind == "crashed" and "exit code 3" in text for kind, text in web.events())
    assert served.call("GET", f"/runs/{first['run_id']}")[1]["exit_code"] == 3

    web.ask(second["port"], "/hang")
    third = until(lambda: web.instance(3))
    assert ("unhealthy", f"port {second['port']} does not answer '/health'") in web.events()

    # whoever looks after it is killed, then everything is: the service goes on as if nothing were
    os.kill(served.child("runner"), signal.SIGKILL)
    assert "runner" in served.await_line("is ready again")
    assert served.process is not None
    os.killpg(served.process.pid, signal.SIGKILL)
    served.stop(signal.SIGKILL)
    assert web.ask(third["port"]) == "version 1"
    served.start()
    again = until(lambda: web.instance(3))
    assert again["run_id"] == third["run_id"]

    # broken code changes nothing; new code takes over without a gap
    (web.folder / "main.py").write_text("def")
    until(lambda: served.call("GET", "/pipelines/web")[1]["faults"])
    (web.folder / "main.py").write_text(SERVICE.replace("version 1", "version 2"))
    gaps = 0

    def replaced() -> dict[str, Any] | None:
        nonlocal gaps
        at = web.look()["instances"]
        gaps += not any(each["health"] == "healthy" and not each["stopping"] for each in at)
        return web.instance(4)

    fourth = until(replaced)
    assert gaps == 0
    assert web.ask(fourth["port"]) == "version 2"
    assert served.call("GET", f"/runs/{third['run_id']}")[1]["reason"] == "cancelled"

    stopped = served.cli("daemons", "stop", "web")
    assert stopped.returncode == 0, stopped.stderr
    until(lambda: web.look()["state"] == "stopped")
    assert web.ask(fourth["port"]) == ""
    listed = json.loads(served.cli("daemons", "list", "--json").stdout)["items"]
    assert [(each["pipeline_name"], each["state"], each["wish"]) for each in listed] == [("web", "stopped", "stopped")]
    assert "stop by " in served.cli("daemons", "events", "web").stdout
