"""`/flows` and `/backfills`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from fastflow.kernel.flows.domain.flow import ElementState, FlowStatus
from fastflow.kernel.flows.ports import FlowFilter
from fastflow.kernel.flows.schemas import (
    ApprovalIn,
    ApprovalPage,
    BackfillIn,
    BackfillOut,
    ElementPage,
    FlowCancelIn,
    FlowExplanationOut,
    FlowIn,
    FlowOut,
    FlowPage,
    FlowPlanOut,
    FlowRerunIn,
)
from fastflow.kernel.flows.service import BackfillService, FlowService
from fastflow.kernel.http.access import Operator, Viewer
from fastflow.kernel.http.params import Cursor, Limit, Text, TraceHeader
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.runs.domain.tracing import read_trace
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

FlowId = Annotated[str, Path(max_length=100, description="The flow's id; a backfill is a flow.")]
StepName = Annotated[str, Path(max_length=200, description="The step: its pipeline's name.")]
_DRY = {200: {"model": BackfillOut, "description": "With `dry_run`: what would run."}}


def build_router(flows: FlowService, backfills: BackfillService, clock: Clock) -> APIRouter:
    """The operations on flows; looking needs the role viewer, everything else operator; an approval may be
    left to people it names."""
    router = APIRouter(tags=["flows"], responses=PROBLEM_RESPONSES)
    _add_flows(router, flows, clock)
    _add_changing(router, flows, clock)
    _add_backfills(router, flows, backfills, clock)
    return router


def _add_flows(router: APIRouter, flows: FlowService, clock: Clock) -> None:
    @router.post("/flows", status_code=202)
    def start_flow(actor: Operator, body: FlowIn, response: Response, traceparent: TraceHeader = None) -> FlowOut:
        """Begin a flow with the code as it is now: its roots are submitted, and what runs after them follows."""
        view = flows.start(
            body.roots,
            body.params,
            actor=actor,
            trigger=actor.way_in,
            priority=body.priority,
            idempotency_key=body.idempotency_key,
            trace=read_trace(traceparent),
        )
        response.headers["Location"] = f"/flows/{view.flow.id}"
        return FlowOut.of(view, clock.now())

    @router.get("/flows")
    def list_flows(
        actor: Viewer,
        status: Annotated[FlowStatus | None, Query(description="Only flows in this state.")] = None,
        pipeline_name: Annotated[Text | None, Query(description="Only flows with a step of this pipeline.")] = None,
        run_id: Annotated[Text | None, Query(description="Only the flow that this run belongs to.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> FlowPage:
        """Every flow you may see, newest first."""
        wanted = FlowFilter(status=status, pipeline_name=pipeline_name, run_id=run_id)
        return FlowPage.of(flows.list(wanted, actor=actor, cursor=cursor, limit=limit))

    @router.get("/flows/plan")
    def plan_flow(
        actor: Viewer,
        root: Annotated[list[Text], Query(min_length=1, max_length=100, description="A root; may be repeated.")],
    ) -> FlowPlanOut:
        """What a flow with these roots would be made of now. Changes nothing."""
        return FlowPlanOut.of(flows.plan(root, actor=actor))

    @router.get("/flows/approvals")
    def list_approvals(actor: Viewer, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE) -> ApprovalPage:
        """What waits for a person, of the oldest flows first, and whether you may decide."""
        return ApprovalPage.asked(flows.questions(actor=actor, cursor=cursor, limit=limit), actor)

    @router.get("/flows/{flow_id}")
    def get_flow(actor: Viewer, flow_id: FlowId) -> FlowOut:
        """One flow with its graph: steps, edges, states, durations, the critical path."""
        return FlowOut.of(flows.get(flow_id, actor=actor), clock.now())

    @router.get("/flows/{flow_id}/explain")
    def explain_flow(actor: Viewer, flow_id: FlowId) -> FlowExplanationOut:
        """Why the flow, and each of its steps, is where it is."""
        return FlowExplanationOut.of(flows.get(flow_id, actor=actor))

    @router.get("/flows/{flow_id}/steps/{step}/elements")
    def list_elements(
        actor: Viewer,
        flow_id: FlowId,
        step: StepName,
        state: Annotated[ElementState | None, Query(description="Only the present ones in this state.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> ElementPage:
        """The runs of a step, every attempt, in the order of the list."""
        return ElementPage.of(flows.list_elements(flow_id, step, state, actor=actor, cursor=cursor, limit=limit))


def _add_changing(router: APIRouter, flows: FlowService, clock: Clock) -> None:
    @router.post("/flows/{flow_id}/cancel")
    def cancel_flow(actor: Operator, flow_id: FlowId, body: FlowCancelIn | None = None) -> FlowOut:
        """End the flow: nothing more is submitted, and what runs is stopped."""
        reason = None if body is None else body.reason
        return FlowOut.of(flows.cancel(flow_id, actor=actor, reason=reason), clock.now())

    @router.post("/flows/{flow_id}/rerun", status_code=202)
    def rerun_flow(actor: Operator, flow_id: FlowId, body: FlowRerunIn | None = None) -> FlowOut:
        """Run again what did not succeed and what depends on it, as a new attempt of the same flow; the rest is kept."""
        return _again(actor, flow_id, body)

    @router.post("/backfills/{flow_id}/resume", status_code=202)
    def resume_backfill(actor: Operator, flow_id: FlowId, body: FlowRerunIn | None = None) -> FlowOut:
        """Go on with a backfill that failed or was cancelled: what did not succeed runs again, the rest is kept."""
        return _again(actor, flow_id, body)

    @router.post("/flows/{flow_id}/steps/{step}/approval")
    def decide_approval(actor: Viewer, flow_id: FlowId, step: StepName, body: ApprovalIn) -> FlowOut:
        """Approve or deny a step that waits for it: whoever its rule names, or, when it names nobody, any operator."""
        view = flows.decide(flow_id, step, body.decision, actor=actor, note=body.note)
        return FlowOut.of(view, clock.now())

    def _again(actor: Actor, flow_id: str, body: FlowRerunIn | None) -> FlowOut:
        return FlowOut.of(flows.rerun(flow_id, actor=actor, exact=body is not None and body.exact), clock.now())


def _add_backfills(router: APIRouter, flows: FlowService, backfills: BackfillService, clock: Clock) -> None:
    @router.post("/backfills", status_code=202, responses=_DRY)  # type: ignore[arg-type]
    def start_backfill(
        actor: Operator, body: BackfillIn, response: Response, traceparent: TraceHeader = None
    ) -> BackfillOut:
        """Run the pipeline once for each time of a range, a few at a time and behind ordinary runs; with `dry_run` show
        what would run."""
        request = body.request()
        out = BackfillOut.of(backfills.plan(request, actor=actor))
        if body.dry_run:
            response.status_code = 200
            return out
        view = backfills.start(request, actor=actor, trace=read_trace(traceparent))
        response.headers["Location"] = f"/backfills/{view.flow.id}"
        return out.model_copy(update={"backfill": FlowOut.of(view, clock.now())})

    @router.get("/backfills")
    def list_backfills(
        actor: Viewer,
        status: Annotated[FlowStatus | None, Query(description="Only backfills in this state.")] = None,
        pipeline_name: Annotated[Text | None, Query(description="Only backfills of this pipeline.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> FlowPage:
        """Every backfill you may see, newest first."""
        wanted = FlowFilter(kind="backfill", status=status, pipeline_name=pipeline_name)
        return FlowPage.of(flows.list(wanted, actor=actor, cursor=cursor, limit=limit))

    @router.get("/backfills/{flow_id}")
    def get_backfill(actor: Viewer, flow_id: FlowId) -> FlowOut:
        """One backfill with its progress."""
        return FlowOut.of(flows.get(flow_id, actor=actor), clock.now())

    @router.post("/backfills/{flow_id}/cancel")
    def cancel_backfill(actor: Operator, flow_id: FlowId, body: FlowCancelIn | None = None) -> FlowOut:
        """End the backfill: no more runs are started, and those under way are stopped."""
        reason = None if body is None else body.reason
        return FlowOut.of(flows.cancel(flow_id, actor=actor, reason=reason), clock.now())
