"""One pipeline: the form that runs it, its last runs, what is wrong with it, and how it is set up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, urlencode

from nicegui import ui

from fastflow.kernel.environments.domain.environment import EnvironmentCard, Readiness
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.domain.source import UnreadableFile
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.service import RunService
from fastflow.kernel.schedules.ports import ScheduleFilter
from fastflow.kernel.schedules.service import ScheduleService
from fastflow.kernel.schedules.service.schedules import ScheduleView
from fastflow.kernel.secrets.domain.records import Secret
from fastflow.kernel.secrets.service import SecretService
from fastflow.kernel.webhooks.domain.webhook import Webhook
from fastflow.kernel.webhooks.service import WebhookService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.charts import Curve, chart
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Child, Html, div, join, link, span, tag
from fastflow.ui.parts import card, empty, facts, heading, lasting, seconds, short, size, status, when
from fastflow.ui.rooms.pipelines.environment import find_environment, put_environment
from fastflow.ui.rooms.pipelines.form import RunForm
from fastflow.ui.rooms.pipelines.graph import Graph, draw, graph_around
from fastflow.ui.rooms.pipelines.manifest import FindCard, States
from fastflow.ui.rooms.pipelines.planned import find_secrets, schedules_card, secrets_card, webhooks_card
from fastflow.ui.rooms.pipelines.readme import MAX_BYTES, render
from fastflow.ui.rooms.pipelines.table import LAST, spark, state, success_rate, typical
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_JUDGED = 100
"""The last runs that rates and trends are made of."""


@dataclass(frozen=True, kw_only=True)
class _Shown:
    pipeline: Pipeline
    readiness: Readiness | None
    runs: Sequence[Run]
    schedules: Sequence[ScheduleView]
    webhooks: Sequence[Webhook]
    secrets: Mapping[str, Secret | None]
    environment: EnvironmentCard | None
    graph: Graph | None
    readme: Html | None


class PipelinePage:
    """Builds the page.

    Args:
        catalog: the pipelines.
        states: how far their environments are.
        find_card: tells of an environment.
        runs: their runs, and how to start one.
        schedules: when they start by themselves.
        secrets: which they are given.
        webhooks: what other systems start them by.
    """

    def __init__(
        self,
        catalog: PipelineCatalog,
        states: States,
        find_card: FindCard,
        runs: RunService,
        schedules: ScheduleService,
        secrets: SecretService,
        webhooks: WebhookService,
    ) -> None:
        self._catalog = catalog
        self._states = states
        self._find_card = find_card
        self._readmes: dict[str, tuple[bytes, Html]] = {}
        self._runs = runs
        self._schedules = schedules
        self._secrets = secrets
        self._webhooks = webhooks

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, name = page.t, page.params["name"]
        shown = await page.ask(self._look, name, page.actor)
        ui.page_title(f"{shown.pipeline.name} · Fast-Flow")
        head = Fragment(_head(t, shown))
        faults = Fragment(_faults(t, shown.pipeline))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                if shown.pipeline.workbench is not None:
                    Fragment(_shipped(t, shown.pipeline.workbench))
                elif shown.pipeline.is_healthy:
                    may = page.may(Role.OPERATOR, name)
                    with ui.element("section").classes("card"):
                        Fragment(div(tag("h2", t("pipelines.run_card")), cls="card-head"))
                        RunForm(page, self._runs, shown.pipeline, may=may)
                        if shown.pipeline.daemon is None and may:
                            Fragment(_over_the_past(t, name), cls="card-body")
                runs = Fragment(_runs(t, shown), cls="below")
                about = Fragment(_about(t, shown), cls="below")
            beside = Fragment(_beside(page, shown))

        async def refresh() -> None:
            now = await page.ask(self._look, name, await page.who())
            head.show(_head(t, now))
            faults.show(_faults(t, now.pipeline))
            runs.show(_runs(t, now))
            about.show(_about(t, now))
            beside.show(_beside(page, now))

        page.live(refresh, pipeline_name=name)

    def _look(self, name: str, actor: Actor) -> _Shown:
        actor.require_pipeline(name)
        pipelines = self._catalog.list()
        pipeline = next((one for one in pipelines if one.name == name), None) or self._catalog.get(name)
        readiness = self._states([pipeline]).get(name)
        return _Shown(
            pipeline=pipeline,
            readiness=readiness,
            runs=self._runs.list(RunFilter(pipeline_name=name), actor=actor, limit=_JUDGED).items,
            schedules=self._schedules.list(ScheduleFilter(pipeline_name=name), actor=actor).items,
            webhooks=self._webhooks.list(name, actor=actor).items,
            secrets=find_secrets(self._secrets, pipeline, actor),
            environment=find_environment(readiness, self._find_card),
            graph=graph_around(name, pipelines, actor.may_touch),
            readme=self._readme(name),
        )

    def _readme(self, name: str) -> Html | None:
        """Rendered again only when it has changed."""
        files = self._catalog.files_of(name)
        path = next((path for path in sorted(files.paths) if path.lower() == "readme.md"), None)
        if path is None:
            return None
        try:
            data = files.read_begin(path, MAX_BYTES)
        except UnreadableFile:
            return None
        known = self._readmes.get(name)
        if known is None or known[0] != data:
            known = self._readmes[name] = (data, render(data.decode("utf-8", "replace")))
        return known[1]


def _about(t: Texts, shown: _Shown) -> Html:
    graph = draw(t, shown.pipeline.name, shown.graph) if shown.graph else None
    readme = card(t("pipelines.readme"), div(shown.readme, cls="card-body prose")) if shown.readme else None
    return join(graph, readme)


def _head(t: Texts, shown: _Shown) -> Html:
    pipeline = shown.pipeline
    tags = div([span(Data(each), cls="tag") for each in pipeline.tags], cls="tags") if pipeline.tags else None
    return heading(
        Data(pipeline.name),
        state(t, pipeline, shown.readiness),
        tags,
        trail=[(f"{BASE}/pipelines", t("pipelines.title"))],
        under=Data(pipeline.description) if pipeline.description else None,
    )


def _over_the_past(t: Texts, name: str) -> Html:
    path = f"{BASE}/flows/-/backfill?{urlencode({'pipeline': name})}"
    return link(path, t("pipelines.backfill"), cls="underlined", title=t("pipelines.backfill_about"))


def _shipped(t: Texts, workbench: str) -> Html:
    return div(icon("pipelines"), div(tag("p", t("pipelines.shipped_with", name=workbench))), cls="note")


def _faults(t: Texts, pipeline: Pipeline) -> Html:
    return join([_fault(t, fault) for fault in pipeline.faults])


def _fault(t: Texts, fault: Fault) -> Html:
    kind = "bad" if fault.severity == "error" else "waits"
    return div(
        icon("alert"),
        div(
            tag("p", as_told(t, fault.message)),
            tag("p", tag("code", Data(fault.place)), Data(" · "), as_told(t, fault.hint), cls="muted"),
        ),
        cls=f"note {kind}",
    )


def _runs(t: Texts, shown: _Shown) -> Html:
    name = shown.pipeline.name
    if not shown.runs:
        return card(t("pipelines.runs"), empty("runs", t("pipelines.no_runs")))
    rows = [_run(t, run) for run in shown.runs[:10]]
    everything = link(f"{BASE}/runs?pipeline={name}", t("pipelines.all_runs"))
    return card(t("pipelines.runs"), div(rows, cls="rows"), aside=everything)


def _run(t: Texts, run: Run) -> Html:
    return link(
        f"{BASE}/runs/{run.id}",
        span(status(t, run), style="min-width: 118px"),
        span(tag("code", short(run.id), cls="muted"), cls="main wide-only"),
        span(lasting(run.started_at, run.finished_at), cls="side", style="margin-left: auto"),
        span(when(run.queued_at), cls="side", style="min-width: 92px; text-align: right"),
        cls="row",
    )


def _beside(page: Page, shown: _Shown) -> Html:
    t, pipeline = page.t, shown.pipeline
    source = link(f"{BASE}/pipelines/{quote(pipeline.name, safe='')}/source", t("source.title"))
    return join(
        _statistics(t, pipeline, shown.runs) if shown.runs else None,
        schedules_card(page, pipeline, shown.schedules),
        webhooks_card(page, pipeline.name, shown.webhooks),
        secrets_card(t, pipeline, shown.secrets),
        put_environment(t, pipeline, shown.readiness, shown.environment),
        card(t("pipelines.settings"), facts(_settings(t, pipeline)), aside=source),
    )


def _statistics(t: Texts, pipeline: Pipeline, runs: Sequence[Run]) -> Html:
    good = [run for run in reversed(runs) if run.status is RunStatus.SUCCESS and run.started_at and run.finished_at]
    trend = None
    if len(good) > 1:
        begin = good[0].queued_at
        points = [
            ((run.queued_at - begin).total_seconds(), (run.finished_at - run.started_at).total_seconds())
            for run in good
            if run.finished_at and run.started_at
        ]
        curve = Curve(
            name=t("pipelines.trend"),
            points=points,
            show=seconds,
            show_time=lambda at: f"{begin + timedelta(seconds=at):%Y-%m-%d}",
            from_zero=True,
        )
        trend = div(chart(t, curve), cls="charts")
    told = facts(
        [
            (t("pipelines.success"), span(Data(success_rate(pipeline, runs)), cls="number")),
            (t("pipelines.typical"), span(Data(typical(runs)), cls="number")),
            (t("pipelines.judged"), span(Data(len(runs)), cls="number")),
        ]
    )
    return card(t("pipelines.recent"), div(spark(t, runs[:LAST]), trend, told, cls="statistics"))


def _settings(t: Texts, pipeline: Pipeline) -> Sequence[tuple[Phrase | Data, Child]]:
    def code(text: str | None) -> Child:
        return tag("code", Data(text)) if text else None

    def length(value: float | None) -> Child:
        return Data(seconds(value)) if value is not None else None

    limits, at_once = pipeline.limits, pipeline.concurrency
    return [
        (t("pipelines.script"), code(pipeline.script)),
        (t("pipelines.python"), code(pipeline.python)),
        (t("pipelines.dependencies"), code(pipeline.dependencies) if pipeline.dependencies != "none" else None),
        (t("pipelines.repository"), code(pipeline.repository)),
        (t("pipelines.workbench"), code(pipeline.workbench)),
        (t("pipelines.commit"), code(pipeline.commit[:10] if pipeline.commit else None)),
        (t("pipelines.executor"), code(pipeline.executor)),
        (t("pipelines.timeout"), length(pipeline.run_timeout)),
        (t("pipelines.idle_timeout"), length(pipeline.idle_timeout)),
        (t("pipelines.memory"), size(limits.memory_bytes) if limits.memory_bytes else None),
        (t("pipelines.cpus"), Data(f"{limits.cpus:g}") if limits.cpus else None),
        (t("pipelines.at_once"), Data(at_once.limit) if at_once.limit else None),
        (t("pipelines.retries"), Data(pipeline.retry.max_retries) if pipeline.retry else None),
        (t("pipelines.network"), t("pipelines.network_on") if pipeline.network else t("pipelines.network_off")),
    ]  # fmt: skip
