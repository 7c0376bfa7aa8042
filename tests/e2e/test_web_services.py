"""Alerts, daemons, webhooks and generated forms in a real browser, on a real server."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest
from playwright.sync_api import expect
from tests.e2e.web_driver import examine, on_one_worker

from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

PIPELINES = {
    "quick.py": "print('done')\n",
    "fails.py": "raise SystemExit('no stock')\n",
}

pytestmark = on_one_worker("web-services")


class Receiver:
    """An address that messages are sent to.

    Attributes:
        url: for Apprise.
        bodies: what came.
    """

    def __init__(self) -> None:
        self.bodies: Queue[bytes] = Queue()
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.put(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"json://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_alerts_when_a_channel_and_a_rule_are_made_then_a_failure_is_told_sent_and_acknowledged(
    anna: Visitor, started: Served, receiver: Receiver
) -> None:
    page = anna.page
    anna.open("/alerts/channels")
    page.get_by_role("link", name="New channel").click()
    page.get_by_label("Name", exact=True).fill("ops")
    page.get_by_label("Addresses").fill("nowhere")
    page.get_by_role("button", name="Add quiet hours").click()
    page.get_by_label("Until").fill("22:00")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".run-field", has=page.get_by_label("Until")).last.locator(".wrong")).to_contain_text(
        "same as start"
    )
    expect(page.locator(".run-field", has=page.get_by_label("Addresses")).locator(".wrong")).to_contain_text("no URL")
    page.get_by_label("Addresses").fill(receiver.url)
    page.get_by_label("Until").fill("22:01")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile("/ui/alerts/channels/ops$"))
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".q-notification.toast")).to_contain_text("took the test message")
    assert b"TEST" in receiver.bodies.get(timeout=60)
    assert receiver.url not in page.content()

    anna.open("/alerts/rules/-/new?pipeline=fails")
    page.get_by_label("Tells of").click()
    page.get_by_role("option", name="Not done in time").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".run-field", has=page.get_by_label("Succeeded by")).locator(".wrong")).to_contain_text(
        "missing"
    )
    page.get_by_label("Succeeded by").fill("00:00")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("tbody tr", has_text="fails")).to_contain_text("Not succeeded by 00:00")

    assert started.call("POST", "/pipelines/fails/run?wait=60")[1]["status"] == "FAILED"
    assert b"no stock" in receiver.bodies.get(timeout=60)
    anna.open("/alerts?state=open")
    row = page.locator(".rows .row", has_text="no stock")
    row.locator("a").click()
    expect(page.locator("pre.told-text")).to_contain_text("no stock")
    expect(page.locator("table.outbox .pill")).to_have_text("Sent", timeout=60_000)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".title")).to_contain_text("Acknowledged")
    anna.open("/alerts/outbox?channel=ops")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert not anna.complaints


def test_pages_of_services_when_examined_then_none_is_hard_to_use(anna: Visitor, started: Served) -> None:
    alert = started.call("GET", "/alerts")[1]["items"][0]["id"]
    rule = started.call("GET", "/alerts/rules")[1]["items"][0]["id"]
    pages = [
        "/alerts",
        f"/alerts/{alert}",
        "/alerts/rules",
        f"/alerts/rules/{rule}",
        "/alerts/channels",
        "/alerts/channels/ops",
        "/alerts/outbox",
    ]
    assert not examine(anna, pages)
