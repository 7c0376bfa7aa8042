"""The channels: where messages go, and whether they get through."""

from functools import partial
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.notifications.domain.channel import Channel
from fastflow.kernel.notifications.service import ChannelService
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Html, div, link, span, tag
from fastflow.ui.parts import empty, heading, when
from fastflow.ui.rooms.alerts.words import channel_state, tabs
from fastflow.ui.shell.controls import way
from fastflow.ui.shell.listing import Listing, head
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
        listing = Listing(
            page,
            "/alerts/channels",
            self._look,
            heads=[
                head(t("channels.channel")),
                head(t("alerts.state")),
                head(t("channels.kinds"), "wide-only"),
                head(t("channels.quiet"), "wide-only"),
                head(t("channels.last_sent")),
            ],
            row=partial(_row, t),
            none=empty("bell", t("channels.none"), t("channels.none_hint")),
            older=t("alerts.more"),
        )
        await listing.read()
        new = way(
            page, "/alerts/channels/-/new", t("channels.new"), drawing="plus", may=page.may_everywhere(Role.ADMIN),
            role=Role.ADMIN,
        )  # fmt: skip
        with ui.element("div").classes("bar"):
            Fragment(heading(t("channels.title"), under=t("channels.about")), cls="grow")
            Fragment(div(new, cls="actions"))
        Fragment(tabs(t, "channels"))
        listing.put(kinds=(), every=_LOOK_SECONDS)

    def _look(self, actor: Actor, cursor: str | None) -> PageOf[Channel]:
        return self._channels.list(actor=actor, cursor=cursor, limit=_PAGE)


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
        tag("td", when(channel.last_sent_at) or Data("–"), cls="muted" if channel.last_sent_at else "muted blank"),
        data_href=path,
    )
