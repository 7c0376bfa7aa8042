"""The table of schedules: when each is due, how it stands, and what became of its last due time."""

from dataclasses import dataclass

from nicegui import ui

from fastflow.kernel.schedules.domain.schedule import Pause
from fastflow.kernel.schedules.ports import ScheduleFilter
from fastflow.kernel.schedules.service import PauseService, ScheduleService
from fastflow.kernel.schedules.service.schedules import ScheduleView
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import empty, heading, when
from fastflow.ui.rooms.schedules.words import in_words, outcome, state
from fastflow.ui.shell.controls import button, confirm, way
from fastflow.ui.shell.listing import head, kept, pager, table_card
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 50
_LOOK_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class _Shown:
    found: PageOf[ScheduleView]
    pause: Pause | None


class ScheduleTable:
    """Builds the page.

    Args:
        schedules: where they come from.
        pauses: whether all of them are held back.
    """

    def __init__(self, schedules: ScheduleService, pauses: PauseService) -> None:
        self._schedules = schedules
        self._pauses = pauses

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, may = page.t, page.may(Role.OPERATOR)
        shown = await page.ask(self._look, page, page.actor)
        with ui.element("div").classes("bar"):
            Fragment(heading(t("schedules.title")), cls="grow")
            with ui.element("div").classes("actions"):
                everything = _Everything(page, self._pauses)
                Fragment(way(page, "/schedules/new", t("schedules.new"), drawing="plus", may=may))
        everything.begin(shown.pause)
        Fragment(_filters(page))
        table = Fragment(_table(page, shown.found))

        async def refresh() -> None:
            now = await page.ask(self._look, page, await page.who())
            everything.show(now.pause)
            table.show(_table(page, now.found))

        page.live(refresh, every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> _Shown:
        wanted = ScheduleFilter(pipeline_name=page.query.get("pipeline") or None)
        return _Shown(
            found=self._schedules.list(wanted, actor=actor, cursor=page.query.get("cursor"), limit=_PAGE),
            pause=next((pause for pause in self._pauses.in_force() if pause.scope == "system"), None),
        )


class _Everything:
    """Whether all schedules are paused, and what changes it."""

    def __init__(self, page: Page, pauses: PauseService) -> None:
        self._page = page
        self._pauses = pauses
        may, t = page.may_everywhere(Role.ADMIN), page.t
        self._stop = button(page, t("schedules.pause_all"), self._pause, drawing="pause", may=may, role=Role.ADMIN)
        self._go_on = button(page, t("schedules.resume_all"), self._resume, drawing="play", may=may, role=Role.ADMIN)
        self._note: Fragment | None = None

    def begin(self, pause: Pause | None) -> None:
        """Put here what is said of it."""
        self._note = Fragment(Html(""))
        self.show(pause)

    def show(self, pause: Pause | None) -> None:
        """Say whether they are paused."""
        if self._note is not None:
            self._note.show(Html("") if pause is None else _paused(self._page.t, pause))
        self._stop.set_visibility(pause is None)
        self._go_on.set_visibility(pause is not None)

    async def _pause(self) -> None:
        page, t = self._page, self._page.t
        yes, no = t("schedules.pause_all"), t("schedules.leave")
        if await confirm(t("schedules.pause_all_question"), t("schedules.pause_all_text"), yes=yes, no=no):
            self.show(await page.ask(self._pauses.pause_system, actor=await page.who()))

    async def _resume(self) -> None:
        await self._page.ask(self._pauses.resume_system, actor=await self._page.who())
        self.show(None)


def _paused(t: Texts, pause: Pause) -> Html:
    told = t("schedules.all_paused", by=pause.by)
    reason = Data(f" {pause.reason}") if pause.reason else None
    return div(icon("pause"), span(told, Data(" "), when(pause.since), reason), cls="note waits", role="status")


def _filters(page: Page) -> Html:
    t, given = page.t, page.query.get("pipeline", "")
    return tag(
        "form",
        tag(
            "input", type="search", name="pipeline", value=given, placeholder=t("schedules.pipeline"),
            aria_label=t("schedules.pipeline"),
        ),
        link(f"{BASE}/schedules", t("schedules.clear"), cls="button") if given else None,
        cls="filters", action=f"{BASE}/schedules",
    )  # fmt: skip


def _table(page: Page, found: PageOf[ScheduleView]) -> Html:
    t, given = page.t, page.query
    if not found.items:
        if given.get("pipeline"):
            return div(empty("search", t("schedules.none_fit")), cls="card")
        return div(empty("clock", t("schedules.none"), t("schedules.none_hint")), cls="card")
    heads = [
        head(t("schedules.schedule")),
        head(t("schedules.state")),
        head(t("schedules.when")),
        head(t("schedules.next")),
        head(t("schedules.last"), "wide-only"),
    ]
    return join(
        table_card(heads, [_row(t, view) for view in found.items]),
        pager("/schedules", found.next_cursor, older=t("schedules.more"), keeping=kept(page, ["pipeline"])),
    )


def _row(t: Texts, view: ScheduleView) -> Html:
    schedule, last = view.schedule, view.last
    path = f"{BASE}/schedules/{schedule.id}"
    words = in_words(t, schedule)
    line = tag("code", Data(schedule.expression))
    due = schedule.next_due_at
    return tag(
        "tr",
        tag("td", link(path, Data(schedule.pipeline_name), cls="first"), div(Data(schedule.name), cls="muted small")),
        tag("td", state(t, view), cls="to-end"),
        tag(
            "td",
            words or line,
            div(line if words and schedule.trigger == "cron" else None, span(Data(schedule.timezone)), cls="muted small pair"),
        ),
        tag("td", join(when(due, "full"), div(when(due), cls="muted small")) if due else Data("–"), cls="to-end"),
        tag(
            "td",
            join(outcome(t, last.outcome), span(Data(" "), when(last.due_at), cls="muted small")) if last else Data("–"),
            cls="wide-only",
        ),
        data_href=path,
    )  # fmt: skip
