"""The interface in a real browser, on a real server."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect
from tests.e2e.web_driver import PASSWORD, examine, on_one_worker, toast_contrasts

from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

GREET_SCRIPT = 'import os\nprint("\\x1b[32mHello " + os.environ["PARAM_CITY"] + "\\x1b[0m")\n'
GREET_SETTINGS = """description = "Greets a city"
[params]
required = ["CITY"]
[params.properties.CITY]
type = "string"
description = "Whom to greet"
[params.properties.TIMES]
type = "integer"
minimum = 1
default = 1
"""
WAITS = 'import sys, time\nprint("begun", flush=True)\nprint("to the other stream", file=sys.stderr, flush=True)\ntime.sleep(600)\n'
LONG = 'for number in range(3000):\n    print("line", number)\n'
FAILS = 'raise ValueError("no such customer")\n'
PIPELINES = {
    "greet/main.py": GREET_SCRIPT,
    "greet/pipeline.toml": GREET_SETTINGS,
    "waits.py": WAITS,
    "fails.py": FAILS,
    "long.py": LONG,
}

pytestmark = on_one_worker("web")


def test_web_when_used_by_hand_then_a_pipeline_runs_is_watched_cancelled_and_explained(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    expect(page.locator("h1")).to_have_text("Pipelines")  # where it was to go before the login

    # the palette leads to a pipeline, whose form says what is wrong beside the field, then runs it
    page.keyboard.press("Control+k")
    page.keyboard.type("greet")
    expect(page.locator("dialog [role=option]").first).to_contain_text("greet")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("greet")
    run = page.get_by_role("button", name="Run", exact=True)
    run.click()
    expect(page.locator(".run-field .wrong")).to_have_count(1)
    expect(page.locator(".q-notification.problem")).to_contain_text("CITY")
    contrasts = toast_contrasts(page)
    assert all(len(found) >= 2 and min(found) > 4.5 for found in contrasts.values()), contrasts
    page.get_by_label("CITY").fill("Ulm")
    run.click()
    page.wait_for_url(re.compile(r"/ui/runs/[0-9a-f-]{36}$"))
    expect(page.locator(".title .pill")).to_have_text("Succeeded")
    line = page.locator(".log-line")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("Hello Ulm")
    assert line.locator("span").first.evaluate("each => each.style.color") == "rgb(22, 163, 74)"
    expect(page.locator(".log-foot")).to_contain_text("Complete")

    # a running one is followed, and cancelled after a question
    anna.open("/pipelines/waits")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(re.compile(r"/ui/runs/"))
    expect(page.locator(".title .pill")).to_have_text("Running")
    expect(page.locator(".log-line")).to_have_count(2)
    expect(page.locator(".log-line.err")).to_contain_text("to the other stream")
    page.get_by_role("button", name="Cancel").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(page.locator(".title .pill")).to_have_text("Cancelled")
    expect(page.get_by_role("button", name="Run again")).to_be_visible()

    # the overview tells of a failure without being loaded again, and leads to why
    anna.open("/")
    expect(page.locator(".stat", has_text="Failed, 24 h").locator("b")).to_have_text("0")
    page.evaluate("window.same = true")
    assert started.call("POST", "/pipelines/fails/run")[0] == 202
    expect(page.locator(".stat", has_text="Failed, 24 h").locator("b")).to_have_text("1")
    assert page.evaluate("window.same")
    page.locator(".rows a", has_text="fails").first.click()
    expect(page.locator(".note.bad")).to_contain_text("no such customer")
    page.get_by_role("button", name="First error").click()
    expect(page.locator(".log-line.at")).to_be_visible()

    # on a phone, the boxes of the runs are whole
    page.set_viewport_size({"width": 390, "height": 844})
    anna.open("/runs")
    whole = "cell => cell.clientWidth >= cell.firstElementChild.offsetWidth && cell.firstElementChild.offsetWidth >= 20"
    assert page.locator("td.pick").first.evaluate(whole)
    page.set_viewport_size({"width": 1280, "height": 860})
    assert not anna.complaints


def test_web_when_a_log_is_long_then_it_opens_at_its_end_and_what_is_above_comes_when_it_is_looked_for(
    anna: Visitor, started: Served
) -> None:
    run = started.call("POST", "/pipelines/long/run?wait=60")[1]["id"]
    anna.open(f"/runs/{run}")
    page = anna.page
    expect(page.locator(".log-foot")).to_contain_text(re.compile(r"Last 2,\d{3} lines, more above"))
    expect(page.locator(".log-line").last).to_contain_text("line 2999")
    to_top = "document.querySelector('.log-scroll').scrollTop = 0"
    page.evaluate(to_top)
    expect(page.locator(".log-foot")).to_contain_text("3,000 lines")
    page.evaluate(to_top)
    expect(page.locator(".log-line").first).to_have_text("1line 0")
    page.get_by_role("searchbox").fill("line 1999")
    expect(page.locator(".log-line.hit")).to_contain_text("line 1999")


def test_web_when_somebody_may_only_look_then_the_server_refuses_what_the_page_does_not_offer(
    browser: Browser, started: Served
) -> None:
    status, _ = started.call("POST", "/users", {"name": "vera", "password": "a-first-password", "role": "viewer"})
    assert status == 201
    vera = Visitor(browser, started.url, language="de-DE")
    vera.log_in("vera", "another-password", at="/pipelines/waits")
    expect(vera.page.locator(".form-error")).to_have_text(
        "Name oder Passwort ist falsch. Prüfen Sie Name und Passwort; ein Administrator kann ein neues setzen."
    )
    vera.log_in("vera", "a-first-password", at="/pipelines/waits")
    vera.choose_password("a-first-password", PASSWORD)
    page = vera.page
    button = page.get_by_role("button", name="Starten")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", re.compile("Bediener"))
    button.evaluate("each => { each.disabled = false; each.click() }")
    expect(page.locator(".q-notification.problem")).to_contain_text("Dafür ist die Rolle operator")
    mine = [run for run in started.call("GET", "/runs")[1]["items"] if run["submitted_by"] == "user:vera"]
    assert mine == []

    page.get_by_role("button", name="Abmelden").click()
    page.wait_for_url(re.compile(r"/ui/login$"))
    page.goto(f"{started.url}/ui/runs")
    page.wait_for_url(re.compile(r"/ui/login\?to="))
    vera.close()


def test_web_when_examined_then_no_page_is_hard_to_use(anna: Visitor, started: Served) -> None:
    failed = started.call("POST", "/pipelines/fails/run?wait=60")[1]["id"]
    found = examine(anna, ("/", "/pipelines", "/pipelines/greet", "/runs", f"/runs/{failed}"))
    assert not found, "\n".join(found)


def test_web_when_the_server_goes_and_comes_then_an_open_page_says_so_and_catches_up(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    run = started.call("POST", "/pipelines/waits/run")[1]["id"]
    anna.open(f"/runs/{run}")
    expect(page.locator(".log-line")).to_have_count(2)
    port = urlsplit(started.url).port
    started.stop()
    expect(page.locator("#popup")).to_be_visible()
    expect(page.locator("#popup")).to_contain_text("The server is away")
    started.start("--port", str(port))
    expect(page.locator("#popup")).to_be_hidden()
    expect(page.locator(".title .pill")).to_have_text("Running")
    expect(page.locator(".log-line")).to_have_count(2)
    assert started.call("POST", f"/runs/{run}/cancel")[0] == 202
    expect(page.locator(".title .pill")).to_have_text("Cancelled")
