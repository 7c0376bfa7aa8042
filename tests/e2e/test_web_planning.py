"""Schedules, secrets, repositories and dead letters in a real browser, on one real server."""

import re
from pathlib import Path

from playwright.sync_api import expect
from tests.e2e.web_driver import examine, on_one_worker

from fastflow.testing.browser import Visitor
from fastflow.testing.git_upstream import Upstream
from fastflow.testing.served import Served

GREET = 'import os\nprint("Hello " + os.environ["PARAM_CITY"])\n'
GREET_SETTINGS = """[params]
required = ["CITY"]
[params.properties.CITY]
type = "string"
"""
KEYED = 'import os\nprint("it ends in " + os.environ["API_KEY"][-3:])\n'
PICKY = 'import os\nif os.environ["PARAM_CITY"] not in ("Ulm", "Bern"):\n    raise LookupError("no such city")\n'
PIPELINES = {
    "greet/main.py": GREET,
    "greet/pipeline.toml": GREET_SETTINGS,
    "keyed/main.py": KEYED,
    "keyed/pipeline.toml": 'secrets = ["API_KEY"]\n',
    "picky/main.py": PICKY,
    "picky/pipeline.toml": "[retry]\nmax_retries = 0\ndead_letters = true\n",
}
SETTINGS = {"GIT_PROTOCOLS": "https,file"}

pytestmark = on_one_worker("web-planning")


def test_schedules_when_one_is_made_in_the_page_then_it_is_due_and_runs(anna: Visitor, started: Served) -> None:
    page = anna.page
    anna.open("/schedules")
    page.get_by_role("link", name="New schedule").click()
    expect(page.locator("h1")).to_have_text("New schedule")

    # what would be due stands beside the form while it is filled in, and what cannot be read at its field
    expect(page.locator(".preview")).to_contain_text("Every day at 02:30")
    page.get_by_role("combobox", name="When").click()
    page.get_by_role("option", name="By a cron line").click()
    page.get_by_role("textbox", name="Cron line").fill("0 25 * * *")
    expect(page.locator(".run-field .wrong")).to_contain_text("25 is out of range")
    page.get_by_role("textbox", name="Cron line").fill("0 8 * * MON-FRI")
    page.locator("input[aria-label='Time zone']").fill("Asia/Tokyo")
    expect(page.locator(".preview")).to_contain_text("Monday to Friday at 08:00")
    first = page.locator(".preview table.due tbody tr").first.locator("time")
    expect(first.first).to_contain_text("GMT+9")
    assert first.first.get_attribute("datetime") == first.nth(1).get_attribute("datetime")
    page.get_by_role("combobox", name="When").click()
    page.get_by_role("option", name="After a length of time").click()
    page.get_by_role("textbox", name="Length").fill("1s")
    page.get_by_role("textbox", name="Name").fill("tick")

    # the service names the missing pipeline, then the missing parameter
    save = page.get_by_role("button", name="Save")
    save.click()
    expect(page.locator(".run-field .wrong")).to_contain_text("choose one")
    page.get_by_role("combobox", name="Pipeline").click()
    page.get_by_role("option", name="greet").click()
    save.click()
    expect(page.locator(".run-field", has=page.get_by_label("CITY")).locator(".wrong")).not_to_be_empty()
    page.get_by_role("textbox", name="CITY").fill("Ulm")
    save.click()
    page.wait_for_url(re.compile(r"/ui/schedules/[0-9a-f-]{36}$"))
    expect(page.locator("h1")).to_have_text("tick")

    # without being loaded again, the page tells that it was due, and leads to the run
    expect(page.locator(".rows .pill", has_text="Started").first).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".title .pill")).to_have_text("Paused")
    page.locator(".rows .row a").first.click()
    expect(page.locator(".log-line").first).to_contain_text("Hello Ulm")
    page.go_back()
    page.get_by_role("button", name="Delete").click()
    page.locator("[role=alertdialog] .danger").click()
    page.wait_for_url(re.compile(r"/ui/schedules$"))
    assert started.call("GET", "/scheduler/jobs")[1]["items"] == []
    assert not anna.complaints


def run_keyed(started: Served) -> str:
    """What the pipeline prints of its key now."""
    status, done = started.call("POST", "/pipelines/keyed/run?wait=45", {})
    assert (status, done["status"]) == (200, "SUCCESS"), done
    return started.cli("runs", "logs", done["id"]).stdout


