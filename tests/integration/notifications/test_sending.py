"""Apprise for real: a mail to an SMTP server and a message to an HTTP receiver of the test's own."""

import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from fastflow.kernel.notifications.domain.message import Message
from fastflow.kernel.notifications.domain.rule import Severity
from fastflow.kernel.notifications.infra.sending import AppriseSender
from fastflow.kit.secret_text import SecretText

MESSAGE = Message(title="[FAILED] demo: exit code 3", body="Pipeline demo failed.\n\nNext: look")


class Post:
    """A mail server that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def post() -> Iterator[tuple[Post, int]]:
    kept = Post()
    with socket.create_server(("127.0.0.1", 0)) as found:  # aiosmtpd looks for its own port, so it must know it
        port = found.getsockname()[1]
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    yield kept, port
    controller.stop()


@pytest.fixture
def receiver() -> Iterator[tuple[list[dict[str, Any]], int]]:
    """An HTTP receiver; what comes to /refuse is refused."""
    kept: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.startswith("/refuse"):
                self.send_response(500)
            else:
                kept.append(json.loads(body))
                self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept, server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_message_when_sent_by_mail_and_http_then_both_have_it_and_a_refusal_is_told_without_secrets(
    post: tuple[Post, int], receiver: tuple[list[dict[str, Any]], int]
) -> None:
    kept, mail_port = post
    got, http_port = receiver
    urls = [
        SecretText(f"mailto://127.0.0.1:{mail_port}/?from=flow@example.org&to=ops@example.org&mode=insecure"),
        SecretText(f"json://127.0.0.1:{http_port}/hook/tok3n-secret"),
        SecretText(f"json://bob:hunter22@127.0.0.1:{http_port}/refuse/tok3n-secret"),
    ]
    delivery = AppriseSender().send(urls, MESSAGE, Severity.CRITICAL)
    (mail,) = kept.mails
    assert (mail["Subject"], mail["To"]) == (MESSAGE.title, "ops@example.org")
    assert "Pipeline demo failed." in mail.get_body(("plain",)).get_content()
    assert [(one["title"], one["type"]) for one in got] == [(MESSAGE.title, "failure")]
    assert len(delivery.delivered) == 2
    assert delivery.problem is not None and delivery.problem.startswith("json: ")
    assert "500" in delivery.problem
    assert "tok3n" not in delivery.problem and "hunter22" not in delivery.problem


def test_addresses_when_checked_then_unusable_ones_are_told_by_place_and_nothing_is_sent(
    receiver: tuple[list[dict[str, Any]], int],
) -> None:
    got, port = receiver
    urls = [SecretText(f"json://127.0.0.1:{port}/"), SecretText("nonsense://s3cret-token"), SecretText("slack://short")]
    problems = AppriseSender().check(urls)
    assert sorted(problems) == [1, 2]
    assert all("s3cret" not in problem for problem in problems.values())
    assert got == []


def test_sender_when_it_takes_too_long_or_is_closed_then_the_attempt_ends() -> None:
    url = [SecretText("json://127.0.0.1:9/")]
    assert AppriseSender(seconds=0.01).send(url, MESSAGE, Severity.INFO).problem == "no answer within 0.01 s"
    sender = AppriseSender()
    sender.close()
    assert sender.send(url, MESSAGE, Severity.INFO).problem == "the server is being stopped"
