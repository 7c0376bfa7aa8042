"""The fields of quiet hours: any number of times of day, each on some days of the week."""

from collections.abc import Mapping, Sequence

from nicegui import ui

from fastflow.kernel.notifications.domain.channel import QuietHours
from fastflow.kernel.notifications.domain.rule import DAYS
from fastflow.kernel.schedules.domain.zones import zone_names
from fastflow.ui.markup import tag
from fastflow.ui.rooms.alerts.words import day_choices
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import Field, many_field, text_field
from fastflow.ui.shell.page import Fragment, Page

MOST = 10


class QuietEditor:
    """The fields on a page.

    Args:
        page: where they are.
        begun: the hours there are.
    """

    def __init__(self, page: Page, begun: Sequence[QuietHours]) -> None:
        self._page = page
        self._parts: list[Mapping[str, Field]] = []
        t = page.t
        with ui.element("div").classes("run-field"):
            Fragment(tag("label", t("channels.quiet"), cls="name plain"))
            Fragment(tag("div", t("channels.quiet_about"), cls="about"))
            self._place = ui.element("div").classes("quiet-hours")
        for each in begun:
            self._put(each)
        button(page, t("channels.add_quiet"), self._add, drawing="plus", cls="small")

    @property
    def fields(self) -> Mapping[str, Field]:
        """By the service's names, which count from 1."""
        return {
            f"quiet.{number}.{name}": field
            for number, parts in enumerate(self._parts, 1)
            for name, field in parts.items()
        }

    @property
    def hours(self) -> tuple[QuietHours, ...]:
        """What was filled in; the service says whether it is right."""
        return tuple(
            QuietHours(
                start=parts["start"].text,
                end=parts["end"].text,
                timezone=parts["timezone"].text,
                days=tuple(day for day in DAYS if day in parts["days"].value),
            )
            for parts in self._parts
        )

    async def _add(self) -> None:
        if len(self._parts) < MOST:
            self._put(QuietHours(start="22:00", end="07:00", timezone=self._page.zone.key))

    def _put(self, hours: QuietHours) -> None:
        page, t = self._page, self._page.t
        with self._place, ui.element("div").classes("quiet-row") as box:
            parts = {
                "start": text_field(page, t("channels.quiet_start"), hours.start, kind="time"),
                "end": text_field(page, t("channels.quiet_end"), hours.end, kind="time"),
                "timezone": text_field(page, t("rules.timezone"), hours.timezone, options=sorted(zone_names())),
                "days": many_field(page, t("rules.days"), day_choices(t), list(hours.days)),
            }

            async def remove() -> None:
                self._parts.remove(parts)
                box.delete()

            button(page, t("channels.remove_quiet"), remove, drawing="trash", cls="small")
        self._parts.append(parts)
