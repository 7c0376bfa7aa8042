"""One schedule: what comes next, in its zone and the reader's, and the ledger of what became of its due times."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from nicegui import ui

from fastflow.kernel.schedules.domain.schedule import Occurrence, Outcome
from fastflow.kernel.schedules.ports import LedgerFilter
from fastflow.kernel.schedules.service import PauseService, ScheduleService
from fastflow.kernel.schedules.service.schedules import DueTime, ScheduleView
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Child, Html, div, join, link, span, tag
from fastflow.ui.parts import card, data_text, empty, facts, heading, seconds, short, when
from fastflow.ui.rooms.schedules.words import in_words, outcome, state
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_NEXT = 8
_PAGE = 30
_LOOK_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class _Shown:
    view: ScheduleView
    due: Sequence[DueTime]
    ledger: PageOf[Occurrence]


class SchedulePage:
    """Builds the page.

    Args:
        schedules: the schedule.
        pauses: holds it back.
    """

    def __init__(self, schedules: ScheduleService, pauses: PauseService) -> None:
        self._schedules = schedules
        self._pauses = pauses

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        shown = await page.ask(self._look, page, page.actor)
        ui.page_title(f"{shown.view.schedule.label} · Fast-Flow")
        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, shown.view), cls="grow")
            actions = _Actions(page, self._schedules, self._pauses, shown.view)
        note = Fragment(_note(t, shown.view))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                due = Fragment(due_card(t, shown.due, shown.view.schedule.timezone))
                ledger = Fragment(_ledger(page, shown.ledger), cls="below")
            beside = Fragment(_beside(t, shown.view))

        async def refresh() -> None:
            now = await page.ask(self._look, page, await page.who())
            head.show(_head(t, now.view))
            actions.show(now.view)
            note.show(_note(t, now.view))
            due.show(due_card(t, now.due, now.view.schedule.timezone))
            ledger.show(_ledger(page, now.ledger))
            beside.show(_beside(t, now.view))

        page.live(refresh, pipeline_name=shown.view.schedule.pipeline_name, every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> _Shown:
        schedule_id, wanted = page.params["schedule_id"], page.query.get("outcome", "")
        known = Outcome(wanted) if wanted in list(Outcome) else None
        cursor = page.query.get("cursor")
        return _Shown(
            view=self._schedules.get(schedule_id, actor=actor),
            due=self._schedules.next_due_times(schedule_id, _NEXT, actor=actor),
            ledger=self._schedules.occurrences(
                schedule_id, LedgerFilter(outcome=known), actor=actor, cursor=cursor, limit=_PAGE
            ),
        )


class _Actions:
    """What can be done with the schedule as it is."""

    def __init__(self, page: Page, schedules: ScheduleService, pauses: PauseService, view: ScheduleView) -> None:
        self._page = page
        self._schedules = schedules
        self._pauses = pauses
        self._id = view.schedule.id
        t, may = page.t, page.may(Role.OPERATOR, view.schedule.pipeline_name)
        is_declared = view.schedule.origin == "code"
        why_not = t("schedules.declared") if is_declared else None
        with ui.element("div").classes("actions"):
            self._pause = button(page, t("schedules.pause"), self._do_pause, drawing="pause", may=may)
            self._resume = button(page, t("schedules.resume"), self._do_resume, drawing="play", may=may)
            button(page, t("schedules.edit"), self._edit, drawing="pencil", may=may, why_not=why_not)
            button(
                page, t("schedules.delete"), self._delete, drawing="trash", may=may, cls="danger",
                why_not=why_not if view.problem is None else None,
            )  # fmt: skip
        self.show(view)

    def show(self, view: ScheduleView) -> None:
        """Offer what fits it now."""
        is_paused = any(pause.scope == "schedule" for pause in view.pauses)
        self._pause.set_visibility(not is_paused)
        self._resume.set_visibility(is_paused)

    async def _do_pause(self) -> None:
        page = self._page
        await page.ask(self._pauses.pause_schedule, self._id, actor=await page.who())
        self.show(await page.ask(self._schedules.get, self._id, actor=page.actor))
        page.tell(page.t("schedules.is_paused"))

    async def _do_resume(self) -> None:
        page = self._page
        await page.ask(self._pauses.resume_schedule, self._id, actor=await page.who())
        self.show(await page.ask(self._schedules.get, self._id, actor=page.actor))
        page.tell(page.t("schedules.is_resumed"))

    async def _edit(self) -> None:
        self._page.go(f"/schedules/{self._id}/edit")

    async def _delete(self) -> None:
        page, t = self._page, self._page.t
        yes, no = t("schedules.delete"), t("schedules.keep")
        if await confirm(t("schedules.delete_question"), t("schedules.delete_text"), yes=yes, no=no):
            await page.ask(self._schedules.delete, self._id, actor=await page.who())
            page.go("/schedules")


def _head(t: Texts, view: ScheduleView) -> Html:
    schedule = view.schedule
    return heading(
        Data(schedule.name),
        state(t, view),
        trail=[
            (f"{BASE}/schedules", t("schedules.title")),
            (f"{BASE}/pipelines/{quote(schedule.pipeline_name, safe='')}", Data(schedule.pipeline_name)),
        ],
        under=in_words(t, schedule),
    )


def _note(t: Texts, view: ScheduleView) -> Html:
    """What keeps it from starting runs."""
    if view.problem is not None:
        return div(icon("alert"), span(as_told(t, view.problem)), cls="note bad", role="status")
    told = [tag("p", Data(_sentence(pause.describe()))) for pause in view.pauses]
    return div(icon("pause"), div(told), cls="note waits", role="status") if told else Html("")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def due_card(t: Texts, due: Sequence[DueTime], timezone: str) -> Html:
    """The next due times in the schedule's zone and the reader's."""
    if not due:
        return card(t("schedules.coming"), tag("p", t("schedules.never_due"), cls="card-body muted"))
    head = [
        tag("th", Data(timezone), scope="col"),
        tag("th", t("schedules.your_time"), scope="col"),
        tag("td", cls="wide-only ago"),
    ]
    rows = [
        tag(
            "tr",
            tag("td", when(each.due_at, "full", timezone), _told(each)),
            tag("td", when(each.due_at, "full"), data_label=t("schedules.your_time")),
            tag("td", when(each.due_at), cls="muted wide-only ago"),
        )
        for each in due
    ]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), cls="list due")
    return card(t("schedules.coming"), div(table, cls="table-wrap"))


def _told(due: DueTime) -> Html | None:
    """What a change of the clocks does to it."""
    return div(Data(due.note), cls="muted small") if due.note else None


def _ledger(page: Page, ledger: PageOf[Occurrence]) -> Html:
    t, given = page.t, page.query
    base = f"{BASE}/schedules/{page.params['schedule_id']}"
    chosen = given.get("outcome", "")
    shown = [tag("option", t("schedules.all_outcomes"), value="")]
    shown += [
        tag("option", t(f"schedules.outcome_{one}"), value=one.value, selected=one.value == chosen) for one in Outcome
    ]
    choice = tag("select", shown, name="outcome", aria_label=t("schedules.outcome"))
    filters = tag("form", choice, cls="filters in-head", action=base)
    if not ledger.items:
        return card(t("schedules.ledger"), empty("clock", t("schedules.ledger_none")), aside=filters)
    more = urlencode({**({"outcome": chosen} if chosen else {}), "cursor": ledger.next_cursor or ""})
    pager = div(
        link(base, t("schedules.newest"), cls="button") if given.get("cursor") else span(),
        link(f"{base}?{more}", t("schedules.older"), cls="button") if ledger.next_cursor else None,
        cls="pager in-card",
    )
    rows = [_occurrence(t, each) for each in ledger.items]
    is_paged = bool(ledger.next_cursor or given.get("cursor"))
    return card(t("schedules.ledger"), div(rows, cls="rows"), pager if is_paged else None, aside=filters)


def _occurrence(t: Texts, each: Occurrence) -> Html:
    run = link(f"{BASE}/runs/{each.run_id}", tag("code", short(each.run_id))) if each.run_id else None
    return div(
        span(outcome(t, each.outcome), cls="outcome"),
        span(when(each.due_at, "full"), tag("small", as_told(t, each.why)), cls="main"),
        span(run, cls="side"),
        cls="row",
    )


def _beside(t: Texts, view: ScheduleView) -> Html:
    schedule = view.schedule

    def length(value: float | None) -> Child:
        return Data(seconds(value)) if value else None

    rows: list[tuple[Phrase | Data, Child]] = [
        (t(f"schedules.as_{schedule.trigger}"), tag("code", Data(schedule.expression))),
        (t("schedules.zone"), Data(schedule.timezone)),
        (t("schedules.start_at"), when(schedule.start_at, "full")),
        (t("schedules.end_at"), when(schedule.end_at, "full")),
        (t("schedules.jitter"), length(schedule.jitter)),
        (t("schedules.overlap"), t(f"schedules.overlap_{schedule.overlap.replace('-', '_')}")),
        (t("schedules.missed"), t(f"schedules.missed_{schedule.missed}")),
        (t("schedules.window"), length(schedule.catch_up_window) or t("schedules.without_end")),
        (t("schedules.priority"), Data(schedule.priority) if schedule.priority else None),
        (t("schedules.made"), join(when(schedule.created_at, "clock"), Data(f" · {schedule.created_by}"))),
        (t("schedules.origin"), t("schedules.origin_code") if schedule.origin == "code" else None),
    ]
    params = facts((Data(name), tag("code", Data(data_text(value)))) for name, value in schedule.params.items())
    return join(
        card(t("schedules.settings"), facts(rows)),
        card(t("schedules.params"), params) if schedule.params else None,
    )
