"""When a schedule is due: chosen in plain words or written as a line, with the next due times beside it while one types."""

import asyncio
from collections.abc import Mapping

from nicegui import ui

from fastflow.kernel.schedules.domain.errors import InvalidSchedule
from fastflow.kernel.schedules.domain.schedule import Definition, Trigger
from fastflow.kernel.schedules.domain.zones import zone_names
from fastflow.kernel.schedules.service import SimulationService
from fastflow.kernel.schedules.service.schedules import DueTime
from fastflow.kernel.schedules.service.simulating import LONGEST, SimulationRequest
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError
from fastflow.ui.markup import Html, div, join, tag
from fastflow.ui.rooms.schedules.cron import HOURS, STEPS, Chosen, Kind, chosen_of, timing_of
from fastflow.ui.rooms.schedules.detail import due_card
from fastflow.ui.rooms.schedules.words import in_words
from fastflow.ui.shell.forms import Field, choice_field, many_field, text_field
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data

_SHOWN = 6
_PAUSE_SECONDS = 0.2
"""Typed within this time is looked at once."""
_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.MINUTES: ("step",),
    Kind.HOURS: ("hours", "minute"),
    Kind.DAILY: ("time",),
    Kind.WEEKLY: ("weekdays", "time"),
    Kind.MONTHLY: ("day", "time"),
    Kind.LINE: ("line",),
    Kind.INTERVAL: ("length",),
    Kind.ONCE: ("instant",),
}
_LAST_DAY = "L"


class TimingEditor:
    """The fields of a schedule's timing.

    Args:
        page: where they are.
        simulations: tells what would be due.
        clock: tells from when on.
        begun: what they begin with.
        is_new: the zone is then the reader's own.
    """

    def __init__(
        self, page: Page, simulations: SimulationService, clock: Clock, begun: Definition, *, is_new: bool
    ) -> None:
        self._page = page
        self._simulations = simulations
        self._clock = clock
        self._begun = begun
        self._turn = 0
        self._preview: Fragment | None = None
        t, chosen = page.t, chosen_of(begun.trigger, begun.expression, begun.timezone)
        kinds = {each.value: t(f"schedules.kind_{each}") for each in Kind}
        look = self._look
        self._kind = choice_field(page, t("schedules.when"), kinds, chosen.kind.value, changed=look)
        self._parts = self._make_parts(chosen)
        self._zone = text_field(page, t("schedules.zone"), begun.timezone, options=sorted(zone_names()), changed=look)
        self._show_parts()
        ui.timer(0, page.act(self._begin_new if is_new else self._look), once=True)

    @property
    def fields(self) -> Mapping[str, Field]:
        """By the service's names; what is wrong with the timing is told at the field in which it was written."""
        return {"timezone": self._zone, "expression": self._parts[_FIELDS[self._chosen.kind][0]]}

    @property
    def timing(self) -> tuple[Trigger, str, str]:
        """What was chosen: trigger, expression, zone."""
        trigger, expression = timing_of(self._chosen)
        return trigger, expression, self._zone.text

    def put_preview(self) -> None:
        """Put the next due times here."""
        self._preview = Fragment(Html(""), cls="preview")

    def _make_parts(self, chosen: Chosen) -> Mapping[str, Field]:
        page, t, look = self._page, self._page.t, self._look
        days = {str(number): str(number) for number in range(1, 32)} | {_LAST_DAY: t("schedules.last_day")}
        weekdays = {str(number): t(f"schedules.day_{number}") for number in range(1, 8)}
        steps = {str(each): t.count("schedules.in_minutes", each) for each in STEPS}
        hours = {str(each): t.count("schedules.every_hours", each) for each in HOURS}
        return {
            "step": choice_field(page, t("schedules.step"), steps, chosen.step, changed=look),
            "hours": choice_field(page, t("schedules.step"), hours, chosen.hours, changed=look),
            "minute": text_field(page, t("schedules.minute"), chosen.minute, changed=look),
            "weekdays": many_field(page, t("schedules.weekdays"), weekdays, list(map(str, chosen.weekdays)), changed=look),
            "day": choice_field(page, t("schedules.month_day"), days, chosen.day, changed=look),
            "time": text_field(page, t("schedules.time"), chosen.time, kind="time", changed=look),
            "line": text_field(page, t("schedules.line"), chosen.line, about=t("schedules.line_about"), changed=look),
            "length": text_field(
                page, t("schedules.length"), chosen.length, about=t("schedules.length_about"), changed=look
            ),
            "instant": text_field(
                page, t("schedules.instant"), chosen.instant, kind="datetime-local", changed=look
            ),
        }  # fmt: skip

    @property
    def _chosen(self) -> Chosen:
        parts = self._parts
        return Chosen(
            kind=Kind(self._kind.value),
            step=str(parts["step"].value),
            hours=str(parts["hours"].value),
            minute=parts["minute"].text,
            time=parts["time"].text,
            weekdays=[int(each) for each in parts["weekdays"].value or ()],
            day=str(parts["day"].value),
            line=parts["line"].text,
            length=parts["length"].text,
            instant=parts["instant"].text,
        )

    def _show_parts(self) -> None:
        shown = _FIELDS[Kind(self._kind.value)]
        for name, part in self._parts.items():
            part.show(is_shown=name in shown)

    async def _begin_new(self) -> None:
        """A new schedule is in the reader's zone until they choose another one."""
        zone = await ui.run_javascript("return Intl.DateTimeFormat().resolvedOptions().timeZone", timeout=10.0)
        if zone in zone_names() and self._zone.text == self._begun.timezone:
            self._zone.put(zone)
        await self._look()

    async def _look(self) -> None:
        """Show what would be due, once nothing more is typed."""
        self._turn += 1
        mine = self._turn
        self._show_parts()
        await asyncio.sleep(_PAUSE_SECONDS)
        if mine != self._turn or self._page.client.is_deleted:
            return
        trigger, expression, zone = self.timing
        definition = Definition(pipeline_name="", trigger=trigger, expression=expression, timezone=zone)
        for part in (*self._parts.values(), self._zone):
            part.tell("")
        try:
            due = await self._page.ask(self._simulate, definition)
        except InvalidSchedule as error:
            for name, problem in error.fields.items():
                self.fields.get(name, self._zone).tell(problem)
            self._show(Html(""))
            return
        except FastFlowError as error:
            self._page.tell_problem(error)
            return
        if mine == self._turn:
            self._show(self._preview_of(definition, due))

    def _simulate(self, definition: Definition) -> list[DueTime]:
        now = self._clock.now()
        request = SimulationRequest(since=now, until=now + LONGEST, definition=definition, limit=_SHOWN)
        return [each.due for each in self._simulations.simulate(request, actor=self._page.actor).items]

    def _preview_of(self, definition: Definition, due: list[DueTime]) -> Html:
        t = self._page.t
        words = in_words(t, due[0].schedule) if due else None
        line = tag("code", Data(definition.expression)) if definition.trigger == "cron" else None
        told = div(tag("strong", words) if words else None, line, cls="told") if words or line else None
        return join(told, due_card(t, due, definition.timezone))

    def _show(self, html: Html) -> None:
        if self._preview is not None:
            self._preview.show(html)
