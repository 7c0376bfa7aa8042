"""One run: where it is and why, its course, its log while it writes it, what it left, and what can be done with it."""

from datetime import UTC, datetime
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.failures.service import FailureService
from fastflow.kernel.flows.service import FlowService
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.log_service import LogService
from fastflow.kernel.runs.service import RunService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.parts import card, heading, kind_of, lasting, seconds, short, status, when
from fastflow.ui.rooms.runs.beside import Shown, put_beside
from fastflow.ui.rooms.runs.curves import Curves
from fastflow.ui.rooms.runs.in_flows import find_flows
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.log_view import LogView
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_KINDS = ("state", "progress", "metric", "output", "sample")


class RunPage:
    """Builds the page.

    Args:
        runs: the run, and what can be done with it.
        logs: what it left.
        failures: what changed before it failed.
        flows: tells which flow it belongs to.
    """

    def __init__(self, runs: RunService, logs: LogService, failures: FailureService, flows: FlowService) -> None:
        self._flows = flows
        self._runs = runs
        self._logs = logs
        self._failures = failures

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        run_id = page.params["run_id"]
        shown = await page.ask(self._look, run_id, page.actor)
        curves = Curves(self._runs, shown.run.id)
        await page.ask(curves.look, page.actor, shown.run)
        t = page.t
        ui.page_title(f"{shown.run.pipeline_name} · {t(f'status.{shown.run.reason or shown.run.status}')} · Fast-Flow")
        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, shown.run), cls="grow")
            actions = _Actions(page, self._runs, shown.run)
        note = Fragment(_note(t, shown))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                course = Fragment(_course(t, shown.run))
                LogView(t, shown.run.id).classes("below")
                measured = Fragment(curves.metrics(t) or Html(""), cls="below")
            beside = Fragment(put_beside(t, shown, curves))

        async def refresh() -> None:
            actor = await page.who()
            now = await page.ask(self._look, run_id, actor)
            await page.ask(curves.look, actor, now.run)
            head.show(_head(t, now.run))
            actions.show(now.run)
            note.show(_note(t, now))
            course.show(_course(t, now.run))
            beside.show(put_beside(t, now, curves))
            measured.show(curves.metrics(t) or Html(""))

        page.live(refresh, run_id=shown.run.id, kinds=_KINDS, every=None if shown.run.has_ended else 5.0)

    def _look(self, run_id: str, actor: Actor) -> Shown:
        run = self._runs.get(run_id, actor=actor)
        return Shown(
            run=run,
            flow=find_flows(self._flows, [run], actor).get(run.id),
            explanation=self._runs.explain(run.id, actor=actor),
            artifacts=self._logs.list_artifacts(actor, run.id) if run.has_ended else (),
            why=self._failures.why(run.id, actor=actor)
            if run.status is RunStatus.FAILED and run.reason != "cancelled"
            else None,
        )


class _Actions:
    """What can be done with the run as it is; made anew only when that changes."""

    def __init__(self, page: Page, runs: RunService, run: Run) -> None:
        self._page = page
        self._runs = runs
        self._run = run
        self._place = ui.element("div").classes("actions")
        with self._place:
            self._put()

    def show(self, run: Run) -> None:
        """Offer what fits the run now."""
        before, self._run = self._run, run
        if (before.status, before.not_before, before.cancel_requested_at) != (
            run.status, run.not_before, run.cancel_requested_at,
        ):  # fmt: skip
            self._place.clear()
            with self._place:
                self._put()

    def _put(self) -> None:
        page, run = self._page, self._run
        t, may = page.t, page.may(Role.OPERATOR, run.pipeline_name)
        if run.has_ended:
            exact = t("runs.rerun_exact")
            button(page, exact, self._rerun_exactly, drawing="again", may=may, title=t("runs.rerun_exact_about"))
            button(page, t("runs.rerun"), self._rerun, drawing="play", may=may, cls="primary")
            return
        if run.not_before is not None and run.status is RunStatus.PENDING:
            button(page, t("runs.hurry"), self._hurry, drawing="play", may=may)
        if run.cancel_requested_at is None:
            button(page, t("runs.cancel"), self._cancel, drawing="stop", may=may, cls="danger")

    async def _rerun(self) -> None:
        await self._repeat(is_exact=False)

    async def _rerun_exactly(self) -> None:
        await self._repeat(is_exact=True)

    async def _repeat(self, *, is_exact: bool) -> None:
        page = self._page
        made = await page.ask(self._runs.rerun, self._run.id, actor=await page.who(), exact=is_exact)
        page.go(f"/runs/{made.id}")

    async def _hurry(self) -> None:
        await self._page.ask(self._runs.hurry, self._run.id, actor=await self._page.who())

    async def _cancel(self) -> None:
        page, t = self._page, self._page.t
        if await confirm(t("runs.cancel_question"), t("runs.cancel_text"), yes=t("runs.cancel"), no=t("runs.keep")):
            after = await page.ask(self._runs.cancel, self._run.id, actor=await page.who())
            page.tell(t("runs.cancelling"))
            self.show(after)


