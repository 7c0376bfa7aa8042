"""The form that makes a schedule, and changes one. What is right, the service decides."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from nicegui import ui

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.schedules.domain.errors import InvalidSchedule
from fastflow.kernel.schedules.domain.schedule import MISSED, OVERLAPS, Definition
from fastflow.kernel.schedules.domain.zones import load_zone, zone_problem
from fastflow.kernel.schedules.service import ScheduleService, SimulationService
from fastflow.kit.clock import Clock
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import FastFlowError, InvalidInput
from fastflow.kit.identity import Actor, Role
from fastflow.ui.markup import Html, join, tag
from fastflow.ui.parts import heading
from fastflow.ui.rooms.schedules.editor import TimingEditor
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import Form, choice_field, text_field, typed_length
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.shell.params import ParamFields
from fastflow.ui.texts import Data


class ScheduleForms:
    """Builds the pages.

    Args:
        schedules: takes what was filled in.
        simulations: tells what would be due.
        catalog: what can be scheduled.
        clock: tells the time.
    """

    def __init__(
        self, schedules: ScheduleService, simulations: SimulationService, catalog: PipelineCatalog, clock: Clock
    ) -> None:
        self._schedules = schedules
        self._simulations = simulations
        self._catalog = catalog
        self._clock = clock

    async def build_new(self, page: Page) -> None:
        """A page that makes one; `?pipeline=` names its pipeline."""
        pipelines = await page.ask(self._pipelines, page.actor)
        given = page.query.get("pipeline", "")
        definition = Definition(
            pipeline_name=given if given in pipelines else "", trigger="cron", expression="30 2 * * *"
        )
        _ScheduleForm(page, self._schedules, self._simulations, self._clock, pipelines, definition, None)

    async def build_edit(self, page: Page) -> None:
        """A page that changes one."""
        view = await page.ask(self._schedules.get, page.params["schedule_id"], actor=page.actor)
        schedule = view.schedule
        pipelines = await page.ask(self._pipelines, page.actor, schedule.pipeline_name)
        _ScheduleForm(
            page, self._schedules, self._simulations, self._clock, pipelines, schedule.definition, schedule.id
        )

    def _pipelines(self, actor: Actor, name: str | None = None) -> Mapping[str, Pipeline]:
        """What the actor may schedule; with a name, that one alone, perhaps gone."""
        found = {pipeline.name: pipeline for pipeline in self._catalog.list()}
        if name is not None:
            return {name: found[name]} if name in found else {}
        return {name: each for name, each in sorted(found.items()) if actor.may_touch(name, Role.OPERATOR)}


class _ScheduleForm:
    """The form on a page; `schedule_id` of the one that is changed, None for a new one."""

    def __init__(
        self,
        page: Page,
        schedules: ScheduleService,
        simulations: SimulationService,
        clock: Clock,
        pipelines: Mapping[str, Pipeline],
        begun: Definition,
        schedule_id: str | None,
    ) -> None:
        self._page = page
        self._schedules = schedules
        self._pipelines = pipelines
        self._begun = begun
        self._id = schedule_id
        Fragment(self._head())
        with ui.element("div").classes("columns even"):
            with ui.element("section").classes("card"), _form():
                self._put_what()
                self._editor = TimingEditor(page, simulations, clock, begun, is_new=schedule_id is None)
                self._put_more()
                may = page.may(Role.OPERATOR, begun.pipeline_name or None)
                with ui.element("div").classes("actions"):
                    button(page, page.t("schedules.save"), self._save, drawing="check", cls="primary", may=may)
            self._editor.put_preview()

    def _head(self) -> Html:
        t, begun = self._page.t, self._begun
        trail: list[tuple[str, Any]] = [(f"{BASE}/schedules", t("schedules.title"))]
        if self._id is None:
            return heading(t("schedules.new"), trail=trail)
        label = f"{begun.pipeline_name}/{begun.name}"
        return heading(t("schedules.edit"), trail=[*trail, (f"{BASE}/schedules/{self._id}", Data(label))])

    def _put_what(self) -> None:
        page, t, begun = self._page, self._page.t, self._begun
        self._fields = {}
        if self._id is None:
            names = {name: name for name in self._pipelines}
            pipeline = choice_field(
                page, t("schedules.pipeline"), names, begun.pipeline_name or None, is_required=True, changed=self._chosen
            )  # fmt: skip
            self._fields["pipeline_name"] = pipeline
        about = t("schedules.name_about")
        self._fields["name"] = text_field(page, t("schedules.name"), begun.name or "", about=about)

    def _put_more(self) -> None:
        page, t, begun = self._page, self._page.t, self._begun
        self._place = ui.element("div").classes("sources")
        self._put_params(begun.pipeline_name, begun.params)
        with ui.element("details").classes("more"):
            Fragment(join(t("schedules.more_settings")), tag="summary")
            overlaps: dict[str, str] = {each: t(f"schedules.overlap_{each.replace('-', '_')}") for each in OVERLAPS}
            missed: dict[str, str] = {each: t(f"schedules.missed_{each}") for each in MISSED}
            self._fields |= {
                "overlap": choice_field(page, t("schedules.overlap"), overlaps, begun.overlap),
                "missed": choice_field(page, t("schedules.missed"), missed, begun.missed),
                "catch_up_window": text_field(
                    page, t("schedules.window"), typed_length(begun.catch_up_window), about=t("schedules.window_about")
                ),
                "jitter": text_field(
                    page, t("schedules.jitter"), typed_length(begun.jitter or None), about=t("schedules.jitter_about")
                ),
                "start_at": self._instant_field("start_at", begun.start_at),
                "end_at": self._instant_field("end_at", begun.end_at),
                "priority": text_field(page, t("schedules.priority"), str(begun.priority)),
            }

    def _instant_field(self, name: str, begun: datetime | None) -> Any:
        zone = self._begun.timezone
        text = f"{begun.astimezone(load_zone(zone)):%Y-%m-%dT%H:%M}" if begun and not zone_problem(zone) else ""
        return text_field(self._page, self._page.t(f"schedules.{name}"), text, kind="datetime-local")

    async def _chosen(self) -> None:
        self._put_params(str(self._fields["pipeline_name"].value or ""), {})

    def _put_params(self, name: str, values: Mapping[str, Any]) -> None:
        """Ask for what the pipeline takes."""
        pipeline = self._pipelines.get(name)
        self._params: ParamFields | None = None
        self._place.clear()
        if pipeline is None and not self._id:
            return
        with self._place:
            Fragment(tag("h3", self._page.t("schedules.params")))
            self._params = ParamFields(self._page, pipeline.params_schema if pipeline else None, values)

    async def _save(self) -> None:
        page = self._page
        form = Form({**self._fields, **self._editor.fields}, codes={"schedule_name_taken": "name"})
        with form.placing(), self._placing():
            definition = self._read()
            if self._id is None:
                view = await page.ask(self._schedules.create, definition, actor=await page.who())
            else:
                changes = vars(definition)
                view = await page.ask(self._schedules.change, self._id, changes, actor=await page.who())
        page.go(f"/schedules/{view.schedule.id}")

    @contextmanager
    def _placing(self) -> Iterator[None]:
        """What is said of parameters stands at theirs."""
        try:
            yield
        except FastFlowError as error:
            if self._params is not None:
                self._params.tell_own(error.fields)
            raise

    def _read(self) -> Definition:
        """What was filled in.

        Raises:
            InvalidSchedule: some of it cannot be read; the rest the service judges.
        """
        fields, problems = self._fields, dict[str, str]()
        trigger, expression, timezone = self._editor.timing

        def keep(name: str, read: Any) -> Any:
            try:
                return read(fields[name].text)
            except (InvalidInput, ValueError) as error:
                problems[name] = _problem(error, self._page, name)
                return None

        name = self._begun.pipeline_name if self._id else str(fields["pipeline_name"].value or "")
        if not name:
            raise InvalidSchedule({"pipeline_name": self._page.t("schedules.needs_pipeline")})
        definition = replace(
            self._begun,
            pipeline_name=name,
            name=fields["name"].text or None,
            trigger=trigger,
            expression=expression,
            timezone=timezone,
            params=self._params.read() if self._params is not None else {},
            overlap=fields["overlap"].value,
            missed=fields["missed"].value,
            catch_up_window=keep("catch_up_window", lambda text: parse_duration(text, "") if text else None),
            jitter=keep("jitter", lambda text: parse_duration(text, "") if text.strip("0") else 0.0) or 0.0,
            start_at=keep("start_at", lambda text: _instant(text, timezone)),
            end_at=keep("end_at", lambda text: _instant(text, timezone)),
            priority=keep("priority", lambda text: int(text or 0)) or 0,
        )
        if problems:
            raise InvalidSchedule(problems)
        return definition


def _form() -> ui.element:
    return ui.element("form").classes("run-form top").on("submit.prevent", lambda: None)


def _problem(error: Exception, page: Page, name: str) -> str:
    if isinstance(error, InvalidInput):
        return next(iter(error.fields.values()), error.message)
    return page.t(f"schedules.not_{'whole' if name == 'priority' else 'time'}")


def _instant(text: str, timezone: str) -> datetime | None:
    """On the clocks of the schedule's zone; one that is none the service refuses."""
    if not text:
        return None
    instant = datetime.fromisoformat(text)
    return instant if zone_problem(timezone) else instant.replace(tzinfo=load_zone(timezone))