def test_secrets_when_one_is_rotated_then_the_next_run_has_the_new_value_and_no_page_shows_it(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: sent.append(str(data))))
    page.on("response", lambda answer: sent.append(answer.url))
    anna.open("/secrets")
    expect(page.locator(".note.waits")).to_contain_text("API_KEY does not exist, and is listed by keyed")
    page.get_by_role("link", name="New secret").click()
    page.get_by_role("textbox", name="Key").fill("API_KEY")
    page.locator("input[type=password]").fill("abc")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".run-field .wrong")).to_contain_text("fewer than 4 characters")
    page.locator("input[type=password]").fill("first-value-one")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/ui/secrets/API_KEY$"))
    expect(page.locator(".rows", has_text="keyed")).to_be_visible()
    assert "it ends in one" in run_keyed(started)

    page.locator("input[type=password]").fill("second-value-two")
    page.get_by_role("button", name="Save as new version").click()
    expect(page.locator(".rows", has_text="version 2")).to_be_visible()
    expect(page.locator("input[type=password]")).to_have_value("")
    assert "it ends in two" in run_keyed(started)
    anna.open("/pipelines/keyed")
    expect(page.locator("a.row", has_text="API_KEY")).to_contain_text("given")
    expect(page.get_by_role("link", name="New schedule")).to_be_visible()
    for path in ("/secrets", "/secrets/API_KEY"):
        anna.open(path)
        expect(page.locator("main.content")).to_contain_text("API_KEY")
        assert not re.search("(first|second)-value", page.content())
    assert not [text for text in sent if re.search("(first|second)-value", text)]

    # nobody but the server may read it: the pipeline's runs are refused, and the page says so before
    page.get_by_role("combobox", name="May be read by").click()
    page.get_by_role("option", name="no pipeline").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".note.waits")).to_contain_text("their runs are refused: keyed")
    assert started.call("POST", "/pipelines/keyed/run", {})[0] == 403
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("[role=alertdialog]")).to_contain_text("keyed")
    page.locator("[role=alertdialog] .danger").click()
    page.wait_for_url(re.compile(r"/ui/secrets$"))
    assert started.call("GET", "/secrets")[1]["items"] == []


def test_sync_when_planned_activated_and_rolled_back_in_the_page_then_runs_are_of_the_active_commit(
    anna: Visitor, started: Served, tmp_path: Path
) -> None:
    upstream = Upstream(tmp_path)
    first = upstream.push({"hello/main.py": "print('one')\n"}, "First words")
    added = started.cli("sync", "add", "flows", upstream.url)
    assert added.returncode == 0, added.stderr
    page = anna.page

    # a plan says what would come, and becomes active from its own page
    anna.open("/sync")
    page.locator(".repository").get_by_role("button", name="Plan").click()
    page.wait_for_url(re.compile(r"/ui/sync/[0-9a-f-]{36}$"))
    expect(page.locator(".title .pill")).to_have_text("Planned")
    expect(page.locator(".change")).to_contain_text("hello")
    assert started.call("GET", "/pipelines/hello")[0] == 404
    plan = page.url
    page.get_by_role("button", name="Make it active").click()
    page.wait_for_url(lambda url: url != plan)
    expect(page.locator(".title .pill")).to_have_text("Activated")
    expect(page.locator(".steps")).to_contain_text("becomes the active version")

    # the next commit, by the repository's button; what speaks against one is told
    upstream.push({"hello/main.py": "print('two')\n"}, "Second words")
    anna.open("/sync")
    page.locator(".repository").get_by_role("button", name="Sync").click()
    page.wait_for_url(re.compile(r"/ui/sync/[0-9a-f-]{36}$"))
    expect(page.locator(".title .pill")).to_have_text("Activated")
    assert said(started) == "two"
    upstream.push({"hello/main.py": "print('three'\n"}, "Third words")
    anna.open("/sync")
    page.locator(".repository").get_by_role("button", name="Sync").click()
    expect(page.locator(".title .pill")).to_have_text("Refused")
    expect(page.locator(".card", has_text="What speaks against it")).to_contain_text("hello/main.py:1")

    # back, after a question
    anna.open("/sync")
    page.locator(".repository").get_by_role("button", name="Roll back").click()
    page.locator("[role=alertdialog] .danger").click()
    page.wait_for_url(re.compile(r"/ui/sync/[0-9a-f-]{36}$"))
    expect(page.locator(".title .pill")).to_have_text("Activated")
    expect(page.locator("h1")).to_have_text("Rollback")
    assert said(started) == "one"
    anna.open("/sync")
    expect(page.locator(".repository")).to_contain_text(first[:10])
    expect(page.locator(".repository")).to_contain_text("was rolled back from")


