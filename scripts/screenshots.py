"""Pictures of every page of the interface: light and dark, wide and phone, in both languages. Look at them.

Starts a server of its own with the example pipelines, lets them do something worth showing, and writes to `.screenshots`.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import screenshots_planning
import screenshots_services

from fastflow.testing.browser import Visitor, open_browser
from fastflow.testing.served import Served

ROOT = Path(__file__).parents[1]
OUT = ROOT / ".screenshots"
PASSWORD = "correct-horse-battery"
LOOKS = (
    ("light", (1280, 860), "en-GB"),
    ("dark", (1280, 860), "de-DE"),
    ("light", (390, 844), "de-DE"),
    ("dark", (390, 844), "en-GB"),
)

EXPORT = """import json, sys, time
print("\\x1b[1;34mExport\\x1b[0m of \\x1b[32m200 tables\\x1b[0m begins")
for number in range(2000):
    print(f"table_{number:03d}: \\x1b[2mread\\x1b[0m {number * 1234} rows")
    if number % 17 == 0:
        print(f"table_{number:03d} has no index", file=sys.stderr)
    print("::fastflow::" + json.dumps({"progress": min(number / 200, 0.99), "step": f"table {number} of 200"}), flush=True)
    time.sleep(0.5)
"""
REPORT = """description = "Sums up the last hour, for the board on the wall"
tags = ["report"]
[concurrency]
limit = 1
[[schedules]]
name = "hourly"
cron = "0 * * * *"
"""
BROKEN = 'description = "Its settings have a slip"\ntimeout = "soon"\n'


def main() -> int:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    served = Served(folder, {"MAX_CONCURRENT_RUNS": "2", "GIT_PROTOCOLS": "https,file"})
    try:
        fill(served)
        pages = act(served)
        with open_browser() as browser:
            first = Visitor(browser, served.url)
            told = re.search(r"one-time password (\S+)", "\n".join(served.said))
            assert told
            first.page.goto(f"{served.url}/ui/")
            first.page.locator("form").wait_for()
            first.page.screenshot(path=OUT / "login-light-1280.png")
            first.log_in("admin", told[1])
            first.page.locator("[name=again]").wait_for()
            first.page.screenshot(path=OUT / "password-light-1280.png")
            first.choose_password(told[1], PASSWORD)
            first.close()
            for theme, size, language in LOOKS:
                visitor = Visitor(browser, served.url, theme=theme, size=size, language=language)
                visitor.log_in("admin", PASSWORD)
                visitor.page.locator("main.content h1, .content h1").first.wait_for()
                for name, path in pages.items():
                    take(visitor, name, path, f"{theme}-{size[0]}")
                visitor.open("/")
                visitor.page.keyboard.press("Control+k")
                visitor.page.locator("dialog [role=option]").first.wait_for()
                visitor.page.wait_for_load_state("networkidle")
                visitor.page.screenshot(path=OUT / f"palette-{theme}-{size[0]}.png")
                if visitor.complaints:
                    print("\n".join(visitor.complaints), file=sys.stderr)
                visitor.close()
    finally:
        served.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(list(OUT.iterdir()))} pictures in {OUT}")
    return 0


def fill(served: Served) -> None:
    """The pipelines, and what they have done."""
    for example in (ROOT / "examples" / "pipelines").iterdir():
        if example.stem in ("greet_city", "always_fails", "stdlib_report", "hundred_thousand_lines"):
            target = served.pipelines / example.name
            shutil.copytree(example, target) if example.is_dir() else shutil.copy(example, target)
    screenshots_planning.fill(served)
    screenshots_services.fill(served)
    served.add("nightly_export", EXPORT)
    for name, settings in (("hourly_report", REPORT), ("broken_settings", BROKEN)):
        (served.pipelines / name).mkdir()
        (served.pipelines / name / "main.py").write_text('print("done")\n')
        (served.pipelines / name / "pipeline.toml").write_text(settings)


def act(served: Served) -> dict[str, str]:
    """Start it and let it work; the pages worth a picture."""
    served.start()
    served.token = served.cli("tokens", "create", "pictures", "--role", "admin").stdout.strip()

    def run(name: str, params: dict[str, object] | None = None, wait: int = 60) -> str:
        status, told = served.call("POST", f"/pipelines/{name}/run?wait={wait}", {"params": params or {}})
        assert status in (200, 202), told
        return str(told["id"])

    for city in ("Ulm", "Bern", "Wien", "Köln"):
        run("greet_city", {"CITY": city, "TIMES": 3})
    done = run("stdlib_report")
    run("hourly_report")
    failed = [run("always_fails") for _ in range(3)][-1]
    many = run("hundred_thousand_lines")
    running = run("nightly_export", wait=0)
    run("nightly_export", wait=0)
    waiting = run("hourly_report", wait=0)
    planned = screenshots_planning.act(served, served.folder)
    services = screenshots_services.act(served)
    return {
        **planned,
        **services,
        "overview": "/",
        "pipelines": "/pipelines",
        "pipeline": "/pipelines/greet_city",
        "pipeline-scheduled": "/pipelines/hourly_report",
        "pipeline-broken": "/pipelines/broken_settings",
        "runs": "/runs",
        "runs-filtered": "/runs?state=FAILED&period=day",
        "runs-none": "/runs?pipeline=broken_settings",
        "run-done": f"/runs/{done}",
        "run-failed": f"/runs/{failed}",
        "run-running": f"/runs/{running}",
        "run-waiting": f"/runs/{waiting}",
        "run-long-log": f"/runs/{many}",
        "users": "/users",
        "user": "/users/admin",
        "tokens": "/tokens",
        "account": "/account",
        "audit": "/audit",
        "audit-entry": "/audit/2",
        "settings": "/settings",
        "doctor": "/doctor",
        "nowhere": "/there-is-no-such-page",
    }


def take(visitor: Visitor, name: str, path: str, look: str) -> None:
    visitor.open(path)
    page = visitor.page
    if "/runs/" in path:
        page.locator(".log-line, .log-note").first.wait_for()
    page.screenshot(path=OUT / f"{name}-{look}.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    if wide:
        print(f"{name}-{look}: wider than the window", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
