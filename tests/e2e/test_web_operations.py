"""Working with runs in the interface: many at once, what one left, its pipeline, its log."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from tests.e2e.web_driver import examine, first_admin, serving

from fastflow.testing.browser import Visitor, open_browser
from fastflow.testing.served import Served

PIPELINES = {
    "waits.py": "import time\nprint('begun', flush=True)\ntime.sleep(600)\n",
    "quick.py": "print('done')\n",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def started() -> Iterator[Served]:
    with serving(PIPELINES) as served:
        yield served


@pytest.fixture(scope="module")
def anna(browser: Browser, started: Served) -> Iterator[Visitor]:
    visitor = first_admin(browser, started)
    yield visitor
    visitor.close()


def test_runs_when_some_or_all_are_chosen_then_they_are_cancelled_and_run_again_together(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    ids = [started.call("POST", "/pipelines/waits/run")[1]["id"] for _ in range(3)]
    anna.open("/runs?pipeline=waits")
    bar = page.get_by_role("group", name="Many at once")
    for run in ids[:2]:
        page.locator(f"input[value='{run}']").check()
    expect(bar).to_contain_text("2 chosen")
    assert started.call("POST", "/pipelines/quick/run?wait=60")[1]["status"] == "SUCCESS"
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("input[name=run]:checked")).to_have_count(2)  # the table was sent anew meanwhile

    bar.get_by_role("button", name="Cancel").click()
    dialog = page.locator("[role=alertdialog]")
    expect(dialog).to_contain_text("Cancel 2 runs?")
    dialog.locator(".danger").click()
    expect(page.locator("tbody .pill", has_text="Cancelled")).to_have_count(2)
    expect(bar).to_contain_text("All that fit")

    # all that match, with a count: the one that is left
    bar.get_by_role("button", name="Cancel").click()
    expect(dialog).to_contain_text("Cancel 1 run?")
    dialog.locator(".danger").click()
    expect(page.locator("tbody .pill", has_text="Cancelled")).to_have_count(3)

    page.locator(f"input[value='{ids[2]}']").check()
    bar.get_by_role("button", name="Run again").click()
    expect(dialog).to_contain_text("Run 1 run again?")
    dialog.locator(".danger").click()
    expect(page.locator("tbody tr")).to_have_count(4)
    page.get_by_role("link", name="Submitted").click()
    page.wait_for_url(re.compile("order=oldest"))
    expect(page.locator("tbody tr").first).to_have_attribute("data-href", re.compile(ids[0]))
    again = started.call("GET", "/runs?pipeline_name=waits&trigger=replay")[1]["items"]
    assert [run["rerun_of"] for run in again] == [ids[2]]
    assert started.call("POST", f"/runs/{again[0]['id']}/cancel")[0] == 202
    assert not anna.complaints


def test_pages_of_operations_when_examined_then_none_is_hard_to_use(anna: Visitor, started: Served) -> None:
    started.call("POST", "/pipelines/quick/run?wait=60")
    assert not examine(anna, ["/runs"])