def said(started: Served) -> str:
    status, done = started.call("POST", "/pipelines/hello/run?wait=45", {})
    assert (status, done["status"]) == (200, "SUCCESS"), done
    return started.cli("runs", "logs", done["id"]).stdout.strip()


def test_dead_letters_when_replayed_one_or_all_then_with_the_parameters_of_the_page(
    anna: Visitor, started: Served
) -> None:
    for city in ("Atlantis", "El Dorado"):
        started.call("POST", "/pipelines/picky/run?wait=45", {"params": {"CITY": city}})
    page = anna.page
    anna.open("/dead-letters")
    group = page.locator(".card.letters", has_text="LookupError")
    expect(group.locator(".row")).to_have_count(2)
    group.locator(".row").last.click()
    expect(page.locator("h1")).to_have_text("picky")
    field = page.get_by_role("textbox", name="Parameters")
    field.fill("{")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator(".run-field .wrong")).to_contain_text("not valid JSON")
    field.fill('{"CITY": "Ulm"}')
    page.get_by_role("button", name="Replay").click()
    page.wait_for_url(re.compile(r"/ui/runs/[0-9a-f-]{36}$"))
    expect(page.locator(".title .pill")).to_have_text("Succeeded")

    # two more: one is ticked and put aside, all others are replayed
    for city in ("Eden", "Avalon"):
        started.call("POST", "/pipelines/picky/run?wait=45", {"params": {"CITY": city}})
    anna.open("/dead-letters")
    expect(group.locator(".row")).to_have_count(3)
    expect(page.get_by_role("group", name="Many at once").get_by_role("button", name="Dismiss")).to_be_disabled()
    for row in (0, 1):
        group.get_by_role("checkbox").nth(row).check()
    page.get_by_role("group", name="Many at once").get_by_role("button", name="Dismiss").click()
    page.get_by_role("dialog").get_by_role("button", name="Dismiss").click()
    expect(page.locator(".q-notification.toast")).to_contain_text("2 runs were dismissed")
    expect(group.locator(".row")).to_have_count(1)
    page.get_by_role("button", name="Replay all").click()
    page.get_by_role("textbox", name="Parameters as JSON").fill('{"CITY": "Bern"}')
    page.get_by_role("dialog").get_by_role("button", name="Replay", exact=True).click()
    expect(page.locator(".q-notification.toast", has_text="1 run was submitted")).to_be_visible()
    expect(page.locator(".empty")).to_contain_text("No run waits")
    replayed = started.call("GET", "/runs?pipeline_name=picky&trigger=replay")[1]["items"]
    assert sorted(run["params"]["CITY"] for run in replayed) == ["Bern", "Ulm"]


def test_rooms_when_examined_then_no_page_is_hard_to_use(anna: Visitor, started: Served, tmp_path: Path) -> None:
    body = {"pipeline_name": "greet", "trigger": "cron", "expression": "0 8 * * 1", "params": {"CITY": "Ulm"}}
    status, job = started.call("POST", "/scheduler/jobs", body)
    assert status == 201, job
    assert started.call("POST", "/secrets", {"key": "OTHER", "value": "long enough"})[0] == 201
    letter = started.call("POST", "/pipelines/picky/run?wait=45", {"params": {"CITY": "Nowhere"}})[1]["id"]
    upstream = Upstream(tmp_path)
    upstream.push({"examined/main.py": "print('one')\n"}, "First words")
    for words in (("add", "examined", upstream.url), ("plan", "examined")):
        done = started.cli("sync", *words)
        assert done.returncode == 0, done.stderr
    sync = started.call("GET", "/sync/history")[1]["items"][0]["id"]
    paths = [
        "/schedules", "/schedules/new?pipeline=greet", f"/schedules/{job['id']}",
        "/secrets", "/secrets/-/new", "/secrets/OTHER",
        "/sync", f"/sync/{sync}", "/dead-letters", f"/dead-letters/{letter}",
    ]  # fmt: skip
    found = examine(anna, paths)
    assert not found, "\n".join(found)
