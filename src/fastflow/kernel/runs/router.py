"""`/runs` and `POST /pipelines/{name}/run`. Logs, artifacts and live streams are in `log_router`."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.concurrency import run_in_threadpool

from fastflow.kernel.executors.port import Reason
from fastflow.kernel.http.access import Operator, Viewer
from fastflow.kernel.http.params import Cursor, Instant, Limit, Text, TraceHeader
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.runs.domain.run import RunFilter
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.domain.tracing import read_trace
from fastflow.kernel.runs.schemas import (
    CancelIn,
    ExplanationOut,
    Key,
    PriorityIn,
    RerunIn,
    RunDiffOut,
    RunEventPage,
    RunIn,
    RunOut,
    RunPage,
)
from fastflow.kernel.runs.service import RunService
from fastflow.kit.errors import InvalidInput
from fastflow.kit.ids import parse_tail
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

RunId = Annotated[str, Path(max_length=100, description="The run's id.")]
PipelineName = Annotated[str, Path(max_length=200, description="The pipeline's name.")]
Wait = Annotated[
    float | None,
    Query(ge=0, le=300, description="Hold the answer until the run has ended, at most so many seconds."),
]
IdTail = Annotated[
    str | None,
    Query(
        max_length=36,
        pattern=r"^[0-9A-Fa-f-]{6,36}$",
        description="Only runs whose id ends with these 6 or more digits.",
    ),
]
_ENDED = {200: {"model": RunOut, "description": "With `wait`: the run has ended."}}


KeyHeader = Annotated[
    Key | None, Header(alias="Idempotency-Key", description="The same as `idempotency_key` of the body.")
]


def build_router(runs: RunService) -> APIRouter:
    """The operations on runs; looking needs the role viewer, everything else operator."""
    router = APIRouter(tags=["runs"], responses=PROBLEM_RESPONSES)
    _add_submission(router, runs)
    _add_reading(router, runs)
    _add_changing(router, runs)
    return router


def _add_submission(router: APIRouter, runs: RunService) -> None:
    @router.post("/pipelines/{name}/run", status_code=202, responses=_ENDED)  # type: ignore[arg-type]
    async def submit_run(
        actor: Operator,
        name: PipelineName,
        response: Response,
        body: RunIn | None = None,
        wait: Wait = None,
        idempotency_key: KeyHeader = None,
        traceparent: TraceHeader = None,
    ) -> RunOut:
        """Run the pipeline, with its code as it is now.

        The run waits in the queue until the limits let it start; 202 answers with the run as it is then. With `wait`
        the answer comes when the run has ended (200), or after that time (202). A run that is tried again is waited for to its
        last attempt, which is then the answer.
        """
        body = body or RunIn()
        run = await run_in_threadpool(
            runs.submit,
            name,
            body.params,
            actor=actor,
            priority=body.priority,
            idempotency_key=_one_key(body.idempotency_key, idempotency_key),
            executor=body.executor,
            timeout=body.timeout,
            trigger=actor.way_in,
            alone=body.alone,
            trace=read_trace(traceparent),
        )
        if wait:
            run = await runs.wait(run.id, wait, actor=actor)
            if run.has_ended:
                response.status_code = 200
        response.headers["Location"] = f"/runs/{run.id}"
        return RunOut.of(run)

    @router.post("/runs/{run_id}/rerun", status_code=202)
    def rerun_run(actor: Operator, run_id: RunId, response: Response, body: RerunIn | None = None) -> RunOut:
        """Submit the run again with its parameters: with everything as it is now, or exactly as it was.

        An exact repeat is refused when a part of the run is gone; the problem names each.
        """
        run = runs.rerun(run_id, actor=actor, exact=body is not None and body.exact)
        response.headers["Location"] = f"/runs/{run.id}"
        return RunOut.of(run)


def _add_reading(router: APIRouter, runs: RunService) -> None:
    @router.get("/runs")
    def list_runs(
        actor: Viewer,
        pipeline_name: Annotated[Text | None, Query(description="Only runs of this pipeline.")] = None,
        status: Annotated[RunStatus | None, Query(description="Only runs in this state.")] = None,
        reason: Annotated[Reason | None, Query(description="Only runs that failed for this reason.")] = None,
        trigger: Annotated[Text | None, Query(description="Only runs submitted this way, such as `api`.")] = None,
        root_id: Annotated[Text | None, Query(description="Only the attempts of this run, itself included.")] = None,
        failure_group: Annotated[Text | None, Query(description="Only failures of this group.")] = None,
        schedule_id: Annotated[Text | None, Query(description="Only runs that this schedule submitted.")] = None,
        since: Annotated[Instant | None, Query(description="Submitted at this instant or later.")] = None,
        until: Annotated[Instant | None, Query(description="Submitted before this instant.")] = None,
        id_tail: IdTail = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> RunPage:
        """Every run you may see, newest first."""
        wanted = RunFilter(
            pipeline_name=pipeline_name,
            status=status,
            reason=reason,
            trigger=trigger,
            root_id=root_id,
            failure_group=failure_group,
            schedule_id=schedule_id,
            since=since,
            until=until,
            id_tail=None if id_tail is None else parse_tail(id_tail, "id_tail"),
        )
        return RunPage.of(runs.list(wanted, actor=actor, cursor=cursor, limit=limit))

    @router.get("/runs/{run_id}")
    def get_run(actor: Viewer, run_id: RunId) -> RunOut:
        """One run."""
        return RunOut.of(runs.get(run_id, actor=actor))

    @router.get("/runs/{run_id}/explain")
    def explain_run(actor: Viewer, run_id: RunId) -> ExplanationOut:
        """Why the run is where it is: what a waiting run waits for, why an ended run ended."""
        return ExplanationOut.of(runs.explain(run_id, actor=actor))

    @router.get("/runs/{run_id}/diff/{other_id}")
    def diff_runs(
        actor: Viewer, run_id: RunId, other_id: Annotated[str, Path(max_length=100, description="The other run's id.")]
    ) -> RunDiffOut:
        """What two runs differ in: code, environment, parameters, limits, result."""
        return RunDiffOut.of(runs.diff(run_id, other_id, actor=actor))

    @router.get("/runs/{run_id}/events")
    def list_run_events(
        actor: Viewer, run_id: RunId, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE
    ) -> RunEventPage:
        """What the run told and went through, oldest first."""
        return RunEventPage.of(runs.list_events(run_id, actor=actor, cursor=cursor, limit=limit))


def _add_changing(router: APIRouter, runs: RunService) -> None:
    @router.post("/runs/{run_id}/cancel", status_code=202)
    def cancel_run(actor: Operator, run_id: RunId, body: CancelIn | None = None) -> RunOut:
        """End the run: at once when it waits; a running one is asked to end, and killed after its grace period."""
        return RunOut.of(runs.cancel(run_id, actor=actor, reason=body.reason if body else None))

    @router.post("/runs/{run_id}/hurry", status_code=202)
    def hurry_run(actor: Operator, run_id: RunId) -> RunOut:
        """Put a run that waits for a time, such as a retry, into the queue now."""
        return RunOut.of(runs.hurry(run_id, actor=actor))

    @router.patch("/runs/{run_id}")
    def change_run(actor: Operator, run_id: RunId, body: PriorityIn) -> RunOut:
        """Move a waiting run within the queue."""
        return RunOut.of(runs.set_priority(run_id, body.priority, actor=actor))


def _one_key(in_body: str | None, in_header: str | None) -> str | None:
    if in_body is not None and in_header is not None and in_body != in_header:
        raise InvalidInput(
            "The idempotency key of the body is not that of the header.",
            code="two_idempotency_keys",
            hint="Give `idempotency_key` or the header Idempotency-Key, or the same in both.",
            fields={"idempotency_key": "differs from the header Idempotency-Key"},
        )
    return in_header if in_body is None else in_body
