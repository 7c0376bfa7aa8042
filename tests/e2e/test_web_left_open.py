"""Pages that stay open while much happens: they neither grow nor go stale, and what was closed is let go of."""

from playwright.sync_api import expect
from tests.e2e.web_driver import on_one_worker

from fastflow.testing.browser import Visitor
from fastflow.testing.held_pages import Happenings, HeldPages, grown
from fastflow.testing.served import Served

PIPELINES = {"waits.py": "import time\nprint('begun', flush=True)\ntime.sleep(3600)\n"}
WARM_UP, BATCHES, EVENTS = 3, 10, 320
SHOWN = 50
"""Runs on a page of their table: it is full before anything is measured."""
PATIENCE_MS = 60_000

pytestmark = on_one_worker("web-left-open")


def test_pages_when_thousands_of_events_come_then_all_show_the_latest_and_nothing_has_grown(
    anna: Visitor, started: Served
) -> None:
    run_id = str(started.call("POST", "/pipelines/waits/run")[1]["id"])
    for path in ("/", "/pipelines"):  # what is closed again, is let go of
        page = anna.context.new_page()
        page.goto(f"{started.url}/ui{path}")
        expect(page.locator("main.content h1")).to_be_visible()
        page.close()
    held = HeldPages(started, anna, ("/", "/runs", f"/runs/{run_id}"))
    overview, runs, run = held.tabs
    happenings = Happenings(started, run_id)

    def happen(batches: int, *, ended_runs: int = 1) -> None:
        for _ in range(batches):
            step, ended = happenings.tell(EVENTS, ended_runs=ended_runs)
            expect(overview.locator(".rows .main", has_text=step)).to_be_visible(timeout=PATIENCE_MS)
            expect(run.locator(".course + .card-body")).to_contain_text(step, timeout=PATIENCE_MS)
            expect(runs.locator(f"tr[data-href$='{ended}']")).to_be_visible(timeout=PATIENCE_MS)

    happen(WARM_UP, ended_runs=SHOWN)
    held.await_pages(len(anna.context.pages))
    before, begun = held.look(), happenings.events
    happen(BATCHES)
    after, events = held.look(), happenings.events - begun
    happenings.close()
    assert started.call("POST", f"/runs/{run_id}/cancel")[0] == 202
    assert events > 3000
    assert not grown(before, after, events), (before, after)
