"""The form that begins a backfill: first what would run is shown, then just that is begun. What is right, the service decides."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from nicegui import ui

from fastflow.kernel.flows.domain.backfilling import (
    DEFAULT_MAX,
    DEFAULT_PRIORITY,
    DEFAULT_THROTTLE,
    PLACEHOLDERS,
    BackfillRequest,
    Slot,
)
from fastflow.kernel.flows.service import BackfillService
from fastflow.kernel.flows.service.backfills import BackfillPlan
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.schedules.domain.zones import zone_names
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, InvalidInput
from fastflow.kit.identity import Actor, Role
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import data_text, empty, heading, pill, short
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import Field, Form, choice_field, read_number, switch_field, text_field
from fastflow.ui.shell.listing import head, table
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.shell.params import ParamFields
from fastflow.ui.texts import Data, Texts

_DAYS = 7
_SHOWN = 3
"""Of the times of a plan, so many of its begin and of its end."""
_LONGEST = 80
_SHARE = re.compile(r"(\d{1,2}(\.\d+)?|100)%")


class BackfillForms:
    """Builds the page.

    Args:
        backfills: takes what was filled in.
        catalog: what can be run.
        clock: tells which days are over.
    """

    def __init__(self, backfills: BackfillService, catalog: PipelineCatalog, clock: Clock) -> None:
        self._backfills = backfills
        self._catalog = catalog
        self._clock = clock

    async def build(self, page: Page) -> None:
        """Put it on the page; `?pipeline=` names its pipeline."""
        pipelines = await page.ask(self._pipelines, page.actor)
        _BackfillForm(page, self._backfills, self._clock, pipelines)

    def _pipelines(self, actor: Actor) -> Mapping[str, Pipeline]:
        found = {pipeline.name: pipeline for pipeline in self._catalog.list() if pipeline.daemon is None}
        return {name: each for name, each in sorted(found.items()) if actor.may_touch(name, Role.OPERATOR)}


class _BackfillForm:
    """The form on a page, and beside it what it would run."""

    def __init__(self, page: Page, backfills: BackfillService, clock: Clock, pipelines: Mapping[str, Pipeline]) -> None:
        self._page = page
        self._backfills = backfills
        self._pipelines = pipelines
        self._shown: BackfillRequest | None = None
        t, given = page.t, page.query.get("pipeline", "")
        Fragment(
            heading(
                t("flows.new_backfill"),
                trail=[(f"{BASE}/flows?kind=backfill", t("flows.backfills"))],
                under=t("flows.new_backfill_about"),
            )
        )
        with ui.element("div").classes("columns even"):
            with (
                ui.element("section").classes("card"),
                ui.element("form").classes("run-form top").on("submit.prevent", lambda: None),
            ):
                self._put_range(given if given in pipelines else None, clock)
                self._place = ui.element("div").classes("sources")
                self._put_params(given)
                self._put_more()
                may = page.may(Role.OPERATOR, given or None)
                with ui.element("div").classes("actions"):
                    button(page, t("flows.plan"), self._plan, drawing="search", cls="primary", may=may)
            with ui.element("section").classes("card"):
                Fragment(div(tag("h2", t("flows.would_run")), cls="card-head"))
                self._preview = Fragment(empty("flow", t("flows.not_planned")))
                with ui.element("div").classes("card-body actions") as self._begin:
                    button(page, t("flows.begin"), self._start, drawing="play", cls="primary", may=may)
                self._begin.set_visibility(False)

    def _put_range(self, name: str | None, clock: Clock) -> None:
        page, t = self._page, self._page.t
        today = clock.now().astimezone(page.zone).date()
        names = {each: each for each in self._pipelines}
        self._fields: dict[str, Field] = {
            "pipeline_name": choice_field(
                page, t("flows.pipeline"), names, name, is_required=True, changed=self._chosen
            ),
            "since": text_field(
                page, t("flows.range_since"), f"{today - timedelta(days=_DAYS)}", about=t("flows.since_about"), is_required=True
            ),
            "until": text_field(
                page, t("flows.range_until"), f"{today - timedelta(days=1)}", about=t("flows.until_about"), is_required=True
            ),
            "step": text_field(page, t("flows.range_step"), "1d", about=t("flows.step_about")),
            "timezone": text_field(page, t("flows.range_timezone"), page.zone.key, options=sorted(zone_names())),
        }  # fmt: skip

    async def _chosen(self) -> None:
        self._put_params(str(self._fields["pipeline_name"].value or ""))

    def _put_params(self, name: str) -> None:
        """Ask for what the pipeline takes, as texts with placeholders."""
        t, pipeline = self._page.t, self._pipelines.get(name)
        self._params: ParamFields | None = None
        self._place.clear()
        if pipeline is None:
            return
        with self._place:
            holes = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            Fragment(join(tag("h3", t("flows.params")), tag("p", t("flows.templates", holes=holes), cls="about")))
            self._params = ParamFields(self._page, as_templates(pipeline.params_schema), {}, is_partial=True)

    def _put_more(self) -> None:
        page, t = self._page, self._page.t
        self._fields["throttle"] = text_field(
            page, t("flows.throttle"), str(DEFAULT_THROTTLE), about=t("flows.throttle_about")
        )
        with ui.element("details").classes("more"):
            Fragment(join(t("flows.more_settings")), tag="summary")
            orders = {each: str(t(f"flows.order_{each}")) for each in ("oldest", "newest")}
            self._fields |= {
                "order": choice_field(page, t("flows.order"), orders, "oldest"),
                "max_failures": text_field(page, t("flows.max_failures"), "0", about=t("flows.max_failures_about")),
                "priority": text_field(
                    page, t("flows.priority"), str(DEFAULT_PRIORITY), about=t("flows.priority_about")
                ),
                "maximum": text_field(page, t("flows.maximum"), str(DEFAULT_MAX)),
                "again": switch_field(page, t("flows.once_more"), about=t("flows.once_more_about")),
            }

    async def _plan(self) -> None:
        with self._placing():
            await self._look(self._read())

    async def _look(self, request: BackfillRequest) -> None:
        page = self._page
        plan = await page.ask(self._backfills.plan, request, actor=await page.who())
        self._shown = request
        self._preview.show(_planned(page.t, plan))
        self._begin.set_visibility(plan.to_run > 0)

    async def _start(self) -> None:
        """Begin what is shown; what was changed since is shown first."""
        page = self._page
        with self._placing():
            request = self._read()
            if request != self._shown:
                await self._look(request)
                page.tell(page.t("flows.planned_anew"))
                return
            view = await page.ask(self._backfills.start, request, actor=await page.who())
        page.go(f"/flows/{view.flow.id}")

    @contextmanager
    def _placing(self) -> Iterator[None]:
        """What goes wrong inside stands at its field, and nothing can be begun."""
        try:
            with Form(self._fields).placing():
                if self._params is not None:
                    self._params.tell({})
                yield
        except FastFlowError as error:
            self._shown = None
            self._preview.show(empty("flow", self._page.t("flows.not_planned")))
            self._begin.set_visibility(False)
            if self._params is not None:
                self._params.tell_own(error.fields)
            raise

    def _read(self) -> BackfillRequest:
        """What was filled in.

        Raises:
            InvalidInput: some of it cannot be read; the rest the service judges.
        """
        fields = self._fields
        name = str(fields["pipeline_name"].value or "")
        if not name:
            raise fields["pipeline_name"].wrong("pipeline_name", "flows.needs_pipeline")
        return BackfillRequest(
            pipeline_name=name,
            **{each: fields[each].text for each in ("since", "until", "step", "timezone")},
            params=self._params.read() if self._params is not None else {},
            order=fields["order"].value,
            throttle=self._whole("throttle", 1, 10_000),
            max_failures=self._failures(),
            priority=self._whole("priority", -1_000_000, 1_000_000),
            maximum=self._whole("maximum", 1, 100_000),
            again=bool(fields["again"].value),
        )

    def _failures(self) -> int | str:
        """A number of runs, or a share of them."""
        text = self._fields["max_failures"].text.replace(" ", "").replace(",", ".")
        if not text.endswith("%"):
            return self._whole("max_failures", 0, 100_000)
        if not _SHARE.fullmatch(text):
            raise self._fields["max_failures"].wrong("max_failures", "flows.not_share")
        return text

    def _whole(self, name: str, least: int, most: int) -> int:
        field, t = self._fields[name], self._page.t
        number = read_number(field, name)
        if number is None or number != int(number) or not least <= number <= most:
            problem = t("flows.not_whole", least=least, most=most)
            raise InvalidInput(problem, hint=t("shell.mend"), fields={name: problem})
        return int(number)


def as_templates(schema: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The schema of parameters that are texts with placeholders, whatever they become."""
    if schema is None:
        return None
    kept = ("title", "description", "default")
    parts = {name: part for name, part in (schema.get("properties") or {}).items() if isinstance(part, Mapping)}
    return {
        "properties": {
            name: {"type": "string", **{each: part[each] for each in kept if part.get(each) is not None}}
            for name, part in parts.items()
        }
    }


