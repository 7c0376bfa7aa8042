"""The smoke path by one button: example data, all steps, in a real browser, on a real server that is killed in between."""

import os
import signal

import pytest
from playwright.sync_api import expect
from tests.e2e.web_driver import examine, on_one_worker

from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

PIPELINES = {"quick.py": "print('done')\n"}
COMPUTING_MS = 420_000
"""Three environments are built on the way."""

pytestmark = on_one_worker("web-churn-whole")


@pytest.mark.timeout(600)
def test_button_when_clicked_and_the_runner_killed_in_between_then_every_step_is_done_and_told(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/churn/experiments")
    assert not examine(anna, ["/churn/experiments"])
    page.get_by_role("button", name="Try it with example data").click()
    expect(page.get_by_role("heading", name="Demo", exact=True)).to_be_visible()
    steps = page.get_by_role("list", name="Steps").get_by_role("listitem")
    expect(steps).to_have_count(4)
    expect(page.get_by_role("button", name="Compute everything")).to_be_hidden()
    expect(steps.nth(1)).to_contain_text("Running", timeout=COMPUTING_MS)
    os.kill(started.child("runner"), signal.SIGKILL)
    expect(steps.nth(3)).to_contain_text("Done", timeout=COMPUTING_MS)
    for number, name in enumerate(("Churn", "Survival (Cox)", "Materialise", "Counterfactuals")):
        expect(steps.nth(number)).to_contain_text(name)
        expect(steps.nth(number)).to_contain_text("Done")
    expect(page.locator(".pill", has_text="Processed")).to_be_visible()
    assert not examine(anna, ["/churn/experiments/1"])

    found = started.call("GET", "/experiments/1")[1]
    assert (found["status"], sorted(found["runs"])) == ("processed", ["cf", "churn", "cox"])
    assert {"customer_churn_details_1", "cf_individual"} <= {
        table["name"] for table in started.call("GET", "/sql/tables")[1]["tables"]
    }
    page.get_by_role("button", name="Compute everything").click()
    expect(steps.nth(0)).to_contain_text("Running")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Let it run").click()
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Cancel the run").click()
    expect(page.locator(".note.bad")).to_contain_text("The step churn failed: cancelled by user:admin")
    expect(page.locator(".note.bad")).to_contain_text("are still there")
    expect(steps.nth(1)).to_contain_text("Not reached")
