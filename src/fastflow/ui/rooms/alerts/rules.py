"""The rules: what is worth a message, and whom it goes to."""

from functools import partial

from nicegui import ui

from fastflow.kernel.notifications.ports import RuleFilter
from fastflow.kernel.notifications.service import RuleService
from fastflow.kernel.notifications.service.rules import RuleView
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Html, div, join, link, tag
from fastflow.ui.parts import empty, heading, pill
from fastflow.ui.rooms.alerts.words import channel_link, tabs, tells_of
from fastflow.ui.shell.controls import way
from fastflow.ui.shell.listing import Listing, head
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
        listing = Listing(
            page,
            "/alerts/rules",
            partial(self._look, page.query.get("pipeline") or None),
            heads=[head(t("rules.rule")), head(t("alerts.state")), head(t("rules.tells_of")), head(t("rules.to"))],
            row=partial(_row, t),
            none=empty("bell", t("rules.none"), t("rules.none_hint")),
            older=t("alerts.more"),
            keeps=["pipeline"],
        )
        await listing.read()
        new = way(page, "/alerts/rules/-/new", t("rules.new"), drawing="plus", may=page.may(Role.OPERATOR))
        with ui.element("div").classes("bar"):
            Fragment(heading(t("rules.title"), under=t("rules.about")), cls="grow")
            Fragment(div(new, cls="actions"))
        Fragment(tabs(t, "rules"))
        listing.put(kinds=(), every=_LOOK_SECONDS)

    def _look(self, pipeline_name: str | None, actor: Actor, cursor: str | None) -> PageOf[RuleView]:
        return self._rules.list(RuleFilter(pipeline_name=pipeline_name), actor=actor, cursor=cursor, limit=_PAGE)


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
