"""What tests of pages share: a server of their own, its first administrator, and an examination of pages."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

PASSWORD = "correct-horse-battery"
expect.set_options(timeout=30_000)


@contextmanager
def serving(pipelines: Mapping[str, str], settings: Mapping[str, str] | None = None) -> Iterator[Served]:
    """A started server with these pipelines (path below PIPELINES_DIR -> text) and an administrator's token."""
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    served = Served(folder, settings)
    for path, text in pipelines.items():
        (served.pipelines / path).parent.mkdir(parents=True, exist_ok=True)
        (served.pipelines / path).write_text(text)
    try:
        served.start()
        served.token = served.cli("tokens", "create", "test", "--role", "admin").stdout.strip()
        yield served
    finally:
        served.close()
        shutil.rmtree(folder, ignore_errors=True)


def on_one_worker(group: str) -> Sequence[pytest.MarkDecorator]:
    """The marks of a file whose tests share one server and one browser, as the fixtures of `conftest.py` make them."""
    return [pytest.mark.xdist_group(group), pytest.mark.long]


def first_admin(browser: Browser, served: Served) -> Visitor:
    """The first administrator, who replaces the one-time password on the way in, to the page of the pipelines."""
    told = re.search(r"one-time password (\S+)", "\n".join(served.said))
    assert told
    visitor = Visitor(browser, served.url)
    visitor.log_in("admin", told[1], at="/pipelines")
    visitor.choose_password(told[1], PASSWORD)
    return visitor


def examine(visitor: Visitor, paths: Sequence[str]) -> Sequence[str]:
    """What makes these pages hard to use, in light and dark."""
    found = []
    for theme in ("light", "dark"):
        visitor.page.emulate_media(color_scheme=theme)
        for path in paths:
            visitor.open(path)
            expect(visitor.page.locator(".unthemed")).to_have_count(0)
            for violation in Axe().run(visitor.page).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    places = [node["html"][:160] for node in violation["nodes"]][:3]
                    found.append(f"{theme} {path}: {violation['id']}: {places}")
    return found


_CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([red, green, blue]) => [red, green, blue]
    .map((each) => each / 255).map((each) => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  return [...document.querySelectorAll(".q-notification.toast")].map((toast) => {
    const [text, ground] = [toast.querySelector(".q-notification__message"), toast]
      .map((element, at) => light(channels(getComputedStyle(element)[at ? "backgroundColor" : "color"])));
    return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
  });
}"""


def toast_contrasts(page: Page) -> Mapping[str, Sequence[float]]:
    """How well a toast of each kind, and any that is shown now, can be read, by theme: 4.5 is enough for everybody."""
    found = {}
    page.evaluate("""() => { window.away = ["toast", "toast problem"].map((classes) =>
      Quasar.Notify.create({ message: "of a test", classes, timeout: 0, group: false })) }""")
    expect(page.locator(".q-notification.toast", has_text="of a test")).to_have_count(2)
    for theme in ("dark", "light"):
        page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", theme == "dark")
        found[theme] = list(page.evaluate(_CONTRAST))
    page.evaluate("window.away.forEach((dismiss) => dismiss())")
    return found
