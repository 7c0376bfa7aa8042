"""Errors of the runs room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastflow.kit.errors import CapacityExceeded, Conflict, InvalidInput, NotFound, Unavailable


class RunNotFound(NotFound):
    """No run has this id, or it is outside the asker's scope."""

    default_code = "run_not_found"
    default_hint = "Take the id from `GET /runs`."

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no run {run_id}.")


class RunEnded(Conflict):
    """The run has reached its terminal state already."""

    default_code = "run_ended"
    default_hint = "A run that ended stays as it is; submit it again with `POST /runs/{id}/rerun`."


class RunNotQueued(Conflict):
    """Only a run in the queue can be moved within it."""

    default_code = "run_not_queued"
    default_hint = "The priority of a run can be changed while it is PENDING."


class RunNotDelayed(Conflict):
    """The run waits for no time."""

    default_code = "run_not_delayed"
    default_hint = "`GET /runs/{id}/explain` says why the run is where it is."


class RunSkipped(Conflict):
    """The pipeline's policy is `skip` and its limit is reached; nothing was recorded."""

    default_code = "run_skipped"
    default_hint = "Submit again when the named run has ended, or choose the policy queue in pipeline.toml."


class IdempotencyMismatch(Conflict):
    """The idempotency key was used before, for a different request."""

    default_code = "idempotency_mismatch"
    default_hint = "Use a new `idempotency_key` for a different request."


@dataclass(frozen=True)
class MissingPart:
    """A part of a run that is gone.

    Attributes:
        what: the part, and why it is missing.
        remedy: how it can be had again, or what to do instead.
    """

    what: str
    remedy: str


class CapsuleIncomplete(Conflict):
    """An exact re-run is impossible: parts of the run's capsule are gone."""

    default_code = "capsule_incomplete"
    default_hint = "Re-run without `exact` to take code, environment and secrets as they are now."

    def __init__(self, run_id: str, missing: Sequence[MissingPart]) -> None:
        remedies = list(dict.fromkeys(part.remedy for part in missing if part.remedy))
        last = (
            () if any("without `exact`" in remedy for remedy in remedies) else (f"Or: {_lowered(self.default_hint)}",)
        )
        super().__init__(
            f"Run {run_id} cannot be repeated exactly: {'; '.join(part.what.rstrip('.') for part in missing)}.",
            hint=" ".join([*remedies, *last]),
            extra={"missing": [part.what for part in missing]},
        )


class InputsRefused(Unavailable):
    """The inputs of a run cannot be kept."""

    default_code = "inputs_refused"
    default_hint = "Free space below DATA_DIR, or make it writable for the server's user; then try again."


class InputsNotFound(NotFound):
    """The inputs of a run are not on this server."""

    default_code = "inputs_not_found"
    default_hint = (
        "Start it again from the workbench that it belongs to. With several servers, let DATA_DIR/inputs be one folder that "
        "all of them share."
    )


class InputsNotTaken(InvalidInput):
    """The executor cannot hand inputs to a run."""

    default_code = "inputs_not_taken"


class StartedByWorkbench(InvalidInput):
    """A shipped pipeline was started without the inputs that its workbench alone can give it."""

    default_code = "started_by_workbench"


class ShippedCovered(Conflict):
    """A pipeline of the user has taken the place of one that a workbench ships."""

    default_code = "shipped_pipeline_covered"
    default_hint = "Rename that pipeline in PIPELINES_DIR or in its repository."


class QueueFull(CapacityExceeded):
    """MAX_CONCURRENT_RUNS is reached and QUEUE_WHEN_FULL is false."""

    default_code = "queue_full"
    default_hint = "Try again when a run has ended, raise MAX_CONCURRENT_RUNS, or set QUEUE_WHEN_FULL=true."


class InvalidParams(InvalidInput):
    """Parameters that the pipeline's schema does not allow, or that cannot be handed to a process."""

    default_code = "invalid_params"
    default_hint = "Correct the named parameters; `GET /pipelines/{name}` shows what the pipeline takes."

    def __init__(self, problems: Mapping[str, str], *, hint: str | None = None) -> None:
        named = "; ".join(f"{field}: {problem}" for field, problem in problems.items())
        end = "" if named.endswith("?") else "."
        super().__init__(f"The parameters are not valid: {named}{end}", hint=hint, fields=problems)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
