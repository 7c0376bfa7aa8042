"""How a flow, a step and their numbers look."""

import re
from collections.abc import Iterable
from urllib.parse import quote

from fastflow.kernel.flows.domain.flow import Counts, Flow, FlowStatus, Step, StepState
from fastflow.kernel.flows.ports import FlowView
from fastflow.ui.hints import Told, as_told
from fastflow.ui.manifest import BASE
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.parts import pill
from fastflow.ui.texts import Phrase, Texts

_COMMAND = re.compile(r"[:;] `fastflow [^`]*`[^.;]*")
_COMMAND_SENTENCE = re.compile(r"(?<=\.) `fastflow [^`]*`[^.]*\.")
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{4}([0-9a-f]{8})\b")

KINDS = {
    StepState.WAITING: "still",
    StepState.APPROVAL: "waits",
    StepState.RUNNING: "runs",
    StepState.SUCCESS: "good",
    StepState.FAILED: "bad",
    StepState.SKIPPED: "still",
}
"""The colour of a step's state; an element's states are among them."""
_KINDS_OF_FLOWS = {FlowStatus.RUNNING: "runs", FlowStatus.SUCCESS: "good", FlowStatus.FAILED: "bad"}


def flow_state(t: Texts, flow: Flow) -> Html:
    """Where a flow is; one that was cancelled is nobody's failure."""
    if flow.cancel_requested_at is not None and flow.status is not FlowStatus.SUCCESS:
        is_over = flow.status is FlowStatus.FAILED
        return pill("still", t("status.cancelled" if is_over else "flows.cancelling"))
    return pill(_KINDS_OF_FLOWS[flow.status], t(f"status.{flow.status}"))


def step_state(t: Texts, state: str) -> Html:
    """Where a step or an element is."""
    return pill(KINDS[StepState(state)], t(f"flows.state_{state}"))


def asked(view: FlowView) -> list[Step]:
    """Its steps that wait for somebody's decision."""
    return [step for step in view.steps if step.state is StepState.APPROVAL]


def told(t: Texts, text: str) -> Told:
    """What the service says, without the commands that do what pages have buttons for; of ids the end alone."""
    return as_told(t, _ID.sub(r"\1", _COMMAND_SENTENCE.sub("", _COMMAND.sub("", text))))


def step_path(flow: Flow, step: str) -> str:
    """Where the runs of a step are listed."""
    return f"{BASE}/flows/{flow.id}/steps/{quote(step, safe='')}"


def numbers(t: Texts, counts: Counts, *, is_short: bool = False) -> Phrase:
    """How far many runs are, in words; in few, where there is little room."""
    ended = counts.success + counts.failed + counts.skipped
    if counts.failed:
        key = "flows.in_box_failed" if is_short else "flows.ended_failed"
        return t(key, n=ended, total=counts.total, failed=counts.failed)
    return t("flows.ended_of", n=ended, total=counts.total)


def meter(t: Texts, counts: Counts) -> Html:
    """How far many runs are, as a bar: what succeeded, what failed, what runs."""
    whole = max(counts.total, 1)
    parts: Iterable[tuple[str, int]] = (
        ("good", counts.success),
        ("bad", counts.failed),
        ("still", counts.skipped),
        ("runs", counts.running),
    )
    bars = [tag("i", cls=kind, style=f"width: {100 * count / whole:.2f}%") for kind, count in parts if count]
    label = numbers(t, counts)
    return div(
        div(bars, cls="meter parts", role="img", aria_label=label), span(label, cls="muted small"), cls="progress"
    )
