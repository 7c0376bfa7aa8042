"""One experiment: its status, what it is made of, what came out, and what can be done with it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from nicegui import ui

from fastflow.apps.churn.domain.experiment import CREATED, PROCESSING, Experiment, chosen
from fastflow.apps.churn.pages.experiments.computing import Computing, find_job
from fastflow.apps.churn.pages.experiments.late_rows import LateCard
from fastflow.apps.churn.pages.experiments.live_log import LiveLog
from fastflow.apps.churn.pages.experiments.manifest import PATH
from fastflow.apps.churn.pages.experiments.outcome import figures_card, results_card
from fastflow.apps.churn.pages.experiments.words import (
    instant,
    number_in,
    path_of,
    state,
    trail,
    value_text,
    warned,
    window,
)
from fastflow.apps.churn.service.chains import Chains
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.experiments import Experiments, Removal
from fastflow.apps.churn.service.late import LateRows
from fastflow.apps.churn.service.materializing import Materializing
from fastflow.apps.churn.service.outbox import ExperimentBundles
from fastflow.apps.churn.service.runs import ChurnRuns, Job
from fastflow.kit.identity import Actor, Role
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, facts, heading, short, when
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_LOOK_SECONDS = 3.0


@dataclass(frozen=True)
class _Shown:
    experiment: Experiment
    results: Mapping[str, int]
    figures: Mapping[str, float]
    job: Job | None
    warnings: Sequence[str]


class ExperimentPage:
    """Builds the page.

    Args:
        experiments: the experiment, and what can be done with it.
        bundles: takes its results.
        materializing: puts its customers into tables of its own.
        runs: computes it.
        chains: computes it whole.
        late: what arrived after its data.
    """

    def __init__(
        self,
        experiments: Experiments,
        bundles: ExperimentBundles,
        materializing: Materializing,
        runs: ChurnRuns,
        chains: Chains,
        late: LateRows,
    ) -> None:
        self._experiments = experiments
        self._bundles = bundles
        self._materializing = materializing
        self._runs = runs
        self._chains = chains
        self._late = late

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, number = page.t, number_in(page.params)
        shown = await page.ask(self._look, number, page.actor)
        ui.page_title(f"{shown.experiment.experiment_name} · {t('experiments.title')} · Fast-Flow")
        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, shown.experiment), cls="grow")
            actions = _Actions(page, self._experiments, self._bundles, self._materializing, shown.experiment)
        note = Fragment(_note(t, shown))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                computing = Computing(page, self._runs, self._chains, number)
                computing.show(shown.experiment, shown.job)
                log = LiveLog(page)
                log.show(shown.job)
                figures = Fragment(figures_card(t, number, shown.figures), cls="below")
                results = Fragment(results_card(t, number, shown.results), cls="below")
                LateCard(page, self._late, number)
            beside = Fragment(_beside(t, shown.experiment))

        async def refresh() -> None:
            now = await page.ask(self._look, number, await page.who())
            head.show(_head(t, now.experiment))
            actions.show(now.experiment)
            computing.show(now.experiment, now.job)
            log.show(now.job)
            note.show(_note(t, now))
            figures.show(figures_card(t, number, now.figures))
            results.show(results_card(t, number, now.results))
            beside.show(_beside(t, now.experiment))

        actions.changed = computing.changed = refresh
        page.live(refresh, every=_LOOK_SECONDS)

    def _look(self, number: int, actor: Actor) -> _Shown:
        found = self._experiments.find(number, actor=actor)
        results = self._experiments.results(number, actor=actor)
        figures = self._experiments.figures(actor=actor).get(number, {})
        warnings = self._experiments.warnings(found, actor=actor)
        return _Shown(found, results, figures, find_job(self._runs, found, actor), warnings)


class _Actions:
    """What can be done with the experiment as it is."""

    def __init__(
        self,
        page: Page,
        experiments: Experiments,
        bundles: ExperimentBundles,
        materializing: Materializing,
        experiment: Experiment,
    ) -> None:
        self._page = page
        self._experiments = experiments
        self._bundles = bundles
        self._materializing = materializing
        self._number = experiment.experiment_id
        self.changed: Callable[[], Awaitable[None]] = _nothing
        t, may = page.t, page.may(Role.OPERATOR, GUARDED_BY)
        with ui.element("div").classes("actions"):
            self._change = button(page, t("experiments.change"), self._do_change, drawing="pencil", may=may)
            self._export = button(page, t("experiments.export"), self._do_export, drawing="download", may=may)
            self._fuse = button(page, t("experiments.materialize"), self._do_materialize, drawing="link", may=may)
            self._reset = button(page, t("experiments.reset"), self._do_reset, drawing="back", may=may)
            self._delete = button(
                page, t("experiments.delete"), self._do_delete, drawing="trash", cls="danger", may=may
            )
        self.show(experiment)

    def show(self, experiment: Experiment) -> None:
        """Offer what fits it now."""
        is_free = experiment.status != PROCESSING
        self._change.set_visibility(is_free)
        self._delete.set_visibility(is_free)
        self._export.set_visibility(is_free and experiment.status != CREATED)
        self._fuse.set_visibility(is_free and experiment.status != CREATED)
        self._reset.set_visibility(is_free and experiment.status != CREATED)

    async def _do_change(self) -> None:
        self._page.go(f"{path_of(self._number)}/change")

    async def _do_export(self) -> None:
        page = self._page
        made = await page.ask(self._bundles.export, self._number, actor=await page.who())
        page.tell(page.t.count("experiments.exported", len(made)))

    async def _do_materialize(self) -> None:
        page = self._page
        done = await page.ask(self._materializing.materialize, self._number, actor=await page.who())
        page.tell(page.t("experiments.materialized", churn=done.churn_rows, cox=done.cox_rows, view=done.view))
        await self.changed()

    async def _do_reset(self) -> None:
        page, t = self._page, self._page.t
        _, would = await page.ask(self._experiments.reset, self._number, actor=await page.who(), dry_run=True)
        if await confirm(
            t("experiments.reset_question"), _told(t, would), yes=t("experiments.reset"), no=t("experiments.keep")
        ):
            await page.ask(self._experiments.reset, self._number, actor=await page.who())
            await self.changed()

    async def _do_delete(self) -> None:
        page, t = self._page, self._page.t
        would = await page.ask(self._experiments.delete, self._number, actor=await page.who(), dry_run=True)
        if await confirm(
            t("experiments.delete_question"), _told(t, would), yes=t("experiments.delete"), no=t("experiments.keep")
        ):
            await page.ask(self._experiments.delete, self._number, actor=await page.who(), cascade=True)
            page.go(PATH)


async def _nothing() -> None:
    """Until the page says what follows a change."""


def _told(t: Texts, removal: Removal) -> Html:
    rows = [
        tag("tr", tag("td", Data(name)), tag("td", Data(f"{count:,}"), cls="right number"))
        for name, count in removal.rows.items()
    ]
    if not rows:
        return span(t("experiments.nothing_goes"))
    told = t.count("experiments.goes", sum(removal.rows.values()))
    listed = tag("table", tag("tbody", rows), cls="list")
    return join(span(told), div(listed, cls="scrolled goes", tabindex="0", role="region", aria_label=told))


def _head(t: Texts, experiment: Experiment) -> Html:
    told = Data(f"#{experiment.experiment_id}")
    return heading(
        Data(experiment.experiment_name), state(t, experiment), trail=trail(t), under=span(told, cls="number")
    )


def _note(t: Texts, shown: _Shown) -> Html:
    reason = shown.experiment.reason
    failed = div(icon("alert"), span(as_told(t, reason)), cls="note bad", role="status") if reason else None
    return join(failed, warned(t, shown.warnings))


def _beside(t: Texts, experiment: Experiment) -> Html:
    files = [
        join(Data(", ") if place else None, link(f"{BASE}/churn/files/{number}", Data(f"#{number}")))
        for place, number in enumerate(experiment.id_files)
    ]
    runs = [
        div(span(Data(f"{name} ")), link(f"{BASE}/runs/{run}", short(run), cls="mono"))
        for name, run in experiment.runs.items()
    ]
    told: list[tuple[Phrase | Data, Html | Data | None]] = [
        (t("experiments.training"), window(experiment.training)),
        (t("experiments.backtest"), window(experiment.backtest)),
        (t("experiments.model_type"), Data(experiment.model_type)),
        (t("experiments.feature_set"), Data(experiment.feature_set)),
        (t("experiments.files"), join(files) if files else None),
        (t("experiments.as_of"), when(instant(experiment.as_of)) if experiment.as_of else None),
        (t("experiments.data"), span(Data(experiment.data_fingerprint[:12]), cls="mono") if files else None),
        (t("experiments.runs"), join(runs) if runs else None),
        (t("experiments.created"), when(instant(experiment.created_at))),
        (t("experiments.processed"), when(instant(experiment.processed_at))),
    ]
    own = [(Data(name), value_text(value)) for name, value in chosen(experiment).items()]
    every = [(Data(name), value_text(value)) for name, value in experiment.hyperparameters.items()]
    return join(
        card(t("experiments.made_of"), facts(told)),
        card(
            t("experiments.settings"),
            facts(own) if own else div(t("experiments.all_usual"), cls="card-body muted"),
            tag("details", tag("summary", t("experiments.all_settings")), facts(every), cls="card-body"),
            cls="below",
        ),
    )
