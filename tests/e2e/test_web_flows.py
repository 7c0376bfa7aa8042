"""Flows and backfills in a real browser, on one real server."""

import re

from playwright.sync_api import Browser, expect
from tests.e2e.web_driver import examine, on_one_worker

from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

PICKY = 'import os, sys\nsys.exit(1 if os.environ["PARAM_ITEM"] == "c" else 0)\n'
PIPELINES = {
    "extract.py": 'print(\'::fastflow::{"output": {"parts": ["a", "b", "c"]}}\')\n',
    "clean/main.py": PICKY,
    "clean/pipeline.toml": '[after]\npipelines = ["extract"]\nforeach = "extract.parts"\n'
    '[params.properties.ITEM]\ntype = "string"\n',
    "publish/main.py": "print('published')\n",
    "publish/pipeline.toml": '[after]\npipelines = ["clean"]\napproval = { note = "Are the figures right?" }\n',
    "fetch.py": "print('fetched')\n",
    "release/main.py": "print('released')\n",
    "release/pipeline.toml": '[after]\npipelines = ["fetch"]\napproval = { users = ["vera"], note = "Release it?" }\n',
    "daily/main.py": "import time\ntime.sleep(600)\n",
    "daily/pipeline.toml": '[params.properties.DAY]\ntype = "string"\n',
    "nightly/main.py": "print('done')\n",
    "nightly/pipeline.toml": '[params.properties.DAY]\ntype = "string"\nformat = "date"\n',
    "shaky/main.py": "import sys\nsys.exit(1)\n",
    "shaky/pipeline.toml": '[retry]\nmax_retries = 1\ndelay = "1s"\n',
}

pytestmark = on_one_worker("web-flows")


def test_flow_when_a_step_fails_then_it_is_run_from_there_approved_and_ends_well(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    flow = started.call("POST", "/flows", {"roots": ["extract"]})[1]["id"]
    anna.open("/flows")
    page.locator(f"tr[data-href$='{flow}'] a.first").click()
    expect(page.locator(".title .pill")).to_have_text("Failed")
    expect(page.locator(".graph a.bad")).to_contain_text("3 of 3, 1 failed")
    expect(page.locator(".note.bad")).not_to_contain_text("`")

    # which element it was, and its run, which leads back
    page.locator(".graph a.bad").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label("State").select_option("FAILED")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody a").click()
    page.locator(".facts a.of-flow").click()
    page.wait_for_url(re.compile(f"/ui/flows/{flow}$"))

    # what succeeded is kept; then somebody is asked, and the page shows the answer without being loaded again
    (started.pipelines / "clean" / "main.py").write_text("print('mended')\n")
    page.evaluate("window.same = true")
    page.get_by_role("button", name="Run from the failed step").click()
    expect(page.locator(".approval")).to_contain_text("Are the figures right?")
    expect(page.locator(".graph a.waits")).to_contain_text("Needs approval")
    page.get_by_role("textbox", name="Note").fill("looked at them")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".title .pill")).to_have_text("Succeeded")
    expect(page.locator("tbody tr", has_text="publish")).to_contain_text("Decided by user:admin: looked at them")
    assert page.evaluate("window.same")
    runs = started.call("GET", f"/flows/{flow}/steps/clean/elements")[1]["items"]
    assert sorted((each["key"], each["attempt"]) for each in runs) == [("a", 1), ("b", 1), ("c", 1), ("c", 2)]
    assert not anna.complaints


def test_approval_when_it_names_a_viewer_then_they_find_it_on_the_overview_and_decide_and_nobody_else_may(
    anna: Visitor, started: Served, browser: Browser
) -> None:
    started.call("POST", "/users", {"name": "vera", "password": "a-first-password", "role": "viewer"})
    flow = started.call("POST", "/flows", {"roots": ["fetch"]})[1]["id"]
    anna.open("/")
    row = anna.page.locator(".row", has_text="release").filter(has_text="Release it?")
    expect(row).to_contain_text("Decided by vera")
    expect(row.get_by_role("link", name="Decide")).to_have_count(0)
    row.get_by_role("link", name="release").click()
    expect(anna.page.get_by_role("button", name="Approve")).to_be_disabled()

    vera = Visitor(browser, started.url)
    vera.log_in("vera", "a-first-password")
    vera.choose_password("a-first-password", "another-password-2")
    vera.open("/")
    vera.page.get_by_role("link", name="Decide about release").click()
    vera.page.wait_for_url(re.compile(f"/ui/flows/{flow}$"))
    vera.page.get_by_role("button", name="Approve").click()
    expect(vera.page.locator(".title .pill")).to_have_text("Succeeded")
    expect(vera.page.locator("tbody tr", has_text="release")).to_contain_text("Decided by user:vera")
    vera.open("/")
    expect(vera.page.locator(".row", has_text="Release it?")).to_have_count(0)
    assert not vera.complaints and not anna.complaints
    vera.close()