def _planned(t: Texts, plan: BackfillPlan) -> Html:
    """How many runs there would be, the first and the last of them, and what is left away."""
    slots = plan.slots
    left = len(slots) - 2 * _SHOWN
    first, last = (slots[:_SHOWN], slots[-_SHOWN:]) if left > 0 else (slots, [])
    between = tag("tr", tag("td", t.count("flows.slots_between", left), cls="muted", colspan=3)) if left > 0 else None
    rows = [*_rows(t, first), *([between] if between else []), *_rows(t, last)]
    told = [
        tag("strong", t.count("flows.to_run", plan.to_run)),
        t.count("flows.done_already", plan.done_already) if plan.done_already else None,
        t.count("flows.under_way_already", plan.under_way_already) if plan.under_way_already else None,
    ]
    earlier = [
        link(f"{BASE}/flows/{each}", tag("code", short(each)), cls="underlined") for each in plan.done_by[:_SHOWN]
    ]
    return join(
        tag("p", [join(each, Data(". ")) for each in told if each], *earlier, cls="card-body", role="status"),
        div(table([head(t("flows.time")), head(t("flows.params")), head(t("flows.state"))], rows), cls="table-wrap"),
    )


def _rows(t: Texts, slots: Sequence[Slot]) -> Sequence[Html]:
    return [
        tag(
            "tr",
            tag("td", tag("strong", Data(slot.key))),
            tag("td", [span(_said(name, value), cls="tag") for name, value in slot.params.items()] or Data("–")),
            tag("td", pill("still" if slot.already else "waits", t(f"flows.slot_{slot.already or 'new'}"))),
        )
        for slot in slots
    ]


def _said(name: str, value: Any) -> Data:
    text = f"{name}={data_text(value)}"
    return Data(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
