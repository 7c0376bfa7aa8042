"""The steps that compute an experiment whole, one after the other.

A chain stands in the experiment's row, so what is under way is known from the database alone: whichever process ended
when, the next one goes on with the step that is not done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .problem import Problem, Refused

WAITING, RUNNING, DONE, FAILED_STEP, DROPPED = "waiting", "running", "done", "failed", "dropped"
STEP_STATUSES = (WAITING, RUNNING, DONE, FAILED_STEP, DROPPED)
MATERIALIZE = "materialize"
WHOLE = ("churn", "cox", MATERIALIZE, "cf")
"""All of them, in their order."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step.

    Attributes:
        name: a pipeline's, or `MATERIALIZE`.
        status: one of `STEP_STATUSES`; dropped: one before it failed.
        run_id: of its run; '' of a step that has none, or none yet.
    """

    name: str
    status: str = WAITING
    run_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The steps, and who asked for them.

    Attributes:
        chain_id: names it among all chains.
        asked_by: the name of who asked; the steps' runs are theirs.
        asked_at: when, ISO 8601 UTC.
        steps: in their order.
    """

    chain_id: str
    asked_by: str
    asked_at: str
    steps: tuple[Step, ...] = tuple(Step(name=name) for name in WHOLE)

    @property
    def current(self) -> Step | None:
        """The step that waits or runs; None: it has ended."""
        return next((step for step in self.steps if step.status in (WAITING, RUNNING)), None)

    def begun(self, run_id: str) -> "Chain":
        """The present step has this run."""
        return self._with(RUNNING, run_id)

    def done(self, run_id: str = "") -> "Chain":
        """The present step is done."""
        return self._with(DONE, run_id)

    def failed(self) -> "Chain":
        """The present step failed, and those after it are not taken."""
        after = self._with(FAILED_STEP, "")
        return replace(after, steps=tuple(_dropped(step) for step in after.steps))

    def _with(self, status: str, run_id: str) -> "Chain":
        now = self.current
        if now is None:
            return self
        changed = replace(now, status=status, run_id=run_id or now.run_id)
        return replace(self, steps=tuple(changed if step is now else step for step in self.steps))

    def record(self) -> dict[str, Any]:
        """As the experiment's row has it."""
        return {**vars(self), "steps": [vars(step) for step in self.steps]}


def read_chain(record: Any) -> Chain | None:
    """The chain of an experiment's row; None of one that has none.

    Raises:
        Refused: it is not what `Chain.record` writes.
    """
    if not record:
        return None
    try:
        steps = tuple(_step(told) for told in _listed(record["steps"]))
        texts = {name: str(record[name]) for name in ("chain_id", "asked_by", "asked_at")}
    except (KeyError, TypeError, ValueError) as error:
        raise Refused([Problem("chain", f"is damaged: {error!r}", "Restore a snapshot.")]) from error
    return Chain(steps=steps, **texts)


def _listed(steps: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(steps, list):
        raise TypeError("its steps are no list")
    return steps


def _step(told: Mapping[str, Any]) -> Step:
    if told["name"] not in WHOLE or told["status"] not in STEP_STATUSES:
        raise ValueError("a step is none")
    return Step(name=told["name"], status=told["status"], run_id=str(told["run_id"]))


def _dropped(step: Step) -> Step:
    return replace(step, status=DROPPED) if step.status == WAITING else step
