"""Administration in a real browser, on a real server: users and what they may do, tokens, the palette by keyboard."""

import json
import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from tests.e2e.web_driver import PASSWORD, examine, on_one_worker

from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

PIPELINES = {"plain.py": 'print("done")\n'}
SETTINGS = {"ENVIRONMENT_RETENTION_DAYS": "12"}
PAGES = ("/users", "/users/admin", "/tokens", "/account", "/audit", "/audit/1", "/settings", "/doctor")

pytestmark = on_one_worker("web-administration")


def test_users_when_one_is_made_then_they_log_in_and_the_server_refuses_what_their_role_does_not_allow(
    anna: Visitor, started: Served, browser: Browser
) -> None:
    page = anna.page
    anna.open("/users")
    page.get_by_role("button", name="New user").click()
    page.get_by_label("Name").fill("No Name")
    page.keyboard.press("Enter")
    expect(page.locator(".sheet .wrong")).to_be_visible()
    toast = page.locator(".q-notification.problem .q-notification__message")
    assert toast.evaluate("each => getComputedStyle(each).color") != "rgb(255, 255, 255)"  # on a white ground
    page.get_by_label("Name").fill("vera")
    page.keyboard.press("Enter")
    password = page.locator(".once").inner_text()
    page.get_by_role("button", name="I have kept it").click()
    page.wait_for_url(re.compile(r"/ui/users/vera$"))

    vera = Visitor(browser, started.url)
    vera.log_in("vera", password, at="/pipelines/plain")
    vera.choose_password(password, PASSWORD)
    run = vera.page.get_by_role("button", name="Run", exact=True)
    expect(run).to_be_disabled()
    run.evaluate("each => { each.disabled = false; each.click() }")
    expect(vera.page.locator(".q-notification.problem")).to_contain_text("operator")
    vera.page.goto(f"{started.url}/ui/users")
    expect(vera.page.locator("h1")).to_contain_text("needs the role admin")

    # a role on one pipeline more, and she may run it; disabled, and her open page is at the login
    page.get_by_label("Pipeline or pattern").fill("pl*")
    page.get_by_role("button", name="Give").click()
    expect(page.locator(".row", has_text="pl*")).to_be_visible()
    vera.open("/pipelines/plain")
    run.click()
    vera.page.wait_for_url(re.compile(r"/ui/runs/"))
    page.get_by_role("button", name="Disable").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(page.locator(".title .pill")).to_have_text("Disabled")
    vera.page.goto(f"{started.url}/ui/")
    vera.page.wait_for_url(re.compile(r"/ui/login"))
    vera.close()


def test_tokens_when_one_is_made_and_revoked_then_it_is_shown_once_and_its_calls_are_refused(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/tokens")
    page.get_by_role("button", name="New token").click()
    page.locator(".sheet").get_by_label("Name").fill("deploy")
    page.locator(".sheet").get_by_label("Pipelines", exact=True).fill("plain")
    page.locator(".sheet").get_by_label("Roles on pipelines").fill("plain")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".sheet .wrong")).to_have_text("must be ROLE:PIPELINES")
    page.locator(".sheet").get_by_label("Roles on pipelines").fill("viewer:billing-*, admin:plain-*")
    page.get_by_role("button", name="Create").click()
    token = page.locator(".once").inner_text()
    page.get_by_role("button", name="I have kept it").click()
    expect(page.locator("tr", has_text="deploy")).to_contain_text("operator")
    expect(page.locator("tr", has_text="deploy")).to_contain_text("viewer · billing-*")
    grants = started.call("GET", "/auth/me", token=token)[1]["grants"]
    assert [(each["role"], each["pipelines"]) for each in grants] == [("viewer", "billing-*"), ("admin", "plain-*")]
    assert token not in page.content()
    assert started.call("POST", "/pipelines/plain/run", token=token)[0] == 202
    page.get_by_role("button", name="Revoke the token deploy").click()
    page.locator("[role=alertdialog] .danger").click()
    expect(page.locator("tr", has_text="deploy")).to_have_count(0)
    assert started.call("POST", "/pipelines/plain/run", token=token)[0] == 401


def test_palette_when_used_by_keyboard_alone_then_a_run_is_found_and_a_pipeline_is_run(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    known = started.call("POST", "/pipelines/plain/run?wait=60")[1]["id"]
    anna.open("/")
    options = page.locator("dialog.palette [role=option]")
    page.keyboard.press("Control+k")
    page.keyboard.type(known[-8:])
    expect(options.first).to_contain_text("plain")
    assert not [each for each in Axe().run(page).response["violations"] if each["impact"] in ("serious", "critical")]
    page.keyboard.press("Enter")
    page.wait_for_url(f"{started.url}/ui/runs/{known}")
    expect(page.locator("main.content h1")).to_have_text("plain")

    page.keyboard.press("Control+k")
    page.keyboard.type("run plain")
    page.keyboard.press("Enter")  # at once: what was typed is looked for first
    page.wait_for_url(re.compile(rf"/ui/runs/(?!{known})"))
    expect(page.locator(".title .pill")).to_have_text("Succeeded")

    page.keyboard.press("Control+k")
    page.keyboard.type("light and dark")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_class(re.compile("dark"))

    # what somebody may not do is not offered
    seen = json.dumps(started.call("GET", "/ui/find?q=plain")[1])
    assert '"Run plain"' in seen
    viewer = started.cli("tokens", "create", "viewer", "--role", "viewer").stdout.strip()
    seen = json.dumps(started.call("GET", "/ui/find?q=plain", token=viewer)[1])
    assert '"plain"' in seen
    assert '"Run plain"' not in seen


def test_rooms_of_administration_when_opened_then_they_say_what_was_done_what_is_in_force_and_what_works(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    anna.open("/audit?action=token")
    expect(page.locator("tbody tr").first).to_contain_text("token.")
    page.get_by_role("button", name="Verify").click()
    expect(page.locator(".card .pill.good")).to_have_text("Whole")

    anna.open("/settings")
    page.get_by_label("Find a setting").fill("retention days environment")
    expect(page.locator("tr[data-text]:visible")).to_have_count(1)
    row = page.locator("tr#ENVIRONMENT_RETENTION_DAYS")
    expect(row.locator(".value code").first).to_have_text("12")
    expect(row.locator(".pill")).to_have_text("environment")
    expect(page.locator("tr#PORT .pill")).to_have_text("command line")

    anna.open("/doctor")
    expect(page.locator("[data-check=runner] .pill")).to_have_text("Works")
    expect(page.locator("[data-check=database]").first).to_contain_text("SQLite, schema ")
    expect(page.locator("[data-check=isolation]").first).to_contain_text("runs act as user ")
    expect(page.locator("[data-check='encryption key'] .pill")).to_have_text("Works", timeout=120_000)


def test_rooms_of_administration_when_examined_then_no_page_is_hard_to_use(anna: Visitor) -> None:
    found = examine(anna, PAGES)
    assert not found, "\n".join(found)
