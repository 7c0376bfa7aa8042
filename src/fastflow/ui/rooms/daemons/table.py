"""The daemons: how each stands, how often it was restarted, and what is wrong with it."""

from urllib.parse import quote, urlencode

from fastflow.kernel.daemons.service import DaemonService, DaemonView
from fastflow.kit.identity import Actor
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import empty, heading, when
from fastflow.ui.rooms.daemons.words import instances_told, state
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
        found = await page.ask(self._look, page, page.actor)
        Fragment(heading(t("daemons.title"), under=t("daemons.about")))
        table = Fragment(_table(t, found))

        async def refresh() -> None:
            table.show(_table(t, await page.ask(self._look, page, await page.who())))

        page.live(refresh, every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> PageOf[DaemonView]:
        return self._daemons.list(actor=actor, cursor=page.query.get("cursor"), limit=_PAGE)


def _table(t: Texts, found: PageOf[DaemonView]) -> Html:
    if not found.items:
        return div(empty("daemon", t("daemons.none"), t("daemons.none_hint")), cls="card")
    head = [
        tag("th", t("daemons.daemon"), scope="col"),
        tag("th", t("daemons.state"), scope="col"),
        tag("th", t("daemons.instances"), scope="col"),
        tag("th", t("daemons.restarts"), scope="col", cls="right wide-only"),
        tag("th", t("daemons.trouble"), scope="col"),
    ]
    rows = [_row(t, each) for each in found.items]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), cls="list stacks last-whole")
    card = div(table, cls="card table-wrap")
    if found.next_cursor is None:
        return card
    more = f"{BASE}/daemons?{urlencode({'cursor': found.next_cursor})}"
    return join(card, div(span(), link(more, t("daemons.more"), cls="button"), cls="pager"))


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
