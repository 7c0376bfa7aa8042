"""The form that makes a rule, and changes one. What is right, the service decides; only what the events take is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nicegui import ui

from fastflow.kernel.notifications.domain.rule import (
    DAYS,
    EVENTS,
    REASONS,
    SEVERITIES,
    Event,
    RuleDefinition,
)
from fastflow.kernel.notifications.service import ChannelService, RuleService
from fastflow.kernel.notifications.service.rules import RuleView
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.schedules.domain.zones import zone_names
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import MAX_PAGE_SIZE
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, span, tag
from fastflow.ui.parts import heading
from fastflow.ui.rooms.alerts.rules import rule_state
from fastflow.ui.rooms.alerts.words import day_choices, event
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.forms import (
    Field,
    Form,
    choice_field,
    many_field,
    read_length,
    read_number,
    switch_field,
    text_field,
    typed_length,
)
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_ALL, _USUAL = "", ""
_TAKES: Mapping[Event, Sequence[str]] = {
    "failure": ("reasons",),
    "late": ("after",),
    "slow": ("factor", "mad", "min_history"),
    "deadline": ("by", "timezone", "days", "within"),
}
"""The fields that an event asks for."""


@dataclass(frozen=True, kw_only=True)
class _Offered:
    pipelines: Sequence[str]
    channels: Sequence[str]


class RuleForms:
    """Builds the pages.

    Args:
        rules: takes what was filled in.
        channels: whom a rule may tell.
        catalog: what it may watch.
    """

    def __init__(self, rules: RuleService, channels: ChannelService, catalog: PipelineCatalog) -> None:
        self._rules = rules
        self._channels = channels
        self._catalog = catalog

    async def build_new(self, page: Page) -> None:
        """A page that makes one; `?pipeline=` names its pipeline."""
        t = page.t
        offered = await page.ask(self._look, page.actor)
        given = page.query.get("pipeline", "")
        is_known = given in offered.pipelines
        if not is_known and not page.may_everywhere(Role.OPERATOR):
            given, is_known = next(iter(offered.pipelines), ""), bool(offered.pipelines)
        begun = RuleDefinition(
            pipeline_name=given if is_known else None,
            events=("failure", "recovery"),
            channels=tuple(offered.channels[:1]),
            timezone=page.zone.key,
        )
        Fragment(heading(t("rules.new"), trail=_way(t)))
        if not offered.channels:
            Fragment(div(icon("bell"), span(t("rules.needs_channel")), cls="note waits", role="status"))
        _RuleForm(page, self._rules, offered, begun, None)

    async def build_edit(self, page: Page) -> None:
        """A page that changes one."""
        t = page.t
        view = await page.ask(self._rules.get, page.params["rule_id"], actor=page.actor)
        offered = await page.ask(self._look, page.actor)
        ui.page_title(f"{view.rule.label} · {t('rules.title')} · Fast-Flow")
        with ui.element("div").classes("bar"):
            Fragment(_head(t, view), cls="grow")
            _put_delete(page, self._rules, view)
        Fragment(_note(t, view))
        _RuleForm(page, self._rules, offered, view.rule.definition, view)

    def _look(self, actor: Actor) -> _Offered:
        return _Offered(
            pipelines=sorted(each.name for each in self._catalog.list() if actor.may_touch(each.name, Role.OPERATOR)),
            channels=[each.name for each in self._channels.list(actor=actor, limit=MAX_PAGE_SIZE).items],
        )


class _RuleForm:
    """The form on a page; `view` of the one that is changed, None for a new one."""

    def __init__(
        self, page: Page, rules: RuleService, offered: _Offered, begun: RuleDefinition, view: RuleView | None
    ) -> None:
        self._page = page
        self._rules = rules
        self._begun = begun
        self._view = view
        t = page.t
        is_ours = view is None or view.rule.origin == "user"
        may = page.may(Role.OPERATOR, begun.pipeline_name) if begun.pipeline_name else page.may(Role.OPERATOR)
        if view is not None and begun.pipeline_name is None:
            may = page.may_everywhere(Role.OPERATOR)
        with (
            ui.element("section").classes("card narrow"),
            ui.element("form").classes("run-form top").on("submit.prevent", lambda: None),
        ):
            self._fields = self._put_whom(offered)
            self._fields |= self._put_details()
            self._is_enabled = switch_field(page, t("rules.enabled"), value=view is None or view.rule.is_enabled)
            with ui.element("div").classes("actions"):
                why_not = None if is_ours else t("rules.declared")
                button(page, t("rules.save"), self._save, drawing="check", cls="primary", may=may, why_not=why_not)
        self._show()

    def _put_whom(self, offered: _Offered) -> dict[str, Field]:
        page, t, begun = self._page, self._page.t, self._begun
        fields: dict[str, Field] = {}
        if self._view is None:
            every = {_ALL: str(t("rules.every_pipeline"))} if page.may_everywhere(Role.OPERATOR) else {}
            names = {**every, **{name: name for name in offered.pipelines}}
            fields["pipeline_name"] = choice_field(page, t("alerts.pipeline"), names, begun.pipeline_name or _ALL)
        fields["name"] = text_field(page, t("rules.name"), begun.name or "", about=t("rules.name_about"))
        known = {name: name for name in (*offered.channels, *begun.channels)}
        told: dict[str, str] = {each: event(t, each) for each in EVENTS}
        fields["events"] = many_field(page, t("rules.tells_of"), told, begun.events, changed=self._chosen)
        fields["channels"] = many_field(page, t("rules.to"), known, begun.channels)
        return fields

    def _put_details(self) -> dict[str, Field]:
        page, t, begun = self._page, self._page.t, self._begun
        reasons = {each: str(t(f"status.{each}")) for each in REASONS}
        levels = {_USUAL: str(t("rules.usual")), **{each: str(t(f"alerts.severity_{each}")) for each in SEVERITIES}}
        return {
            "reasons": many_field(page, t("rules.reasons"), reasons, begun.reasons),
            "after": text_field(page, t("rules.after"), typed_length(begun.after), about=t("rules.after_about")),
            "factor": text_field(page, t("rules.factor"), _number(begun.factor), about=t("rules.factor_about")),
            "mad": text_field(page, t("rules.mad"), _number(begun.mad), about=t("rules.mad_about")),
            "min_history": text_field(page, t("rules.min_history"), str(begun.min_history)),
            "by": text_field(page, t("rules.by"), begun.by or "", kind="time"),
            "timezone": text_field(page, t("rules.timezone"), begun.timezone, options=sorted(zone_names())),
            "days": many_field(page, t("rules.days"), day_choices(t), begun.days),
            "within": text_field(page, t("rules.within"), typed_length(begun.within), about=t("rules.within_about")),
            "severity": choice_field(page, t("rules.severity"), levels, begun.severity or _USUAL),
            "repeat_every": text_field(
                page, t("rules.repeat"), typed_length(begun.repeat_every), about=t("rules.repeat_about")
            ),
        }  # fmt: skip

    async def _chosen(self) -> None:
        self._show()

    def _show(self) -> None:
        """Show what the chosen events take, and no more."""
        chosen = self._fields["events"].value or ()
        for what, names in _TAKES.items():
            for name in names:
                self._fields[name].show(is_shown=what in chosen)

    async def _save(self) -> None:
        page = self._page
        with Form(self._fields, codes={"alert_rule_name_taken": "name"}).placing():
            definition, is_enabled = self._read(), bool(self._is_enabled.value)
            actor = await page.who()
            if self._view is None:
                await page.ask(self._rules.create, definition, actor=actor, is_enabled=is_enabled)
            else:
                await page.ask(self._rules.change, self._view.rule.id, definition, actor=actor, is_enabled=is_enabled)
        page.go("/alerts/rules")

    def _read(self) -> RuleDefinition:
        """What was filled in; what the chosen events do not take keeps its default.

        Raises:
            InvalidInput: something that cannot be read.
        """
        fields, begun = self._fields, self._begun
        events = tuple(each for each in EVENTS if each in (fields["events"].value or ()))
        taken = {name for each in events for name in _TAKES.get(each, ())}
        plain = RuleDefinition()
        name = (fields["pipeline_name"].value or None) if self._view is None else begun.pipeline_name
        return RuleDefinition(
            pipeline_name=name,
            name=fields["name"].text or None,
            events=events,
            channels=tuple(fields["channels"].value or ()),
            severity=fields["severity"].value or None,
            reasons=tuple(fields["reasons"].value or ()) if "reasons" in taken else plain.reasons,
            after=(read_length(fields["after"], "after", empty=0.0) or 0.0) if "after" in taken else plain.after,
            factor=read_number(fields["factor"], "factor") if "factor" in taken else plain.factor,
            mad=read_number(fields["mad"], "mad") if "mad" in taken else None,
            min_history=int(read_number(fields["min_history"], "min_history") or 0)
            if "mad" in taken
            else plain.min_history,
            by=(fields["by"].text or None) if "by" in taken else None,
            timezone=fields["timezone"].text if "by" in taken else plain.timezone,
            days=tuple(day for day in DAYS if day in (fields["days"].value or ())) if "by" in taken else plain.days,
            within=(read_length(fields["within"], "within", empty=0.0) or 0.0) if "by" in taken else plain.within,
            repeat_every=read_length(fields["repeat_every"], "repeat_every"),
        )


def _put_delete(page: Page, rules: RuleService, view: RuleView) -> None:
    t, rule = page.t, view.rule

    async def delete() -> None:
        question, yes, no = t("rules.delete_question"), t("rules.delete"), t("rules.keep")
        if await confirm(question, t("rules.delete_text"), yes=yes, no=no):
            await page.ask(rules.delete, rule.id, actor=await page.who())
            page.go("/alerts/rules")

    may = page.may(Role.OPERATOR, rule.pipeline_name) if rule.pipeline_name else page.may_everywhere(Role.OPERATOR)
    with ui.element("div").classes("actions"):
        why_not = t("rules.declared") if rule.origin == "code" else None
        button(page, t("rules.delete"), delete, drawing="trash", cls="danger", may=may, why_not=why_not)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _way(t: Texts) -> list[tuple[str, Data]]:
    return [(f"{BASE}/alerts", Data(t("alerts.title"))), (f"{BASE}/alerts/rules", Data(t("rules.title")))]


def _head(t: Texts, view: RuleView) -> Html:
    rule = view.rule
    whose = rule.pipeline_name or t("rules.every_pipeline")
    made = t("rules.origin_code") if rule.origin == "code" else t("rules.made_by", who=rule.created_by)
    return heading(Data(rule.name), rule_state(t, view), trail=_way(t), under=join(Data(whose), Data(" · "), made))


def _note(t: Texts, view: RuleView) -> Html:
    """What keeps it from telling anybody, and who alone may change it."""
    bad = div(icon("alert"), span(as_told(t, view.problem)), cls="note bad", role="status") if view.problem else None
    code = div(icon("file"), tag("span", t("rules.declared")), cls="note still") if view.rule.origin == "code" else None
    return join(bad, code)