def _head(t: Texts, run: Run) -> Html:
    copy = tag(
        "button", tag("code", short(run.id)), cls="muted", data_do="copy", data_text=run.id,
        title=t("runs.copy_id"), aria_label=t("runs.copy_id"),
    )  # fmt: skip
    name = quote(run.pipeline_name, safe="")
    return heading(
        Data(run.pipeline_name),
        status(t, run),
        copy,
        trail=[(f"{BASE}/runs", t("runs.title")), (f"{BASE}/pipelines/{name}", Data(run.pipeline_name))],
    )


def _note(t: Texts, shown: Shown) -> Html:
    """Why the run is where it is; of a success nothing has to be said, unless its log has a gap."""
    run = shown.run
    if run.status is RunStatus.SUCCESS and not run.reason_text:
        return Html("")
    text = run.reason_text if run.has_ended and run.reason_text else shown.explanation.text
    drawing = "alert" if kind_of(run) == "bad" else "clock"
    return div(icon(drawing), span(as_told(t, text)), cls=f"note {kind_of(run)}", role="status")


def _course(t: Texts, run: Run) -> Html:
    """How long the run waited, was prepared and ran: the time line of its state."""
    steps = [
        ("waits", t("runs.waited"), run.queued_at, run.claimed_at or run.finished_at),
        ("still", t("runs.set_up"), run.claimed_at, run.started_at or run.finished_at),
        (kind_of(run) if run.has_ended else "runs", t("runs.ran"), run.started_at, run.finished_at),
    ]
    now = datetime.now(UTC)
    lengths = [((end or now) - begin).total_seconds() if begin else 0.0 for _, _, begin, end in steps]
    whole = sum(lengths) or 1.0
    track = [
        tag("i", cls=kind, style=f"flex: {max(length / whole, 0.004):.4f}", title=seconds(length))
        for (kind, _, begin, _), length in zip(steps, lengths, strict=True)
        if begin is not None
    ]
    told = [
        tag("li", span(cls=f"dot {kind}"), label, lasting(begin, end), span(when(begin, "clock"), cls="muted"))
        for kind, label, begin, end in steps
        if begin is not None
    ]
    ended = (
        tag("li", span(cls="dot still"), t("runs.ended"), when(run.finished_at, "clock")) if run.finished_at else None
    )
    progress = _progress(t, run)
    return card(t("runs.course"), div(div(track, cls="track"), tag("ol", told, ended), cls="course"), progress)


def _progress(t: Texts, run: Run) -> Html | None:
    told = run.progress or {}
    share = told.get("progress")
    if not isinstance(share, int | float) or run.has_ended:
        return None
    step = told.get("step")
    percent = min(max(float(share), 0.0), 1.0) * 100
    return div(
        tag("p", t("runs.progress"), Data(f" {percent:.0f} %"), Data(f" · {step}") if step else None, cls="muted"),
        div(tag("i", style=f"width: {percent:.1f}%"), cls="meter runs"),
        cls="card-body",
    )
