"""How pictures of pages are taken: by whom, of what size, and what counts as a complaint."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from fastflow.testing.browser import Visitor
from fastflow.testing.served import Served

PASSWORD = "correct-horse-battery"
PHONE_WIDTH = 390
Look: TypeAlias = tuple[str, tuple[int, int], str]
LOOKS: tuple[Look, ...] = (
    ("light", (1280, 860), "en-GB"),
    ("dark", (1280, 860), "de-DE"),
    ("light", (PHONE_WIDTH, 844), "de-DE"),
    ("dark", (PHONE_WIDTH, 844), "en-GB"),
)
_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A page, and what somebody does on it before the picture is taken.

    Attributes:
        path: of the page.
        do: what they do.
        is_for_phones: there is nothing to see in a wide window.
        is_refused: the API says no to what is done, which is no complaint.
    """

    path: str
    do: Callable[[Page], None]
    is_for_phones: bool = False
    is_refused: bool = False


class Camera:
    """Takes the pictures.

    Args:
        browser: opened.
        out: where they are put.
        wanted: names of what is taken; empty: everything.

    Attributes:
        complaints: pages that do not fit their window, and what went wrong in the browser.
    """

    def __init__(self, browser: Browser, out: Path, wanted: AbstractSet[str]) -> None:
        self._browser = browser
        self._out = out
        self._wanted = wanted
        self.complaints: list[str] = []

    def wants(self, *names: str) -> bool:
        """Whether a picture of one of these is to be taken."""
        return not self._wanted or not self._wanted.isdisjoint(names)

    def visitor(self, served: Served, look: Look) -> Visitor:
        """Somebody whose browser looks like this; close it afterwards."""
        theme, size, language = look
        return Visitor(self._browser, served.url, theme=theme, size=size, language=language)

    @contextmanager
    def logged_in(self, served: Served, look: Look, name: str = "admin", password: str = PASSWORD) -> Iterator[Visitor]:
        """Somebody who has come in."""
        visitor = self.visitor(served, look)
        visitor.log_in(name, password)
        visitor.page.locator("main.content h1").wait_for()
        yield visitor
        visitor.close()

    def shoot(self, visitor: Visitor, name: str, look: Look, *, whole: bool, complains: bool = True) -> None:
        """Take a picture of the page as it is: all of it, or what the window shows."""
        label = f"{name}-{look[0]}-{look[1][0]}"
        visitor.page.screenshot(path=self._out / f"{label}.png", full_page=whole)
        if visitor.page.evaluate(_TOO_WIDE):
            self.complaints.append(f"{label}: wider than the window")
        if complains:
            self.complaints += [f"{label}: {complaint}" for complaint in visitor.complaints]
        visitor.complaints.clear()

    def page(self, visitor: Visitor, name: str, path: str, look: Look) -> None:
        """Open a page and take all of it."""
        if not self.wants(name):
            return
        visitor.open(path)
        if visitor.page.locator(".log").count():
            visitor.page.locator(".log-line, .log-note").first.wait_for()
        self.shoot(visitor, name, look, whole=True)

    def moment(self, visitor: Visitor, name: str, moment: Moment, look: Look) -> None:
        """Open a page, do what is to be done, and take what the window shows."""
        if not self.wants(name) or (moment.is_for_phones and look[1][0] > PHONE_WIDTH):
            return
        visitor.open(moment.path)
        try:
            moment.do(visitor.page)
        except PlaywrightError as error:  # the picture shows what stands there instead
            self.complaints.append(f"{name}-{look[0]}-{look[1][0]}: {error.message.splitlines()[0]}")
        self.shoot(visitor, name, look, whole=False, complains=not moment.is_refused)
