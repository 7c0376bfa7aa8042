"""One alert: what was told, to whom, and what became of each message."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.notifications.ports import NotificationFilter
from fastflow.kernel.notifications.service import AlertService
from fastflow.kernel.notifications.service.alerts import AlertView, SentView
from fastflow.kit.identity import Actor, Role
from fastflow.ui.markup import Child, Html, div, link, tag
from fastflow.ui.parts import card, empty, facts, heading, short, when
from fastflow.ui.rooms.alerts.outbox import outbox_table
from fastflow.ui.rooms.alerts.words import as_sent, event, severity, standing
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_LOOK_SECONDS = 5.0
_MESSAGES = 100


@dataclass(frozen=True, kw_only=True)
class _Shown:
    view: AlertView
    messages: Sequence[SentView]


class AlertPage:
    """Builds the page.

    Args:
        alerts: what was told.
    """

    def __init__(self, alerts: AlertService) -> None:
        self._alerts = alerts

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        shown = await page.ask(self._look, page, page.actor)
        alert = shown.view.alert
        ui.page_title(f"{shown.view.message.title} · Fast-Flow")

        async def acknowledge() -> None:
            await page.ask(self._alerts.acknowledge, alert.id, actor=await page.who())
            page.tell(t("alerts.acknowledged"))
            await refresh()

        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, shown.view), cls="grow")
            may = (
                page.may(Role.OPERATOR, alert.pipeline_name)
                if alert.pipeline_name
                else page.may_everywhere(Role.OPERATOR)
            )
            with ui.element("div").classes("actions"):
                known = button(page, t("alerts.acknowledge"), acknowledge, drawing="check", cls="primary", may=may)
            known.set_visibility(_is_open(shown.view))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                told = Fragment(_told(t, shown.view))
                messages = Fragment(_messages(t, shown.messages), cls="below")
            beside = Fragment(_beside(t, shown.view))

        async def refresh() -> None:
            now = await page.ask(self._look, page, await page.who())
            head.show(_head(t, now.view))
            known.set_visibility(_is_open(now.view))
            told.show(_told(t, now.view))
            messages.show(_messages(t, now.messages))
            beside.show(_beside(t, now.view))

        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> _Shown:
        view = self._alerts.get(page.params["alert_id"], actor=actor)
        wanted = NotificationFilter(alert_id=view.alert.id)
        return _Shown(view=view, messages=self._alerts.notifications(wanted, actor=actor, limit=_MESSAGES).items)


def _is_open(view: AlertView) -> bool:
    return view.alert.acknowledged_at is None and view.alert.resolved_at is None


def _head(t: Texts, view: AlertView) -> Html:
    return heading(
        as_sent(view)[0],
        severity(t, view.alert.severity),
        standing(t, view.alert),
        trail=[(f"{BASE}/alerts", t("alerts.title"))],
    )


def _told(t: Texts, view: AlertView) -> Html:
    return card(t("alerts.as_told"), tag("pre", as_sent(view)[1], cls="json told-text"))


def _messages(t: Texts, messages: Sequence[SentView]) -> Html:
    if not messages:
        return card(t("alerts.messages"), empty("letter", t("outbox.none_for_alert")))
    return card(t("alerts.messages"), div(outbox_table(t, messages, is_of_one=True), cls="table-wrap"))


def _beside(t: Texts, view: AlertView) -> Html:
    alert = view.alert
    pipeline = alert.pipeline_name
    rows: list[tuple[Phrase | Data, Child]] = [
        (t("alerts.event"), event(t, alert.event)),
        (t("alerts.rule"), link(f"{BASE}/alerts/rules/{alert.rule_id}", Data(alert.rule_name.removeprefix("*/")), cls="underlined")),
        (t("alerts.pipeline"), link(f"{BASE}/pipelines/{quote(pipeline, safe='')}", Data(pipeline), cls="underlined") if pipeline else None),
        (t("alerts.run"), link(f"{BASE}/runs/{alert.run_id}", tag("code", short(alert.run_id)), cls="underlined") if alert.run_id else None),
        (t("alerts.flow"), link(f"{BASE}/flows/{alert.flow_id}", tag("code", short(alert.flow_id)), cls="underlined") if alert.flow_id else None),
        (t("alerts.at"), when(alert.at, "exact")),
        (t("alerts.acknowledged_at"), when(alert.acknowledged_at, "exact")),
        (t("alerts.acknowledged_by"), Data(alert.acknowledged_by) if alert.acknowledged_by else None),
        (t("alerts.resolved_at"), when(alert.resolved_at, "exact")),
        (t("alerts.next_repeat"), when(alert.next_repeat_at) if _is_open(view) else None),
        (t("alerts.times_repeated"), Data(alert.repeats) if alert.repeats else None),
    ]  # fmt: skip
    return card(t("alerts.details"), facts(rows))
