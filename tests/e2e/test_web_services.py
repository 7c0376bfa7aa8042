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
    "feed/main.py": "import time\nprint('feed begun', flush=True)\ntime.sleep(3600)\n",
    "feed/pipeline.toml": "[daemon]\n",
    "shaky/main.py": "raise SystemExit(3)\n",
    "shaky/pipeline.toml": "[daemon]\ndelay = 3600\nmax_delay = 3600\n",
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


def test_daemons_when_one_is_stopped_started_and_one_crashes_then_the_pages_say_so(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/daemons")
    shaky = page.locator("tbody tr", has_text="shaky")
    expect(shaky.locator(".pill")).to_have_text("Waits to restart", timeout=90_000)
    expect(shaky).to_contain_text("exit code 3")
    page.locator("tbody tr", has_text="feed").get_by_role("link").click()
    state = page.locator(".title .pill")
    expect(state).to_have_text("Running", timeout=90_000)
    expect(page.locator(".log-line", has_text="feed begun")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(state).to_have_text("Stopped", timeout=90_000)
    expect(page.locator(".card", has_text="No instance is there now.")).to_be_visible()
    page.get_by_role("button", name="Start now").click()
    expect(state).to_have_text("Running", timeout=90_000)
    assert not examine(anna, ["/daemons/feed"])
    # it would outlive the server
    page.get_by_role("button", name="Stop").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(state).to_have_text("Stopped", timeout=90_000)
    assert not anna.complaints


def test_webhooks_when_one_is_made_and_given_another_key_then_each_address_is_shown_once_and_works(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/pipelines/quick")
    page.locator(".card", has=page.get_by_role("heading", name="Webhooks")).get_by_role("link", name="Manage").click()
    page.get_by_role("link", name="New webhook").click()
    lines = page.get_by_label("Where parameters come from")
    lines.fill("CITY = place")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".wrong")).to_contain_text("is no JSON pointer")
    lines.fill("CITY = /place")
    page.get_by_role("button", name="Save").click()
    first = page.locator(".once").inner_text()
    assert first.startswith(f"{started.url}/webhooks/quick/ffw_")
    page.get_by_role("button", name="I have kept it").click()
    page.wait_for_url(re.compile(r"/ui/pipelines/quick/webhooks/[0-9a-f-]{36}$"))
    path = first.removeprefix(started.url)
    assert path not in page.content()
    assert started.call("POST", path, {"place": "Ulm"}, token="nobody")[0] == 202
    assert started.call("GET", "/runs?trigger=webhook")[1]["items"][0]["params"] == {"CITY": "Ulm"}

    page.get_by_role("button", name="New key").click()
    page.locator(".sheet").get_by_role("button", name="New key").click()
    second = page.locator(".once").inner_text().removeprefix(started.url)
    page.get_by_role("button", name="I have kept it").click()
    assert started.call("POST", path, {"place": "Ulm"}, token="nobody")[0] == 404
    assert started.call("POST", second, {"place": "Bern"}, token="nobody")[0] == 202
    anna.open("/pipelines/quick/webhooks")
    expect(page.locator("tbody tr")).to_contain_text("webhook-1")
    assert not anna.complaints


def test_repositories_when_one_is_added_then_problems_stand_at_their_fields_and_it_can_be_changed_and_removed(
    anna: Visitor, started: Served
) -> None:
    page = anna.page

    def problem_of(label: str) -> str:
        return page.locator(".run-field", has=page.get_by_label(label, exact=True)).locator(".wrong").inner_text()

    anna.open("/sync/-/new")
    page.get_by_label("Name", exact=True).fill("Team ETL")
    page.get_by_label("Address").fill("https://user:secret@git.example.org/etl.git")
    page.get_by_label("Looked at every").fill("0")
    page.get_by_label("Log in by").click()
    page.get_by_role("option", name="a password or token").click()
    page.get_by_role("button", name="Save").click()
    assert "small letters" in problem_of("Name")
    assert "credentials" in problem_of("Address")
    assert "missing" in problem_of("Secret")
    page.get_by_label("Name", exact=True).fill("team-etl")
    page.get_by_label("Address").fill("https://git.example.org/etl.git")
    page.get_by_label("Log in by").click()
    page.get_by_role("option", name="nothing, it is public").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Change the repository team-etl").click()
    page.get_by_label("Branch").fill("stable")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".q-notification.toast")).to_contain_text("next sync")
    assert started.call("GET", "/sync/repositories")[1]["items"][0]["branch"] == "stable"
    assert not examine(anna, ["/sync/repositories/team-etl"])
    page.get_by_role("button", name="Remove").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(page.locator(".empty", has_text="No repository yet")).to_be_visible()


def test_pages_of_services_when_examined_then_none_is_hard_to_use(anna: Visitor, started: Served) -> None:
    alert = started.call("GET", "/alerts")[1]["items"][0]["id"]
    rule = started.call("GET", "/alerts/rules")[1]["items"][0]["id"]
    webhook = started.call("GET", "/webhooks")[1]["items"][0]["id"]
    pages = [
        "/pipelines/quick/webhooks",
        f"/pipelines/quick/webhooks/{webhook}",
        "/alerts",
        f"/alerts/{alert}",
        "/alerts/rules",
        f"/alerts/rules/{rule}",
        "/alerts/channels",
        "/alerts/channels/ops",
        "/alerts/outbox",
        "/daemons",
        "/daemons/feed",
    ]
    assert not examine(anna, pages)
