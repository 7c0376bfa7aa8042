"""Pictures of every page of the interface: light and dark, wide and phone, in both languages. Look at them.

Starts servers of its own, with the example pipelines and with none, lets them do something worth showing, and writes to
`.screenshots`. Words after the command name the pictures to be taken again, such as `run-done`; none: all of them. Ends
with 1 if a page is wider than its window, or something went wrong in the browser.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import screenshots_churn
import screenshots_flows
import screenshots_planning
import screenshots_services
import screenshots_working
from screenshots_camera import LOOKS, PASSWORD, Camera
from screenshots_moments import EMPTY, moments

from fastflow.testing.browser import open_browser
from fastflow.testing.served import Served

ROOT = Path(__file__).parents[1]
OUT = ROOT / ".screenshots"
EXAMPLES = ("greet_city", "always_fails", "stdlib_report", "hundred_thousand_lines")
ONE_TIME = "a-first-password"


def main() -> int:
    wanted = frozenset(sys.argv[1:])
    if not wanted:
        shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(exist_ok=True)
    with open_browser() as browser:
        camera = Camera(browser, OUT, wanted)
        with serving({"MAX_CONCURRENT_RUNS": "3", "GIT_PROTOCOLS": "https,file"}) as served:
            fill(served)
            served.start()
            take_login(camera, served)
            take_all(camera, served, act(served))
        if camera.wants(*(name for name, _ in EMPTY)):
            with serving({}) as served:
                served.start()
                take_login(camera, served)
                take_empty(camera, served)
    print(f"{len(list(OUT.iterdir()))} pictures in {OUT}")
    print("\n".join(camera.complaints), file=sys.stderr)
    return 1 if camera.complaints else 0


@contextmanager
def serving(settings: Mapping[str, str]) -> Iterator[Served]:
    """A server in folders of its own, not started yet; ended and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    served = Served(folder, settings)
    try:
        yield served
    finally:
        served.close()
        shutil.rmtree(folder, ignore_errors=True)


def fill(served: Served) -> None:
    """The pipelines."""
    for example in (ROOT / "examples" / "pipelines").iterdir():
        if example.stem in EXAMPLES:
            target = served.pipelines / example.name
            shutil.copytree(example, target) if example.is_dir() else shutil.copy(example, target)
    screenshots_flows.fill(served)
    screenshots_planning.fill(served)
    screenshots_services.fill(served)
    screenshots_working.fill(served)


def act(served: Served) -> dict[str, str]:
    """Let them work; the pages worth a picture."""
    served.token = served.cli("tokens", "create", "pictures", "--role", "admin").stdout.strip()
    served.call("POST", "/users", {"name": "vera", "password": ONE_TIME, "role": "viewer"})
    trained = screenshots_working.begin(served)
    planned = screenshots_planning.act(served, served.folder)
    services = screenshots_services.act(served)
    flows = screenshots_flows.act(served)
    return {
        **screenshots_churn.act(served),
        **flows,
        **screenshots_working.act(served, trained),
        **planned,
        **services,
        "users": "/users",
        "user": "/users/vera",
        "tokens": "/tokens",
        "account": "/account",
        "audit": "/audit",
        "audit-entry": "/audit/2",
        "settings": "/settings",
        "settings-narrowed": "/settings?q=log",
        "doctor": "/doctor",
        "nowhere": "/there-is-no-such-page",
    }


def take_login(camera: Camera, served: Served) -> None:
    """The pages before one is in; the first administrator has a password of their own afterwards."""
    told = re.search(r"one-time password (\S+)", "\n".join(served.said))
    assert told
    looks = LOOKS if camera.wants("login", "login-refused", "password") else LOOKS[-1:]
    for look in looks:
        visitor = camera.visitor(served, look)
        page = visitor.page
        page.goto(f"{served.url}/ui/")
        page.locator("form").wait_for()
        camera.shoot(visitor, "login", look, whole=True)
        if look in (LOOKS[0], LOOKS[-1]):
            page.locator("[name=name]").fill("somebody")
            page.locator("[name=password]").fill("not the password")
            page.locator("form button").click()
            page.locator(".form-error:not([hidden])").wait_for()
            camera.shoot(visitor, "login-refused", look, whole=True, complains=False)
        page.locator("[name=name]").fill("admin")
        page.locator("[name=password]").fill(told[1])
        page.locator("form button").click()
        page.locator("[name=again]").wait_for()
        camera.shoot(visitor, "password", look, whole=True)
        if look is looks[-1]:
            visitor.choose_password(told[1], PASSWORD)
        visitor.close()


def take_all(camera: Camera, served: Served, pages: Mapping[str, str]) -> None:
    """Every page as it opens, what can be done on them, what a viewer sees, and what is there when the server goes."""
    for look in LOOKS:
        with camera.logged_in(served, look) as visitor:
            for name, path in pages.items():
                camera.page(visitor, name, path, look)
            for name, moment in moments(pages).items():
                camera.moment(visitor, name, moment, look)
    take_viewer(camera, served)
    if camera.wants("lost"):
        take_lost(camera, served)


def take_lost(camera: Camera, served: Served) -> None:
    """What open pages say when the server goes, which it does."""
    with ExitStack() as stack:
        looks = (LOOKS[0], LOOKS[-1])
        visitors = [stack.enter_context(camera.logged_in(served, look)) for look in looks]
        served.stop()
        for visitor, look in zip(visitors, looks, strict=True):
            visitor.page.locator("#popup").wait_for()
            camera.shoot(visitor, "lost", look, whole=False, complains=False)


def take_viewer(camera: Camera, served: Served) -> None:
    """What somebody sees who may only look."""
    if not camera.wants("viewer-pipeline", "viewer-refused"):
        return
    password = ONE_TIME
    for look in (LOOKS[1], LOOKS[2]):
        visitor = camera.visitor(served, look)
        visitor.log_in("vera", password)
        if password == ONE_TIME:
            visitor.page.locator("[name=again]").wait_for()
            visitor.choose_password(ONE_TIME, PASSWORD)
            password = PASSWORD
        visitor.page.locator("main.content h1").wait_for()
        camera.page(visitor, "viewer-pipeline", "/pipelines/greet_city", look)
        camera.page(visitor, "viewer-refused", "/users", look)
        visitor.close()


def take_empty(camera: Camera, served: Served) -> None:
    """What stands where nothing has happened yet."""
    for look in LOOKS:
        with camera.logged_in(served, look) as visitor:
            for name, path in EMPTY:
                camera.page(visitor, name, path, look)


if __name__ == "__main__":
    sys.exit(main())
