"""The outbox: every message to every channel, what was sent, what waits and why, what was given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastflow.kernel.notifications.domain.outbox import MAX_ATTEMPTS, State
from fastflow.kernel.notifications.ports import Backlog, NotificationFilter
from fastflow.kernel.notifications.service import AlertService, ChannelService
from fastflow.kernel.notifications.service.alerts import SentView
from fastflow.kit.identity import Actor
from fastflow.kit.pages import MAX_PAGE_SIZE
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import choice, empty, heading, when
from fastflow.ui.rooms.alerts.words import channel_link, event, sending, tabs
from fastflow.ui.shell.listing import head, kept, pager, table
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_PAGE = 50
_FILTERS = ("channel", "state")
_LOOK_SECONDS = 3.0
_PATIENCE = timedelta(minutes=1)
"""What is due goes within seconds; later, nobody is sending."""


@dataclass(frozen=True, kw_only=True)
class _Shown:
    backlog: Backlog
    found: PageOf[SentView]


class OutboxPage:
    """Builds the page.

    Args:
        alerts: what was sent.
        channels: to where.
    """

    def __init__(self, alerts: AlertService, channels: ChannelService) -> None:
        self._alerts = alerts
        self._channels = channels

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        shown = await page.ask(self._look, page, page.actor)
        names = [
            each.name for each in (await page.ask(self._channels.list, actor=page.actor, limit=MAX_PAGE_SIZE)).items
        ]
        Fragment(join(heading(t("outbox.title"), under=t("outbox.about", n=MAX_ATTEMPTS)), tabs(t, "outbox")))
        backlog = Fragment(_backlog(t, shown.backlog))
        Fragment(_filters(page, names))
        table = Fragment(_table(page, shown.found))

        async def refresh() -> None:
            now = await page.ask(self._look, page, await page.who())
            backlog.show(_backlog(t, now.backlog))
            table.show(_table(page, now.found))

        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> _Shown:
        state = page.query.get("state", "")
        wanted = NotificationFilter(
            channel=page.query.get("channel") or None, state=State(state) if state in list(State) else None
        )
        found = self._alerts.notifications(wanted, actor=actor, cursor=page.query.get("cursor"), limit=_PAGE)
        return _Shown(backlog=self._alerts.backlog(), found=found)


def _backlog(t: Texts, backlog: Backlog) -> Html:
    """What waits in all."""
    if not backlog.waiting:
        return Html("")
    since = backlog.overdue_since
    is_late = since is not None and datetime.now(UTC) - since > _PATIENCE
    late = span(Data(" "), t("outbox.overdue"), Data(" "), when(since), Data(".")) if is_late else None
    kind = "bad" if is_late else "waits"
    return div(icon("clock"), span(t.count("outbox.waiting", backlog.waiting), late), cls=f"note {kind}", role="status")


def _filters(page: Page, channels: Sequence[str]) -> Html:
    t, given = page.t, page.query
    states = [(each.value, t(f"outbox.state_{each}")) for each in State]
    names = [(name, Data(name)) for name in channels]
    is_filtered = any(given.get(name) for name in _FILTERS)
    return tag(
        "form",
        choice("channel", names, given.get("channel"), t("outbox.all_channels"), t("outbox.channel")),
        choice("state", states, given.get("state"), t("outbox.all_states"), t("outbox.state")),
        link(f"{BASE}/alerts/outbox", t("alerts.clear"), cls="button") if is_filtered else None,
        cls="filters", action=f"{BASE}/alerts/outbox",
    )  # fmt: skip


def _table(page: Page, found: PageOf[SentView]) -> Html:
    t, keeping = page.t, kept(page, _FILTERS)
    if not found.items:
        return div(empty("letter", t("outbox.none_fit" if keeping else "outbox.none")), cls="card")
    table_of = div(outbox_table(t, found.items), cls="card table-wrap")
    return join(table_of, pager("/alerts/outbox", found.next_cursor, older=t("alerts.older"), keeping=keeping))


def outbox_table(t: Texts, rows: Sequence[SentView], *, is_of_one: bool = False) -> Html:
    """Messages on their way, or what became of them; of one alert they need not say which."""
    heads = [
        head(t("outbox.state")),
        head(t("outbox.channel")),
        None if is_of_one else head(t("outbox.what")),
        head(t("outbox.why")),
        head(t("outbox.attempts"), "right wide-only"),
        head(t("outbox.when")),
    ]
    return table(heads, [_row(t, each, is_of_one=is_of_one) for each in rows], cls="outbox")


def _row(t: Texts, view: SentView, *, is_of_one: bool) -> Html:
    one, alert = view.notification, view.alert
    told: Phrase | Data = Data(one.title) if one.title else event(t, alert.event)
    again = span(t("outbox.nth", n=one.repeat + 1), cls="tag") if one.repeat else None
    what = tag(
        "td",
        link(f"{BASE}/alerts/{alert.id}", told, cls="first"),
        div(Data(alert.pipeline_name), cls="muted small") if alert.pipeline_name else None,
    )
    at = (
        span(t("outbox.next_try"), Data(" "), when(one.not_before))
        if one.state is State.WAITING
        else when(one.sent_at or one.created_at)
    )
    return tag(
        "tr",
        tag("td", sending(t, one), again),
        tag("td", channel_link(one.channel), cls="to-end"),
        None if is_of_one else what,
        tag("td", as_told(t, one.why), cls="soft"),
        tag("td", Data(one.attempts), cls="right number wide-only"),
        tag("td", at, cls="muted"),
    )
