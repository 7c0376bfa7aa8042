"""The daemons: how each stands, how often it was restarted, and what is wrong with it."""

from functools import partial
from urllib.parse import quote

from fastflow.kernel.daemons.service import DaemonService, DaemonView
from fastflow.kit.identity import Actor
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Html, div, link, tag
from fastflow.ui.parts import empty, heading, when
from fastflow.ui.rooms.daemons.words import instances_told, state
from fastflow.ui.shell.listing import Listing, head
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 100
_LOOK_SECONDS = 3.0


class DaemonTable:
    """Builds the page.

    Args:
        daemons: where they come from.
    """

    def __init__(self, daemons: DaemonService) -> None:
        self._daemons = daemons

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        listing = Listing(
            page,
            "/daemons",
            self._look,
            heads=[
                head(t("daemons.daemon")),
                head(t("daemons.state")),
                head(t("daemons.instances")),
                head(t("daemons.restarts"), "right wide-only"),
                head(t("daemons.trouble")),
            ],
            row=partial(_row, t),
            none=empty("daemon", t("daemons.none"), t("daemons.none_hint")),
            older=t("daemons.more"),
            cls="last-whole",
        )
        await listing.read()
        Fragment(heading(t("daemons.title"), under=t("daemons.about")))
        listing.put(every=_LOOK_SECONDS)

    def _look(self, actor: Actor, cursor: str | None) -> PageOf[DaemonView]:
        return self._daemons.list(actor=actor, cursor=cursor, limit=_PAGE)


def _row(t: Texts, view: DaemonView) -> Html:
    name = view.daemon.pipeline_name
    path = f"{BASE}/daemons/{quote(name, safe='')}"
    again = view.daemon.next_start_at if view.state in ("backing-off", "crash-loop") else None
    next_start = div(t("daemons.next_start"), Data(" "), when(again), cls="muted small") if again else None
    restarts = view.last.restarts if view.last else 0
    return tag(
        "tr",
        tag("td", link(path, Data(name), cls="first")),
        tag("td", state(t, view)),
        tag("td", instances_told(t, view)),
        tag("td", Data(restarts), cls="right number wide-only"),
        tag("td", as_told(t, view.trouble) if view.trouble else None, next_start, cls="soft"),
        data_href=path,
    )
