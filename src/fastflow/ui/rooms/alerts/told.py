"""What rules told of: what is open first of all, with the button that says somebody knows."""

from fastflow.kernel.notifications.domain.rule import EVENTS, Event
from fastflow.kernel.notifications.ports import AlertFilter
from fastflow.kernel.notifications.service import AlertService
from fastflow.kernel.notifications.service.alerts import AlertView
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import choice, empty, heading, when
from fastflow.ui.rooms.alerts.words import as_sent, event, severity, standing, tabs
from fastflow.ui.shell.listing import kept, pager
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 50
_LOOK_SECONDS = 5.0
_OPEN = "open"
_FILTERS = ("pipeline", "event", "state")


class AlertsPage:
    """Builds the page.

    Args:
        alerts: what was told.
    """

    def __init__(self, alerts: AlertService) -> None:
        self._alerts = alerts

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        found = await page.ask(self._look, page, page.actor)
        Fragment(join(heading(t("alerts.title"), under=t("alerts.about")), tabs(t, "alerts"), _filters(page)))
        table = Fragment(_table(page, found))

        async def refresh() -> None:
            table.show(_table(page, await page.ask(self._look, page, await page.who())))

        async def acknowledge(alert_id: str) -> None:
            await page.ask(self._alerts.acknowledge, alert_id, actor=await page.who())
            page.tell(t("alerts.acknowledged"))
            await refresh()

        table.on_press(page, {"acknowledge": acknowledge})
        page.live(refresh, every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> PageOf[AlertView]:
        return self._alerts.list(wanted_of(page), actor=actor, cursor=page.query.get("cursor"), limit=_PAGE)


def wanted_of(page: Page) -> AlertFilter:
    """What the address asks for."""
    given = page.query
    known: Event | None = next((each for each in EVENTS if each == given.get("event")), None)
    return AlertFilter(
        pipeline_name=given.get("pipeline") or None, event=known, is_open=True if given.get("state") == _OPEN else None
    )


def _filters(page: Page) -> Html:
    t, given = page.t, page.query
    is_filtered = any(given.get(name) for name in _FILTERS)
    return tag(
        "form",
        tag(
            "input", type="search", name="pipeline", value=given.get("pipeline", ""), placeholder=t("alerts.pipeline"),
            aria_label=t("alerts.pipeline"),
        ),
        choice("event", [(each, event(t, each)) for each in EVENTS], given.get("event"), t("alerts.all_events"), t("alerts.event")),
        choice("state", [(_OPEN, t("alerts.is_open"))], given.get("state"), t("alerts.all_states"), t("alerts.state")),
        link(f"{BASE}/alerts", t("alerts.clear"), cls="button") if is_filtered else None,
        cls="filters", action=f"{BASE}/alerts",
    )  # fmt: skip


def _table(page: Page, found: PageOf[AlertView]) -> Html:
    t = page.t
    keeping = kept(page, _FILTERS)
    if not found.items:
        if keeping:
            return div(empty("search", t("alerts.none_fit")), cls="card")
        return div(empty("bell", t("alerts.none"), t("alerts.none_hint")), cls="card")
    rows = div(div([_row(page, each) for each in found.items], cls="rows flat wraps"), cls="card")
    return join(rows, pager("/alerts", found.next_cursor, older=t("alerts.older"), keeping=keeping))


def _row(page: Page, view: AlertView) -> Html:
    t, alert = page.t, view.alert
    is_open = alert.acknowledged_at is None and alert.resolved_at is None
    may = page.may(Role.OPERATOR, alert.pipeline_name) if alert.pipeline_name else page.may_everywhere(Role.OPERATOR)
    known = (
        tag(
            "button", t("alerts.acknowledge"), cls="button small", type="button", data_act="acknowledge", data_of=alert.id,
            disabled=not may, title=None if may else t("shell.needs_role", role=t("shell.role_operator")),
            aria_label=t("alerts.acknowledge_about", what=view.message.title),
        )
        if is_open
        else None
    )  # fmt: skip
    return div(
        span(severity(t, alert.severity), cls="outcome"),
        div(
            link(f"{BASE}/alerts/{alert.id}", tag("strong", as_sent(view)[0])),
            tag("small", _facts(t, view)),
            cls="main",
        ),
        span(standing(t, alert), cls="side wide-only") if not is_open else None,
        known,
        span(when(alert.at), cls="side"),
        cls="row",
    )


def _facts(t: Texts, view: AlertView) -> Html:
    alert = view.alert
    told = [event(t, alert.event), t("alerts.by_rule", rule=alert.rule_name.removeprefix("*/"))]
    if alert.acknowledged_by:
        told.append(t("alerts.known_to", who=alert.acknowledged_by))
    if alert.repeats:
        told.append(t.count("alerts.repeats", alert.repeats))
    return join([join(Data(" · ") if at else None, each) for at, each in enumerate(told)])
