"""What the server answers, told apart by what can be done about it."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

import fastflow.kernel.executors.ray.node as agent_package
from fastflow.kernel.executors.ray import errors
from fastflow.kernel.executors.ray.router import PREFIX

sys.path.insert(0, str(Path(agent_package.__file__).parent))
import uplink

sys.path.pop(0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, Any]]] = []
    heard: ClassVar[list[tuple[str, str | None, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.heard.append((self.path, self.headers.get("Authorization"), body))
        status, told = self.answers.pop(0)
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return
        data = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: Any) -> None:
        """Quiet."""


@pytest.fixture
def link() -> Iterator[Any]:
    _Handler.answers, _Handler.heard = [], []
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made = uplink.Uplink(f"http://127.0.0.1:{server.server_port}/base/", "run", 3, "token")
    yield made
    made.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_request_when_made_then_path_token_and_body_are_as_they_must_be(link: Any) -> None:
    _Handler.answers += [(200, {"size": 4}), (200, {})]
    assert link.ask("log", b"data", {"offset": 0}) == {"size": 4}
    assert link.ask("claim", {"nonce": "ü"}) == {}
    assert _Handler.heard[0] == (f"/base{PREFIX}/run/3/log?offset=0", "Bearer token", b"data")
    assert json.loads(_Handler.heard[1][2]) == {"nonce": "ü"}


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"code": "bug"}),
        (503, {"code": "unavailable", "detail": "the database is away"}),
        (404, {"detail": "another program"}),
        (404, {"code": "unknown_path"}),
        (429, {"code": "busy"}),
        (200, b"<html>"),
        (200, []),
        (403, {}),
        (502, b"bad gateway"),
    ],
)
def test_answer_when_it_may_be_another_one_later_then_away(link: Any, answer: tuple[int, Any]) -> None:
    _Handler.answers.append(answer)
    with pytest.raises(uplink.Away):
        link.ask("begin")


@pytest.mark.parametrize("code", uplink.FINAL)
def test_answer_when_the_server_wants_no_more_then_refused_for_good(link: Any, code: str) -> None:
    _Handler.answers.append((404 if code == "attempt_unknown" else 409, {"code": code, "detail": "no"}))
    with pytest.raises(uplink.Refused) as caught:
        link.ask("begin")
    assert caught.value.is_final and caught.value.code == code


def test_answer_when_the_offset_is_wrong_then_the_right_one_is_told(link: Any) -> None:
    _Handler.answers.append((409, {"code": "wrong_offset", "offset": 7}))
    with pytest.raises(uplink.Refused) as caught:
        link.ask("log", b"x", {"offset": 9})
    assert not caught.value.is_final and caught.value.told["offset"] == 7


def test_connection_when_closed_by_the_server_meanwhile_then_another_is_opened(link: Any) -> None:
    _Handler.answers += [(200, {}), (0, None), (200, {"again": True})]
    link.ask("begin")
    assert link.ask("begin") == {"again": True}


def test_server_when_nobody_is_there_then_away_and_named() -> None:
    link = uplink.Uplink("http://127.0.0.1:9", "run", 3, "token")
    with pytest.raises(uplink.Away, match=r"127\.0\.0\.1:9"):
        link.ask("begin")


def test_codes_when_compared_with_the_servers_then_they_are_the_same() -> None:
    final = (errors.AttemptUnknown, errors.AttemptOver, errors.AttemptTokenInvalid, errors.OrderTaken)
    assert {error.default_code for error in final} == set(uplink.FINAL)
    assert uplink.PREFIX == PREFIX
