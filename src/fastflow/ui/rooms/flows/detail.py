"""One flow or backfill: where each step is and why, what waits for a decision, and what can be done with it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from nicegui import ui

from fastflow.kernel.flows.domain.explaining import explain_flow, path_of
from fastflow.kernel.flows.domain.flow import Flow, Step
from fastflow.kernel.flows.ports import FlowView
from fastflow.kernel.flows.service import FlowService
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor
from fastflow.ui.icons import icon
from fastflow.ui.markup import Child, Html, div, join, link, span, tag
from fastflow.ui.parts import card, data_text, facts, heading, lasting, short, when
from fastflow.ui.rooms.flows.actions import Actions
from fastflow.ui.rooms.flows.approvals import Approvals
from fastflow.ui.rooms.flows.graph import draw
from fastflow.ui.rooms.flows.pieces import asked, flow_state, meter, step_path, step_state, told
from fastflow.ui.rooms.flows.table import trigger
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_LOOK_SECONDS = 5.0
_RANGE = ("since", "until", "step", "timezone", "order", "throttle", "max_failures")
_KINDS = {"SUCCESS": "good", "FAILED": "bad"}


class FlowPage:
    """Builds the page.

    Args:
        flows: the flow, and what can be done with it.
        clock: tells how long it has taken.
    """

    def __init__(self, flows: FlowService, clock: Clock) -> None:
        self._flows = flows
        self._clock = clock

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, flow_id = page.t, page.params["flow_id"]
        view = await page.ask(self._look, flow_id, page.actor)
        ui.page_title(f"{view.flow.name} · {t('flows.one_title')} · Fast-Flow")
        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, view), cls="grow")
            actions = Actions(page, self._flows, view)
        note = Fragment(_note(t, view))
        approvals = Approvals(page, self._flows, view)
        with ui.element("div").classes("columns"):
            middle = Fragment(self._middle(t, view))
            beside = Fragment(_beside(t, view))

        def show(now: FlowView) -> None:
            head.show(_head(t, now))
            actions.show(now)
            note.show(_note(t, now))
            approvals.show(now)
            middle.show(self._middle(t, now))
            beside.show(_beside(t, now))

        async def refresh() -> None:
            show(await page.ask(self._look, flow_id, await page.who()))

        page.live(refresh, every=_LOOK_SECONDS)

    def _look(self, flow_id: str, actor: Actor) -> FlowView:
        return self._flows.get(flow_id, actor=actor)

    def _middle(self, t: Texts, view: FlowView) -> Html:
        critical = _critical(view, self._clock.now())
        return join(draw(t, view, critical), _steps(t, view, critical))


def _critical(view: FlowView, now: datetime) -> Collection[str]:
    """The chain of steps that takes longest; of a single step nothing is said."""
    path, _ = path_of(view.steps, now)
    return path if len(path) > 1 else ()


def _head(t: Texts, view: FlowView) -> Html:
    flow = view.flow
    copy = tag(
        "button", tag("code", short(flow.id)), cls="muted", data_do="copy", data_text=flow.id, title=t("flows.copy_id"),
        aria_label=t("flows.copy_id"),
    )  # fmt: skip
    attempt = span(t("flows.attempt_n", n=flow.attempt), cls="muted small") if flow.attempt > 1 else None
    title = t("flows.backfill_of", name=flow.name) if flow.kind == "backfill" else Data(flow.name)
    return heading(title, flow_state(t, flow), attempt, copy, trail=[(_list_of(flow), t("flows.title"))])


def _list_of(flow: Flow) -> str:
    return f"{BASE}/flows?kind=backfill" if flow.kind == "backfill" else f"{BASE}/flows"


def _note(t: Texts, view: FlowView) -> Html:
    """Where it is and why, in words."""
    flow = view.flow
    is_cancelled = flow.cancel_requested_at is not None
    kind = "still" if is_cancelled else "waits" if asked(view) else _KINDS.get(flow.status, "runs")
    drawing = {"good": "check", "bad": "alert"}.get(kind, "clock")
    return div(icon(drawing), span(told(t, explain_flow(flow, view.steps))), cls=f"note {kind}", role="status")


def _steps(t: Texts, view: FlowView, critical: Collection[str]) -> Html:
    head = [
        tag("th", t("flows.step"), scope="col"),
        tag("th", t("flows.state"), scope="col"),
        tag("th", t("flows.why"), scope="col"),
        tag("th", t("flows.duration"), scope="col", cls="right"),
        tag("th", t("flows.run"), scope="col"),
    ]
    rows = [_step(t, view, step, is_critical=step.name in critical) for step in view.steps]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), cls="list stacks")
    return card(t("flows.steps"), div(table, cls="table-wrap"), cls="below")


def _step(t: Texts, view: FlowView, step: Step, *, is_critical: bool) -> Html:
    counts = view.counts.get(step.name)
    run_id = view.run_ids.get(step.name)
    longest = span(t("flows.critical"), cls="muted small", title=t("flows.critical_about")) if is_critical else None
    way: Child = link(f"{BASE}/runs/{run_id}", tag("code", short(run_id))) if run_id else Data("–")
    if step.is_fan_out or step.attempt > 1:
        way = link(step_path(view.flow, step.name), t("flows.all_runs"), cls="underlined")
    decided = step.decided_by and div(
        t("flows.decided", by=step.decided_by), Data(f": {step.note}") if step.note else None, cls="muted small"
    )
    return tag(
        "tr",
        tag("td", div(tag("strong", Data(step.name)), longest, cls="pair")),
        tag("td", step_state(t, step.state)),
        tag(
            "td", div(told(t, step.why), cls="muted wraps"), decided or None,
            meter(t, counts) if step.is_fan_out and counts else None,
        ),
        tag("td", lasting(step.started_at, step.finished_at), cls="right"),
        tag("td", way),
    )  # fmt: skip


def _beside(t: Texts, view: FlowView) -> Html:
    flow = view.flow
    rows: list[tuple[Phrase | Data, Child]] = [
        (t("flows.started_by"), trigger(t, flow.trigger)),
        (t("flows.by"), Data(flow.submitted_by)),
        (t("flows.begun"), when(flow.created_at, "exact")),
        (t("flows.duration"), lasting(flow.created_at, flow.finished_at)),
        (t("flows.attempt"), Data(flow.attempt) if flow.attempt > 1 else None),
        (t("flows.priority"), Data(flow.priority) if flow.priority else None),
        (t("flows.cancelled_by"), Data(flow.cancel_requested_by) if flow.cancel_requested_by else None),
        (t("flows.cancel_reason"), Data(flow.cancel_reason) if flow.cancel_reason else None),
    ]
    detail = flow.detail if flow.kind == "backfill" else {}
    asked_for = [(t(f"flows.range_{name}"), _value(detail.get(name))) for name in _RANGE]
    given = flow.detail.get("params", {}) if flow.kind == "backfill" else flow.params
    params = [(Data(name), _value(value)) for name, value in given.items()]
    return join(
        card(t("flows.details"), facts(rows)),
        card(t("flows.range"), facts(asked_for)) if detail else None,
        card(t("flows.params"), facts(params)) if params else None,
    )


def _value(value: Any) -> Html | None:
    return None if value in (None, "") else tag("code", Data(data_text(value)))
