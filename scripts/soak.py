"""Keeps pages open while runs go on, and watches what they and the server hold: `make soak HOURS=24`.

A server of its own on a free port; tabs on the overview, the runs, the pipelines and a run that goes on; runs one after the
other, the whole time. Every few minutes a line of figures is printed and kept in `.soak/figures.csv`. Ends with 1 if after the
first tenth of the time something has grown by more than it may, or a page does not show what happened last.
"""

import argparse
import csv
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from playwright.sync_api import expect

from fastflow.testing.browser import Visitor, open_browser
from fastflow.testing.held_pages import Cost, HeldPages, grown
from fastflow.testing.served import Served

OUT = Path(__file__).parents[1] / ".soak"
PASSWORD = "correct-horse-battery"
PATIENCE_MS = 120_000
SHOWN = 50
"""Runs on a page of their table: it is full before anything is compared."""
TELLS = """import json, time
for number in range(10**9):
    print("line", number)
    print("::fastflow::" + json.dumps({"progress": number % 100 / 100, "step": f"step {number}", "metric": {"number": number}}))
    time.sleep(2)
"""
QUICK = 'import os\nprint("done", os.environ["PARAM_N"])\n'
SETTINGS = '[params.properties.N]\ntype = "integer"\ndefault = 0\n'


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--hours", type=float, default=1.0, help="how long; 1 unless said")
    asked.add_argument("--dashboards", type=int, default=5, help="tabs on the overview; 5 unless said")
    asked.add_argument("--pause", type=float, default=2.0, help="seconds between runs; 2 unless said")
    given = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    served = Served(folder)
    served.add("tells", TELLS)
    (served.pipelines / "quick").mkdir()
    (served.pipelines / "quick" / "main.py").write_text(QUICK)
    (served.pipelines / "quick" / "pipeline.toml").write_text(SETTINGS)
    try:
        served.start()
        served.token = served.cli("tokens", "create", "soak", "--role", "admin").stdout.strip()
        with open_browser() as browser:
            problems = watch(served, log_in(Visitor(browser, served.url), served), given)
    finally:
        served.close()
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(problems) or "Nothing has grown, and every page was up to date.")
    return 1 if problems else 0


def log_in(visitor: Visitor, served: Served) -> Visitor:
    """As the first administrator."""
    told = re.search(r"one-time password (\S+)", "\n".join(served.said))
    assert told
    visitor.log_in("admin", told[1])
    visitor.choose_password(told[1], PASSWORD)
    return visitor


def watch(served: Served, visitor: Visitor, given: argparse.Namespace) -> Sequence[str]:
    """Hold the pages open for so long; what was wrong."""
    going = str(served.call("POST", "/pipelines/tells/run")[1]["id"])
    paths = ["/runs", f"/runs/{going}", "/pipelines", *["/"] * given.dashboards]
    held = HeldPages(served, visitor, paths)
    begun, runs = time.monotonic(), 0
    whole, between = given.hours * 3600, max(5.0, given.hours * 36)
    looked, first, last = begun, None, None
    pause = threading.Event()
    OUT.mkdir(exist_ok=True)
    with (OUT / "figures.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["seconds", "runs", *(field.name for field in fields(Cost))])
        writer.writeheader()
        while (passed := time.monotonic() - begun) < whole:
            run = served.call("POST", "/pipelines/quick/run?wait=60", {"params": {"N": runs}})[1]
            runs += 1
            if time.monotonic() - looked >= between:
                looked = time.monotonic()
                expect(held.tabs[0].locator(f"tr[data-href$='{run['id']}']")).to_be_visible(timeout=PATIENCE_MS)
                last = held.look()
                if first is None and passed > whole / 10 and runs > SHOWN:
                    first = (last, runs)
                tell(writer, round(passed), runs, last)
                file.flush()
            pause.wait(given.pause)
    if first is None or last is None:
        return ["It was too short to tell anything."]
    problems = list(
        grown(first[0], last, (runs - first[1]) * 4)
    )  # a run: submitted, begun, ended; and the other's telling
    return problems + [f"A page complained: {complaint}" for complaint in visitor.complaints]


def tell(writer: "csv.DictWriter[str]", seconds: int, runs: int, cost: Cost) -> None:
    """A line of figures, for people and for a spreadsheet."""
    told = {"seconds": seconds, "runs": runs, **asdict(cost)}
    writer.writerow(told)
    print("  ".join(f"{name} {value:,}" for name, value in told.items()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
