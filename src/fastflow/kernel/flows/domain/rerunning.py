"""Which steps of a flow run again when what failed is run again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastflow.kernel.flows.domain.flow import Step, StepState


@dataclass(frozen=True, kw_only=True)
class Again:
    """A step that runs again.

    Attributes:
        is_whole: something above it runs again, so nothing that it made counts any more: not the elements that
            succeeded, not its list. False: its elements that succeeded stay.
    """

    step: Step
    is_whole: bool


def steps_again(steps: Iterable[Step], *, was_cancelled: bool) -> Sequence[Again]:
    """What did not succeed, and everything that depends on it, however it ended: also a step with `join = "always"` that
    ran after the failure. Upstreams first.

    Args:
        steps: of a flow that is over.
        was_cancelled: a step that was skipped may owe it to that, and not to its own condition.
    """
    found: list[Again] = []
    renewed: set[str] = set()
    for step in sorted(steps, key=lambda each: each.position):
        is_below = not renewed.isdisjoint(step.upstreams)
        if step.state is StepState.SUCCESS and not is_below:
            continue
        found.append(Again(step=step, is_whole=is_below))
        if is_below or not _stays_skipped(step, was_cancelled=was_cancelled):
            renewed.add(step.name)
    return found


def _stays_skipped(step: Step, *, was_cancelled: bool) -> bool:
    """Whether it was skipped for what its upstreams told, which still holds: it is skipped again, and nothing below is
    touched by that. One that has begun was skipped for another reason, such as the limits of its pipeline."""
    return step.state is StepState.SKIPPED and step.started_at is None and step.total is None and not was_cancelled
