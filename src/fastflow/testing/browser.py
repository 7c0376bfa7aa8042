"""A real Chromium, for tests and pictures of the pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

_PATIENCE_MS = 30_000
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """The browser of this machine, without a window."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise AssertionError("no Chromium on this machine: `apt-get install chromium` (.ci/run does it)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody with a browser of their own.

    Args:
        browser: opened.
        url: of the server.
        language: that the browser asks for.
        theme: that the system has.
        size: of the window.

    Attributes:
        page: the browser's one tab.
        complaints: what went wrong in the browser: errors of scripts, answers that say no.
    """

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        language: str = "en-GB",
        theme: str = "light",
        size: tuple[int, int] = (1280, 860),
    ) -> None:
        self.url = url
        self.complaints: list[str] = []
        self.context = browser.new_context(
            locale=language,
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": size[0], "height": size[1]},
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(_PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on(
            "response",
            lambda answer: self.complaints.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
        )

    def open(self, path: str) -> None:
        """Open a page of the interface, and wait until it is all there."""
        self.page.goto(f"{self.url}/ui{path}")
        self.page.locator("main.content h1").wait_for()

    def log_in(self, name: str, password: str, *, at: str = "/") -> None:
        """Log in by the login page, on the way to a page."""
        self.page.goto(f"{self.url}/ui{at}")
        self.page.get_by_label("Name").fill(name)
        self.page.locator("[name=password]").fill(password)
        self.page.locator("form button").click()

    def choose_password(self, current: str, new: str) -> None:
        """Replace a password that somebody else has made."""
        self.page.locator("[name=current_password]").fill(current)
        self.page.locator("[name=new_password]").fill(new)
        self.page.locator("[name=again]").fill(new)
        self.page.locator("form button").click()
        self.page.locator("main.content h1").wait_for()

    def close(self) -> None:
        """Close the browser's windows."""
        self.context.close()