def test_backfill_when_under_way_then_its_progress_is_shown_and_it_is_cancelled(anna: Visitor, started: Served) -> None:
    page = anna.page
    asked = {"pipeline_name": "daily", "since": "2026-01-01", "until": "2026-01-05", "params": {"DAY": "{date}"}}
    flow = started.call("POST", "/backfills", {**asked, "throttle": 2})[1]["backfill"]["id"]
    anna.open("/flows?kind=backfill")
    expect(page.locator("tbody tr")).to_contain_text("0 of 5 ended")
    page.locator("tbody a.first").click()
    expect(page.locator("h1")).to_have_text("Backfill of daily")
    expect(page.locator(".meter i.runs")).to_have_attribute("style", "width: 40.00%")
    anna.open("/runs?pipeline=daily")
    expect(page.locator("tbody a.of-flow")).to_have_count(2)
    expect(page.locator("tbody a.of-flow").first).to_contain_text("backfill of daily · 2026-01-0")
    page.locator("tbody a.of-flow").first.click()
    page.get_by_role("button", name="Cancel").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(page.locator(".title .pill")).to_have_text("Cancelled")
    assert started.call("GET", f"/backfills/{flow}")[1]["status"] == "FAILED"
    assert not anna.complaints


def test_backfill_when_begun_in_its_form_then_what_would_run_is_shown_first_and_just_that_is_begun(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/pipelines/nightly")
    page.get_by_role("link", name="Run it over a range of past days").click()
    expect(page.locator("h1")).to_have_text("New backfill")
    expect(page.get_by_role("button", name="Begin the backfill")).to_be_hidden()
    page.get_by_label("From").fill("2026-02-30")
    page.get_by_label("To", exact=True).fill("2026-02-12")
    page.get_by_label("DAY").fill("{dte}")
    page.get_by_role("button", name="Show what would run").click()
    expect(page.locator(".run-field .wrong")).to_have_count(2)
    expect(page.locator(".run-field .wrong").first).to_contain_text("no date or instant")
    expect(page.locator(".run-field .wrong").last).to_contain_text("{dte} is no placeholder")

    page.get_by_label("From").fill("2026-02-01")
    page.get_by_label("DAY").fill("{date}")
    page.get_by_role("button", name="Show what would run").click()
    expect(page.get_by_role("status").first).to_contain_text("12 runs would be started")
    expect(page.locator("tbody tr")).to_have_count(7)
    expect(page.locator("tbody tr").nth(3)).to_contain_text("6 more")
    expect(page.locator("tbody tr").last).to_contain_text("DAY=2026-02-12")
    assert not started.call("GET", "/backfills?pipeline_name=nightly")[1]["items"]

    # what was changed since it was shown is shown before it is begun
    page.get_by_label("To", exact=True).fill("2026-02-02")
    page.get_by_role("button", name="Begin the backfill").click()
    expect(page.locator(".q-notification[role=status]")).to_contain_text("The form was changed")
    expect(page.get_by_role("status").first).to_contain_text("2 runs would be started")
    page.get_by_role("button", name="Begin the backfill").click()
    page.wait_for_url(re.compile(r"/ui/flows/[0-9a-f-]{36}$"))
    expect(page.locator(".title .pill")).to_have_text("Succeeded")
    (made,) = started.call("GET", "/backfills?pipeline_name=nightly")[1]["items"]
    assert (made["status"], made["submitted_by"]) == ("SUCCESS", "user:admin")

    # the same once more runs nothing, and says so
    anna.open("/flows/-/backfill?pipeline=nightly")
    page.get_by_label("From").fill("2026-02-01")
    page.get_by_label("To", exact=True).fill("2026-02-02")
    page.get_by_label("DAY").fill("{date}")
    page.get_by_role("button", name="Show what would run").click()
    expect(page.get_by_role("status").first).to_contain_text(
        "0 runs would be started. 2 were done by an earlier backfill"
    )
    expect(page.get_by_role("button", name="Begin the backfill")).to_be_hidden()
    assert not examine(anna, ["/flows/-/backfill?pipeline=nightly"])
    assert not anna.complaints


def test_run_when_it_was_tried_again_then_the_table_tells_attempts_and_the_overview_counts_it_once(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/")
    failed = page.locator(".stat", has_text="Failed, 24 h").locator("b")
    before = int(failed.inner_text())
    page.keyboard.press("Control+k")
    page.keyboard.type("run shaky")
    expect(page.locator("dialog [role=option]").first).to_contain_text("shaky")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/ui/runs/[0-9a-f-]{36}$"))
    anna.open("/runs?pipeline=shaky")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("attempt 2")
    expect(rows.last).to_contain_text("attempt 1, tried again")
    expect(rows.last).to_contain_text("by hand")  # as everything that is started in a page
    expect(rows.first.locator(".pill")).to_have_text("Failed")
    anna.open("/")
    expect(failed).to_have_text(str(before + 1))
    assert not anna.complaints


def test_pages_of_flows_when_examined_then_none_is_hard_to_use(anna: Visitor, started: Served) -> None:
    flow = started.call("POST", "/flows", {"roots": ["extract"]})[1]["id"]
    anna.open(f"/flows/{flow}")
    expect(anna.page.locator(".approval")).to_be_visible()
    assert not examine(anna, ["/flows", f"/flows/{flow}", f"/flows/{flow}/steps/clean", "/runs"])
