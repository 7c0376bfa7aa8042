"""The channels: where messages go, and whether they get through."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from nicegui import ui

from fastflow.kernel.notifications.domain.channel import Channel
from fastflow.kernel.notifications.service import ChannelService
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import empty, heading, when
from fastflow.ui.rooms.alerts.words import channel_state, tabs
from fastflow.ui.shell.controls import way
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 100
_LOOK_SECONDS = 10.0


class ChannelTable:
    """Builds the page.

    Args:
        channels: where they come from.
    """

    def __init__(self, channels: ChannelService) -> None:
        self._channels = channels

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        found = await page.ask(self._look, page, page.actor)
        new = way(
            page, "/alerts/channels/-/new", t("channels.new"), drawing="plus", may=page.may_everywhere(Role.ADMIN),
            role=Role.ADMIN,
        )  # fmt: skip
        with ui.element("div").classes("bar"):
            Fragment(heading(t("channels.title"), under=t("channels.about")), cls="grow")
            Fragment(div(new, cls="actions"))
        Fragment(tabs(t, "channels"))
        table = Fragment(_table(t, found))

        async def refresh() -> None:
            table.show(_table(t, await page.ask(self._look, page, await page.who())))

        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> PageOf[Channel]:
        return self._channels.list(actor=actor, cursor=page.query.get("cursor"), limit=_PAGE)


def _table(t: Texts, found: PageOf[Channel]) -> Html:
    if not found.items:
        return div(empty("bell", t("channels.none"), t("channels.none_hint")), cls="card")
    table = div(_rows(t, found.items), cls="card table-wrap")
    if found.next_cursor is None:
        return table
    more = f"{BASE}/alerts/channels?{urlencode({'cursor': found.next_cursor})}"
    return join(table, div(span(), link(more, t("alerts.more"), cls="button"), cls="pager"))


def _rows(t: Texts, channels: Sequence[Channel]) -> Html:
    head = [
        tag("th", t("channels.channel"), scope="col"),
        tag("th", t("alerts.state"), scope="col"),
        tag("th", t("channels.kinds"), scope="col", cls="wide-only"),
        tag("th", t("channels.quiet"), scope="col", cls="wide-only"),
        tag("th", t("channels.last_sent"), scope="col"),
    ]
    return tag(
        "table", tag("thead", tag("tr", head)), tag("tbody", [_row(t, each) for each in channels]), cls="list stacks"
    )


def _row(t: Texts, channel: Channel) -> Html:
    path = f"{BASE}/alerts/channels/{quote(channel.name, safe='')}"
    kinds = [span(Data(kind), cls="tag") for kind in channel.kinds]
    hours = [div(Data(f"{each.start}–{each.end} {each.timezone}")) for each in channel.quiet]
    about = div(Data(channel.description), cls="muted small") if channel.description else None
    return tag(
        "tr",
        tag("td", link(path, Data(channel.name), cls="first"), about),
        tag("td", channel_state(t, channel)),
        tag("td", span(kinds, cls="tags"), cls="wide-only"),
        tag("td", hours or Data("–"), cls="wide-only"),
        tag("td", when(channel.last_sent_at) or Data("–"), cls="muted"),
        data_href=path,
    )
