"""A flow and its steps in words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fastflow.kernel.flows.domain.flow import Flow, FlowStatus, Step, StepState
from fastflow.kernel.flows.domain.graph import Span, critical_path
from fastflow.kit.words import counted

_NAMED = 5


def explain_flow(flow: Flow, steps: Sequence[Step]) -> str:
    """Where the flow is, why, and what comes next: one or two sentences, and one for each pipeline that it may lack."""
    told = [_explain(flow, steps)]
    if flow.kind == "flow":
        told += [f"Warning: {_clause(warning)}." for warning in flow.detail.get("warnings", ())]
    elif "to_run" in flow.detail:
        told.append(f"At its beginning: {describe_backfill(flow.detail)}.")
    return " ".join(told)


def describe_backfill(plan: Mapping[str, Any]) -> str:
    """How much of a backfill is to run, and how much earlier ones leave out.

    >>> describe_backfill({"to_run": 0, "done_already": 3, "under_way_already": 0, "done_by": ["0199"]})
    '0 to run, 3 done already (by backfill 0199)'
    """
    told = f"{plan['to_run']} to run"
    if plan["done_already"]:
        told += f", {plan['done_already']} done already"
    if plan["under_way_already"]:
        told += f", {plan['under_way_already']} under way already"
    if plan["done_by"]:
        several = "backfill" if len(plan["done_by"]) == 1 else "backfills"
        told += f" (by {several} {', '.join(plan['done_by'][:_NAMED])})"
    return told


def _explain(flow: Flow, steps: Sequence[Step]) -> str:
    what = flow.kind
    if flow.status is FlowStatus.SUCCESS:
        skipped = [step for step in steps if step.state is StepState.SKIPPED]
        told = f", {counted(len(skipped), 'step')} skipped" if skipped else ""
        if what == "backfill" and steps:
            return f"The backfill ended with success: {_clause(steps[0].why)}."
        return f"The {what} ended with success: {counted(len(steps), 'step')}{told}."
    if flow.status is FlowStatus.FAILED:
        again = (
            f"fastflow backfill resume {flow.id}"
            if what == "backfill"
            else f"fastflow flows rerun {flow.id} --from-failed"
        )
        told = f"The {what} failed: {flow.reason_text or 'it did not say why'}"
        if flow.cancel_requested_at is not None:
            told = _sentence(flow.reason_text or f"the {what} was cancelled")
            if what == "backfill" and steps:
                told += f"; {steps[0].why}"
        return f"{_clause(told)}. `{again}` runs what did not succeed again."
    if flow.cancel_requested_at is not None:
        return f"The {what} is being cancelled; it ends when its running runs have ended."
    if what == "backfill" and steps:
        return f"The backfill is under way: {_clause(steps[0].why)}."
    asked = [step for step in steps if step.state is StepState.APPROVAL]
    running = [step for step in steps if step.state is StepState.RUNNING]
    ended = sum(step.state.is_final for step in steps)
    text = f"The {what} is under way: {ended} of {counted(len(steps), 'step')} have ended"
    if running:
        text += f"; {_names(running)} {'runs' if len(running) == 1 else 'run'}"
    if asked:
        text += f"; {_names(asked)} {'waits' if len(asked) == 1 else 'wait'} for approval: `fastflow flows approve {flow.id} {asked[0].name}`"
    return text + "."


def explain_step(step: Step) -> str:
    """Why the step is in its state, as a sentence."""
    head = {
        StepState.WAITING: "waits",
        StepState.APPROVAL: "waits for approval",
        StepState.RUNNING: "runs",
        StepState.SUCCESS: "succeeded",
        StepState.FAILED: "failed",
        StepState.SKIPPED: "was skipped",
    }[step.state]
    return f"{step.name} {head}: {_clause(step.why)}."


def path_of(steps: Sequence[Step], now: datetime) -> tuple[Sequence[str], float]:
    """The chain of steps that took longest up to now, and its seconds."""
    names = {step.name for step in steps}
    spans: Mapping[str, Span] = {
        step.name: Span(
            upstreams=[name for name in step.upstreams if name in names], seconds=seconds_of(step, now) or 0.0
        )
        for step in steps
    }
    path, seconds = critical_path(spans)
    begun = {step.name for step in steps if step.started_at is not None}
    return [name for name in path if name in begun], seconds


def seconds_of(step: Step, now: datetime) -> float | None:
    """How long the step took, or has taken so far; None when it has not begun."""
    if step.started_at is None:
        return None
    return max(0.0, ((step.finished_at or now) - step.started_at).total_seconds())


def _names(steps: Sequence[Step]) -> str:
    more = f" and {len(steps) - _NAMED} more" if len(steps) > _NAMED else ""
    return ", ".join(step.name for step in steps[:_NAMED]) + more


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _clause(text: str) -> str:
    return text.rstrip(".")
