"""Computing an experiment: the runs that can be started, and how far the one is that is under way."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from fastflow.apps.churn.domain.chain import (
    DONE,
    DROPPED,
    FAILED_STEP,
    MATERIALIZE,
    RUNNING,
    WAITING,
    Chain,
    Step,
)
from fastflow.apps.churn.domain.experiment import PROCESSING, Experiment
from fastflow.apps.churn.domain.jobs import ALL, PIPELINES, Ask, current_run
from fastflow.apps.churn.errors import JobNotFound
from fastflow.apps.churn.service.chains import Chains
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.runs import ChurnRuns, Job
from fastflow.kit.identity import Actor, Role
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import lasting, pill, seconds
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts


def find_job(runs: ChurnRuns, experiment: Experiment, actor: Actor) -> Job | None:
    """The run that computes the experiment at present; None when there is none, or it is not known any more."""
    run_id = current_run(experiment) if experiment.status == PROCESSING else None
    if run_id is None:
        return None
    try:
        return runs.find(run_id, actor=actor)
    except JobNotFound:  # what takes results in is about to say so of the experiment
        return None


class Computing:
    """The part of an experiment's page.

    Args:
        page: where it is.
        runs: starts and ends runs.
        chains: the same of all steps.
        number: of the experiment.

    Attributes:
        changed: brings the page up to date after something was done.
    """

    def __init__(self, page: Page, runs: ChurnRuns, chains: Chains, number: int) -> None:
        self._page, self._runs, self._chains, self._number = page, runs, chains, number
        self.changed: Callable[[], Awaitable[None]] = _nothing
        self._job: Job | None = None
        self._goes_on = False
        t, may = page.t, page.may(Role.OPERATOR, GUARDED_BY)
        with ui.element("section").classes("card computing"):
            self._state = Fragment(Html(""))
            with ui.element("div").classes("card-body actions"):
                whole = t("experiments.compute_all")
                self._starts = [
                    button(page, whole, self._start_all, drawing="play", cls="primary", may=may),
                ]
                self._starts += [
                    button(page, t(f"experiments.compute_{name}"), self._start(name), drawing="play", may=may)
                    for name in PIPELINES
                ]
                self._cancel = button(page, t("experiments.cancel"), self._do_cancel, drawing="stop", may=may)

    def show(self, experiment: Experiment, job: Job | None) -> None:
        """Offer what fits: runs to start, or the one that goes on."""
        self._job, self._goes_on = job, experiment.step is not None
        steps = _steps(self._page.t, experiment.chain)
        self._state.show(_state(self._page.t, job, self._runs, steps))
        for start in self._starts:
            start.set_visibility(experiment.status != PROCESSING)
        self._cancel.set_visibility(job is not None or self._goes_on)

    def _start(self, pipeline: str) -> Callable[[], Awaitable[None]]:
        async def start() -> None:
            ask = Ask(pipeline=pipeline, windows={})
            await self._page.ask(self._runs.start, self._number, ask, actor=await self._page.who())
            await self.changed()

        return start

    async def _start_all(self) -> None:
        ask = Ask(pipeline=ALL, windows={})
        await self._page.ask(self._chains.start, self._number, ask, actor=await self._page.who())
        await self.changed()

    async def _do_cancel(self) -> None:
        t = self._page.t
        question, text = t("experiments.cancel_question"), t("experiments.cancel_text")
        if not await confirm(question, text, yes=t("experiments.cancel_yes"), no=t("experiments.cancel_no")):
            return
        if self._goes_on:
            await self._page.ask(self._chains.cancel, self._number, actor=await self._page.who())
            await self.changed()
        elif self._job is not None:
            await self._page.ask(self._runs.cancel, self._job.run.id, actor=await self._page.who())
            await self.changed()


async def _nothing() -> None:
    """Until the page says what follows a change."""


_KINDS = {WAITING: "still", RUNNING: "runs", DONE: "good", FAILED_STEP: "bad", DROPPED: "still"}


def _steps(t: Texts, chain: Chain | None) -> Html | None:
    """The row of steps; None: the last run was a single one."""
    if chain is None:
        return None
    return tag("ol", [_step(t, step) for step in chain.steps], cls="chain", aria_label=t("experiments.steps"))


def _step(t: Texts, step: Step) -> Html:
    name = t("experiments.materialize" if step.name == MATERIALIZE else f"experiments.compute_{step.name}")
    told = link(f"{BASE}/runs/{step.run_id}", name) if step.run_id else span(name)
    return tag("li", told, pill(_KINDS[step.status], t(f"experiments.step_is_{step.status}")))


def _state(t: Texts, job: Job | None, runs: ChurnRuns, steps: Html | None) -> Html:
    head = div(tag("h2", t("experiments.compute")), cls="card-head")
    if job is None:
        return join(head, div(steps or t("experiments.compute_about"), cls="card-body muted"))
    run = job.run
    share = (run.progress or {}).get("progress")
    percent = 100 * share if isinstance(share, int | float) else 0.0
    left = job.remaining_seconds(runs.now())
    told = div(
        link(f"{BASE}/runs/{run.id}", t("experiments.run_of", pipeline=run.pipeline_name)),
        Data(f" · {job.phase}") if job.phase else None,
        Data(f" · {percent:.0f} %"),
        join(Data(" · "), lasting(run.started_at, None)) if run.started_at else None,
        Data(" · ") if left is not None else None,
        t("experiments.left", time=seconds(left)) if left is not None else None,
        role="status",
    )
    bar = div(
        tag("i", style=f"width: {percent:.1f}%"),
        cls="meter runs",
        role="progressbar",
        aria_label=t("experiments.progress"),
        aria_valuenow=round(percent),
        aria_valuemin=0,
        aria_valuemax=100,
    )
    return join(head, div(told, bar, steps, cls="card-body"))
