"""The rules: what is worth a message, and whom it goes to."""

from collections.abc import Sequence
from urllib.parse import urlencode

from nicegui import ui

from fastflow.kernel.notifications.ports import RuleFilter
from fastflow.kernel.notifications.service import RuleService
from fastflow.kernel.notifications.service.rules import RuleView
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import empty, heading, pill
from fastflow.ui.rooms.alerts.words import channel_link, tabs, tells_of
from fastflow.ui.shell.controls import way
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 100
_LOOK_SECONDS = 10.0


class RuleTable:
    """Builds the page.

    Args:
        rules: where they come from.
    """

    def __init__(self, rules: RuleService) -> None:
        self._rules = rules

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        found = await page.ask(self._look, page, page.actor)
        with ui.element("div").classes("bar"):
            Fragment(heading(t("rules.title"), under=t("rules.about")), cls="grow")
            Fragment(
                div(
                    way(page, "/alerts/rules/-/new", t("rules.new"), drawing="plus", may=page.may(Role.OPERATOR)),
                    cls="actions",
                )
            )
        Fragment(tabs(t, "rules"))
        table = Fragment(_table(page, found))

        async def refresh() -> None:
            table.show(_table(page, await page.ask(self._look, page, await page.who())))

        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> PageOf[RuleView]:
        wanted = RuleFilter(pipeline_name=page.query.get("pipeline") or None)
        return self._rules.list(wanted, actor=actor, cursor=page.query.get("cursor"), limit=_PAGE)


def _table(page: Page, found: PageOf[RuleView]) -> Html:
    t, given = page.t, page.query.get("pipeline", "")
    if not found.items:
        return div(empty("bell", t("rules.none"), t("rules.none_hint")), cls="card")
    table = div(_rows(t, found.items), cls="card table-wrap")
    if found.next_cursor is None:
        return table
    kept = {"pipeline": given} if given else {}
    more = f"{BASE}/alerts/rules?{urlencode({**kept, 'cursor': found.next_cursor})}"
    return join(table, div(span(), link(more, t("alerts.more"), cls="button"), cls="pager"))


def _rows(t: Texts, views: Sequence[RuleView]) -> Html:
    head = [
        tag("th", t("rules.rule"), scope="col"),
        tag("th", t("alerts.state"), scope="col"),
        tag("th", t("rules.tells_of"), scope="col"),
        tag("th", t("rules.to"), scope="col"),
    ]
    return tag(
        "table", tag("thead", tag("tr", head)), tag("tbody", [_row(t, each) for each in views]), cls="list stacks"
    )


def _row(t: Texts, view: RuleView) -> Html:
    rule = view.rule
    path = f"{BASE}/alerts/rules/{rule.id}"
    whose = Data(rule.pipeline_name) if rule.pipeline_name else t("rules.every_pipeline")
    origin = join(Data(" · "), t("rules.origin_code")) if rule.origin == "code" else None
    names = [join(Data(", ") if at else None, channel_link(name)) for at, name in enumerate(rule.channels)]
    problem = div(as_told(t, view.problem), cls="small bad-note") if view.problem else None
    return tag(
        "tr",
        tag("td", link(path, whose, cls="first"), div(Data(rule.name), origin, cls="muted small")),
        tag("td", rule_state(t, view)),
        tag("td", tells_of(t, rule)),
        tag("td", names, problem),
        data_href=path,
    )


def rule_state(t: Texts, view: RuleView) -> Html:
    """Whether it tells anybody."""
    if not view.rule.is_enabled:
        return pill("still", t("rules.is_off"))
    return pill("bad", t("rules.is_broken")) if view.problem else pill("good", t("rules.is_on"))
