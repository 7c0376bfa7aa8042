"""Errors of the flows room."""

from collections.abc import Mapping

from fastflow.kernel.flows.domain.flow import Flow, FlowStatus
from fastflow.kit.errors import Conflict, InvalidInput, NotFound
from fastflow.kit.words import in_a_sentence


class FlowNotFound(NotFound):
    """No flow has this id, or its roots are outside the asker's scope."""

    default_code = "flow_not_found"
    default_hint = "Take the id from `GET /flows`, or from `GET /backfills` for a backfill."

    def __init__(self, flow_id: str) -> None:
        super().__init__(f"There is no flow {flow_id}.")


class StepNotFound(NotFound):
    """The flow has no step of this name."""

    default_code = "step_not_found"
    default_hint = "`GET /flows/{id}` names the flow's steps."


class FlowCycle(InvalidInput):
    """Pipelines run after one another in a circle."""

    default_code = "flow_cycle"
    default_hint = "`fastflow pipelines check` names file and line; or run the pipeline alone (`alone`)."


class InvalidFlow(InvalidInput):
    """A flow that cannot be started as asked for."""

    default_code = "invalid_flow"
    default_hint = "Correct the named fields; `GET /flows/plan` shows what a flow would be made of."


class FlowEnded(Conflict):
    """The flow is over."""

    default_code = "flow_ended"
    default_hint = "Run what failed again with `POST /flows/{id}/rerun`, or begin a new flow."


def flow_ended(flow: Flow) -> FlowEnded:
    """The flow, or the backfill, cannot be cancelled any more."""
    told = f"The {flow.kind} {flow.id} has ended already: {flow.status}."
    if flow.kind == "flow":
        return (
            FlowEnded(told) if flow.status is FlowStatus.FAILED else FlowEnded(told, hint="There is nothing to cancel.")
        )
    if flow.status is FlowStatus.FAILED:
        return FlowEnded(told, hint=f"`fastflow backfill resume {flow.id}` runs what did not succeed again.")
    return FlowEnded(told, hint="There is nothing to cancel; `fastflow backfill show` tells what it has done.")


class FlowRuns(Conflict):
    """The flow is not over."""

    default_code = "flow_runs"
    default_hint = "Wait for its end, or cancel it first with `POST /flows/{id}/cancel`."


class NothingFailed(Conflict):
    """There is nothing to run again."""

    default_code = "nothing_failed"
    default_hint = "Begin a new flow with `POST /flows`."


class NoApproval(Conflict):
    """The step does not wait for an approval: it has none, its turn has not come, or it was decided already."""

    default_code = "no_approval"
    default_hint = "`GET /flows/{id}` shows what each step waits for."


class InvalidBackfill(InvalidInput):
    """A backfill that cannot be made."""

    default_code = "invalid_backfill"
    default_hint = "Correct the named fields; with `dry_run` nothing is made and the elements are shown."

    def __init__(self, problems: Mapping[str, str], *, hint: str | None = None) -> None:
        super().__init__(f"The backfill is not valid: {in_a_sentence(problems)}", hint=hint, fields=problems)
