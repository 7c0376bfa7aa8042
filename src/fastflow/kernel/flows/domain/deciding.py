"""What becomes of a step, decided by its upstreams' states and what they told. Pure; asked inside the transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastflow.kernel.flows.domain.after import After
from fastflow.kernel.flows.domain.expressions import MISSING, evaluate
from fastflow.kernel.flows.domain.flow import Counts, FlowStatus, Step, StepState
from fastflow.kernel.flows.domain.references import OWN_FACTS, PARAMS, follow, split_reference
from fastflow.kit.words import counted

Move = Literal["wait", "start", "skip"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of a waiting step.

    Attributes:
        why: one sentence.
    """

    move: Move
    why: str


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an upstream left to those after it.

    Attributes:
        facts: status, reason, exit_code, run_id.
        outputs: name -> value.
    """

    facts: Mapping[str, Any]
    outputs: Mapping[str, Any]


Ask = Callable[[str], Told]
"""Gives what a step of the flow told."""


def make_resolver(after: After, params: Mapping[str, Any], ask: Ask, item: Any = MISSING) -> Callable[[str], Any]:
    """What references of the step stand for.

    Args:
        after: the step's place.
        params: of the flow.
        ask: called once for each upstream that is referred to.
        item: the element at hand.
    """
    known: dict[str, Told] = {}

    def resolve(text: str) -> Any:
        head, path = split_reference(text, after.pipelines)
        if head == PARAMS:
            return follow(params, path)
        if head not in after.pipelines:
            return item if item is MISSING else follow(item, path)
        if head not in known:
            known[head] = ask(head)
        told = known[head]
        if path[0] in OWN_FACTS:
            return told.facts.get(path[0], MISSING) if len(path) == 1 else MISSING
        if path[0] == "outputs" and len(path) > 1:
            return follow(told.outputs, path[1:])
        return follow(told.outputs, path)

    return resolve


def decide(step: Step, steps: Mapping[str, Step], resolve: Callable[[str], Any]) -> Verdict:
    """What becomes of a waiting step.

    Args:
        step: it.
        steps: all of the flow, by name.
        resolve: what its references stand for.
    """
    assert step.after is not None
    missing = [name for name in step.upstreams if name not in steps]
    if missing:
        return Verdict(move="skip", why=_not_in_flow(missing, step))
    upstreams = [steps[name] for name in step.upstreams]
    return {"all": _all, "any": _any, "always": _always}[step.after.join](step, upstreams, resolve)


def _all(step: Step, upstreams: Sequence[Step], resolve: Callable[[str], Any]) -> Verdict:
    bad = [up for up in upstreams if up.state in (StepState.FAILED, StepState.SKIPPED)]
    if bad:
        return Verdict(move="skip", why=f"its upstream {bad[0].name} {_ended(bad[0])}; it runs when all succeed")
    waiting = [up for up in upstreams if up.state is not StepState.SUCCESS]
    if waiting:
        return Verdict(move="wait", why=_waits(waiting))
    return _by_condition(step, resolve, "every upstream succeeded")


def _any(step: Step, upstreams: Sequence[Step], resolve: Callable[[str], Any]) -> Verdict:
    good = [up for up in upstreams if up.state is StepState.SUCCESS]
    waiting = [up for up in upstreams if not up.state.is_final]
    if good:
        verdict = _by_condition(step, resolve, f"its upstream {good[0].name} succeeded")
        if verdict.move == "start" or not waiting:
            return verdict
        return Verdict(move="wait", why=f"{verdict.why}; {_waits(waiting)}")
    if waiting:
        return Verdict(move="wait", why=_waits(waiting))
    told = "; ".join(f"{up.name} {_ended(up)}" for up in upstreams[:5])
    return Verdict(move="skip", why=f"none of its upstreams succeeded: {told}")


def _always(step: Step, upstreams: Sequence[Step], resolve: Callable[[str], Any]) -> Verdict:
    waiting = [up for up in upstreams if not up.state.is_final]
    if waiting:
        return Verdict(move="wait", why=_waits(waiting))
    return _by_condition(step, resolve, "every upstream has ended")


def _by_condition(step: Step, resolve: Callable[[str], Any], why: str) -> Verdict:
    assert step.after is not None
    if step.after.when is None:
        return Verdict(move="start", why=why)
    outcome = evaluate(step.after.when, resolve)
    return Verdict(move="start" if outcome.holds else "skip", why=outcome.why)


def _waits(waiting: Sequence[Step]) -> str:
    told = ", ".join(f"{up.name} ({_WORDS[up.state]})" for up in waiting[:5])
    more = f" and {len(waiting) - 5} more" if len(waiting) > 5 else ""
    return f"it waits for {told}{more}"


_WORDS = {
    StepState.WAITING: "which waits itself",
    StepState.APPROVAL: "which waits for approval",
    StepState.RUNNING: "which runs",
    StepState.SUCCESS: "which succeeded",
    StepState.FAILED: "which failed",
    StepState.SKIPPED: "which was skipped",
}


def _ended(step: Step) -> str:
    return {"FAILED": "failed", "SKIPPED": "was skipped"}.get(step.state.value, "succeeded")


def _not_in_flow(missing: Sequence[str], step: Step) -> str:
    names = ", ".join(missing)
    return (
        f"its upstream {names} is no part of this flow, which began elsewhere; to run it, begin a flow with every root: "
        f"`fastflow flows run ROOT...`, or run {step.name} alone"
    )


@dataclass(frozen=True, kw_only=True)
class FanOutEnd:
    """Where a running step stands.

    Attributes:
        state: None: it goes on.
        stops: no further element may be submitted.
    """

    state: StepState | None
    stops: bool
    why: str


def judge_elements(counts: Counts, allowed: int, *, single_why: str = "", is_cancelled: bool = False) -> FanOutEnd:
    """Whether a running step has ended, and whether further elements may be submitted.

    Args:
        counts: of its elements.
        allowed: failures that do not fail it.
        single_why: what the one element of a plain step says.
        is_cancelled: whether those that had not begun were left out because of that.
    """
    stops = counts.failed > allowed
    if counts.running or (counts.waiting and not stops):
        return FanOutEnd(state=None, stops=stops, why=_progress(counts, allowed, stops=stops))
    if counts.total == 1 and single_why:
        state = StepState.SUCCESS if counts.success else StepState.FAILED if counts.failed else StepState.SKIPPED
        return FanOutEnd(state=state, stops=stops, why=single_why)
    told = f"{counts.success} of {counted(counts.total, 'element')} succeeded"
    if counts.failed:
        told = f"{told}; {counts.failed} failed" + (f", {allowed} may" if allowed and not is_cancelled else "")
    left = counts.waiting + counts.skipped
    if stops or (is_cancelled and left and counts.success):
        rest = f"{',' if counts.failed else ';'} {left} were not started" if left else ""
        return FanOutEnd(state=StepState.FAILED, stops=stops, why=told + rest)
    if counts.skipped:
        told = f"{told}; {counts.skipped} were skipped"
    state = StepState.SKIPPED if counts.skipped and not counts.success else StepState.SUCCESS
    return FanOutEnd(state=state, stops=False, why=told)


def _progress(counts: Counts, allowed: int, *, stops: bool) -> str:
    if counts.total == 1:
        return "its run is under way"
    ended = counts.success + counts.failed + counts.skipped
    told = f"{ended} of {counts.total} elements have ended, {counts.running} are under way"
    if counts.failed:
        told += f", {counts.failed} failed" + (f" ({allowed} may)" if allowed else "")
    return told + ("; no more are started" if stops else "")


def judge_flow(steps: Sequence[Step]) -> tuple[FlowStatus, str | None]:
    """Where the flow stands, and, of one that failed, why."""
    if any(not step.state.is_final for step in steps):
        return FlowStatus.RUNNING, None
    failed = [step for step in steps if step.state is StepState.FAILED]
    if not failed:
        return FlowStatus.SUCCESS, None
    more = f" (and {counted(len(failed) - 1, 'other step')})" if len(failed) > 1 else ""
    return FlowStatus.FAILED, f"the step {failed[0].name} failed: {failed[0].why}{more}"[:2000]
