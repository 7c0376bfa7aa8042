"""Working with runs in the interface: many at once, what one left, its pipeline, its log."""

import re

from playwright.sync_api import expect
from tests.e2e.web_driver import examine, on_one_worker

from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

MEASURES = """import os, pathlib
for step in range(5):
    print('::fastflow::{"metric": {"loss": %f}}' % (1 / (step + 1)))
left = pathlib.Path(os.environ["FASTFLOW_ARTIFACTS"])
(left / "sub").mkdir()
(left / "sub" / "table.csv").write_text("city,people\\nUlm,126000\\n<b>Bern</b>,134000\\n")
(left / "page.html").write_text("<script>document.title = 'taken'</script>")
(left / "raw.bin").write_bytes(bytes(10))
"""
PIPELINES = {
    "measures.py": MEASURES,
    "extract/main.py": "print('first')\nprint('</pre><b>second</b>')\n",
    "extract/README.md": "# What it takes\n\n<script>alert(1)</script> [docs](https://example.org/)\n",
    "load/main.py": "print('loaded')\n",
    "load/pipeline.toml": 'after = ["extract"]\n',
    "waits.py": "import time\nprint('begun', flush=True)\ntime.sleep(600)\n",
    "long.py": "print('needle at the beginning')\nprint('Error: the first')\n"
    "for number in range(20_000):\n    print('line', number)\nprint('an error at the end')\n",
    "quick.py": "print('done')\n",
}

pytestmark = on_one_worker("web-operations")


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


def test_run_when_it_measured_and_left_files_then_curves_previews_and_what_it_differs_in(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    first = started.call("POST", "/pipelines/measures/run?wait=60")[1]["id"]
    with (started.pipelines / "measures.py").open("a") as script:
        script.write("print('more')\n")
    run = started.call("POST", "/pipelines/measures/run?wait=60")[1]["id"]
    anna.open(f"/runs/{run}")
    curve = page.locator(".chart svg")
    expect(curve).to_have_count(1)
    expect(curve).to_have_attribute("aria-label", re.compile("loss: 5 values from 0.2 to 1, at last 0.2"))

    page.get_by_role("link", name="sub/table.csv").click()
    expect(page.locator("td", has_text="<b>Bern</b>")).to_be_visible()
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Download").click()
    assert downloaded.value.path().read_text().startswith("city,people\nUlm")
    anna.open(f"/runs/{run}/artifact?path=page.html")
    expect(page.locator("pre")).to_have_text("<script>document.title = 'taken'</script>")
    expect(page).to_have_title(re.compile("page.html"))
    anna.open(f"/runs/{run}/artifact?path=raw.bin")
    expect(page.locator(".empty")).to_contain_text("no preview")

    anna.open(f"/runs/{run}/diff")
    page.locator(f"a[href$='with={first}']").click()
    expect(page.locator("td", has_text="capsule.tree_hash")).to_be_visible()
    expect(page.locator("tr", has_text="measures.py")).to_contain_text("+1")
    assert not anna.complaints


def test_pipeline_when_looked_at_then_its_readme_source_environment_trend_and_neighbours(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    for _ in range(2):
        assert started.call("POST", "/pipelines/extract/run?wait=60", {"alone": True})[1]["status"] == "SUCCESS"
    anna.open("/pipelines/extract")
    expect(page.locator(".prose h3")).to_have_text("What it takes")
    expect(page.locator(".prose")).to_contain_text("<script>alert(1)</script>")
    expect(page.locator(".prose a")).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(page.locator(".card", has=page.get_by_role("heading", name="Environment"))).to_contain_text("cpython")
    expect(page.locator(".chart svg")).to_have_attribute("aria-label", re.compile("2 values"))
    page.locator(".graph a", has_text="load").click()
    expect(page.locator("h1")).to_have_text("load")
    anna.open("/pipelines/extract/source#L2")
    expect(page.locator(".source .line:target")).to_contain_text("print('</pre><b>second</b>')")
    page.get_by_role("link", name="README.md").click()
    expect(page.locator("h1")).to_have_text("README.md")
    assert not anna.complaints


def test_overview_when_runs_went_then_their_hour_tells_so_and_a_pipeline_is_started_from_there(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    assert started.call("POST", "/pipelines/quick/run?wait=60")[1]["status"] == "SUCCESS"
    anna.open("/")
    cell = page.locator(".heat td a").first
    expect(cell).to_have_attribute(
        "title", re.compile(r"\d+ runs, 0 failed"), timeout=90_000
    )  # it is counted now and then
    cell.click()
    page.wait_for_url(re.compile(r"/ui/runs\?since=.*&until="))
    expect(page.locator("tbody tr a.first", has_text="quick").first).to_be_visible()
    anna.open("/")
    page.get_by_role("button", name="Start quick").click()
    page.wait_for_url(re.compile(r"/ui/runs/[0-9a-f-]{36}$"))
    expect(page.locator(".title .pill")).to_have_text("Succeeded")
    assert not anna.complaints


def test_log_when_it_is_longer_than_what_is_loaded_then_all_of_it_is_searched_and_two_tabs_show_the_same(
    anna: Visitor, started: Served
) -> None:
    page = anna.page
    run = started.call("POST", "/pipelines/long/run?wait=60")[1]["id"]
    anna.open(f"/runs/{run}")
    expect(page.locator(".log-line").last).to_contain_text("an error at the end")
    page.get_by_role("searchbox", name="Find").fill("NEEDLE at")
    page.get_by_role("button", name="Whole log").click()
    expect(page.locator(".log-line.hit")).to_contain_text("needle at the beginning")
    expect(page.locator(".log-foot")).to_contain_text("A part of it")
    page.get_by_role("searchbox", name="Find").fill("")

    # back at the end, whose own error is not the first one of the log
    page.get_by_role("button", name="Follow").click()
    expect(page.locator(".log-line").last).to_contain_text("an error at the end")
    page.get_by_role("button", name="First error").click()
    marked = page.locator(".log-line.at")
    expect(marked).to_contain_text("Error: the first")

    # a link to the line shows the same in another tab, and what comes below when it is scrolled to
    where = marked.locator("a").get_attribute("href")
    other = anna.context.new_page()
    other.goto(f"{started.url}/ui/runs/{run}{where}")
    expect(other.locator(".log-line.at")).to_contain_text("Error: the first")
    other.wait_for_function("""() => {
      document.querySelector(".log-scroll").scrollTop = 1e9;
      return [...document.querySelectorAll(".log-line")].some((line) => line.textContent.includes("an error at the end"));
    }""")
    expect(other.locator(".log-line").last).to_contain_text("an error at the end")
    other.close()
    assert not anna.complaints


def test_pages_of_operations_when_examined_then_none_is_hard_to_use(anna: Visitor, started: Served) -> None:
    run = started.call("POST", "/pipelines/measures/run?wait=60")[1]["id"]
    other = started.call("POST", "/pipelines/quick/run?wait=60")[1]["id"]
    pages = [
        "/",
        "/runs",
        "/pipelines/extract",
        "/pipelines/extract/source",
        f"/runs/{run}",
        f"/runs/{run}/artifact?path=sub/table.csv",
        f"/runs/{run}/artifact?path=page.html",
        f"/runs/{run}/diff?with={other}",
    ]
    assert not examine(anna, pages)
