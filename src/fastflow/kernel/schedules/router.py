"""`/scheduler`: schedules, their due times, their ledger, pauses."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from fastflow.kernel.http.access import Admin, Operator, Viewer
from fastflow.kernel.http.params import Cursor, Instant, Limit, Text
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.schedules.domain.schedule import Origin, Outcome
from fastflow.kernel.schedules.ports import LedgerFilter, ScheduleFilter
from fastflow.kernel.schedules.schemas import (
    DueTimeOut,
    DueTimesOut,
    JobChangeIn,
    JobIn,
    JobOut,
    JobPage,
    OccurrencePage,
    PauseIn,
    SimulateIn,
    SimulationOut,
    StatusOut,
)
from fastflow.kernel.schedules.service import PauseService, ScheduleService, SimulationService
from fastflow.kit.identity import Actor
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

JobId = Annotated[str, Path(max_length=100, description="The schedule's id.")]
PipelineName = Annotated[str, Path(max_length=200, description="The pipeline's name.")]


def build_router(schedules: ScheduleService, pauses: PauseService, simulations: SimulationService) -> APIRouter:
    """The operations on schedules; looking needs the role viewer, pausing the system admin, everything else operator."""
    router = APIRouter(prefix="/scheduler", tags=["scheduler"], responses=PROBLEM_RESPONSES)
    _add_jobs(router, schedules, pauses)
    _add_looking(router, schedules, simulations)
    _add_pauses(router, schedules, pauses)
    return router


def _add_jobs(router: APIRouter, schedules: ScheduleService, pauses: PauseService) -> None:
    @router.get("/jobs")
    def list_jobs(
        actor: Viewer,
        pipeline_name: Annotated[Text | None, Query(description="Only schedules of this pipeline.")] = None,
        name: Annotated[Text | None, Query(description="Only schedules of this name.")] = None,
        origin: Annotated[Origin | None, Query(description="Only schedules that were made this way.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> JobPage:
        """Every schedule you may see, oldest first."""
        wanted = ScheduleFilter(pipeline_name=pipeline_name, name=name, origin=origin)
        return JobPage.of(schedules.list(wanted, actor=actor, cursor=cursor, limit=limit))

    @router.post("/jobs", status_code=201)
    def create_job(actor: Operator, body: JobIn, response: Response) -> JobOut:
        """A new schedule. Its parameters are checked against the pipeline's schema; its first due time lies ahead."""
        view = schedules.create(body.definition(), actor=actor, is_enabled=body.enabled)
        response.headers["Location"] = f"/scheduler/jobs/{view.schedule.id}"
        return JobOut.of(view)

    @router.get("/jobs/{job_id}")
    def get_job(actor: Viewer, job_id: JobId) -> JobOut:
        """One schedule."""
        return JobOut.of(schedules.get(job_id, actor=actor))

    @router.put("/jobs/{job_id}")
    def replace_job(actor: Operator, job_id: JobId, body: JobIn) -> JobOut:
        """Give the schedule a new form; what is left away takes its default. What was due before is decided by the old
        form, and with a new timing the next due time lies ahead."""
        schedules.change(job_id, vars(body.definition()), actor=actor)
        return _with_enabled(actor, job_id, body.enabled)

    @router.patch("/jobs/{job_id}")
    def change_job(actor: Operator, job_id: JobId, body: JobChangeIn) -> JobOut:
        """Change some of the schedule; what is left away stays."""
        if changes := body.changes():
            schedules.change(job_id, changes, actor=actor)
        return _with_enabled(actor, job_id, body.enabled)

    @router.delete("/jobs/{job_id}", status_code=204)
    def delete_job(actor: Operator, job_id: JobId) -> None:
        """Remove the schedule and its ledger; its runs stay."""
        schedules.delete(job_id, actor=actor)

    def _with_enabled(actor: Actor, job_id: str, enabled: bool | None) -> JobOut:
        if enabled is True:
            pauses.resume_schedule(job_id, actor=actor)
        elif enabled is False:
            pauses.pause_schedule(job_id, actor=actor)
        return JobOut.of(schedules.get(job_id, actor=actor))


def _add_looking(router: APIRouter, schedules: ScheduleService, simulations: SimulationService) -> None:
    @router.get("")
    def get_scheduler_status(actor: Viewer) -> StatusOut:
        """The due-table in numbers, what is paused, and which schedules cannot start runs now."""
        return StatusOut.of(schedules.status(actor=actor))

    @router.get("/jobs/{job_id}/next")
    def list_next_due_times(
        actor: Viewer,
        job_id: JobId,
        count: Annotated[int, Query(ge=1, le=500, description="Due times to show.")] = 20,
    ) -> DueTimesOut:
        """The next due times, with what changes of the clocks do to them."""
        found = schedules.next_due_times(job_id, count, actor=actor)
        return DueTimesOut(items=[DueTimeOut.of(due) for due in found])

    @router.get("/jobs/{job_id}/occurrences")
    def list_occurrences(
        actor: Viewer,
        job_id: JobId,
        outcome: Annotated[Outcome | None, Query(description="Only due times with this outcome.")] = None,
        since: Annotated[Instant | None, Query(description="Due at this instant or later.")] = None,
        until: Annotated[Instant | None, Query(description="Due before this instant.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> OccurrencePage:
        """The ledger: every due time that has come has one row that says what became of it and why."""
        wanted = LedgerFilter(outcome=outcome, since=since, until=until)
        return OccurrencePage.of(schedules.occurrences(job_id, wanted, actor=actor, cursor=cursor, limit=limit))

    @router.post("/simulate")
    def simulate(actor: Viewer, body: SimulateIn) -> SimulationOut:
        """What would be due between two instants, with the hours that clocks leave out or repeat. Changes nothing."""
        simulation = simulations.simulate(body.request(), actor=actor)
        return SimulationOut.of(simulation, is_trial=body.schedule is not None)


def _add_pauses(router: APIRouter, schedules: ScheduleService, pauses: PauseService) -> None:
    @router.post("/jobs/{job_id}/pause")
    def pause_job(actor: Operator, job_id: JobId, body: PauseIn | None = None) -> JobOut:
        """Let the schedule start nothing; its due times go on getting rows in the ledger."""
        pauses.pause_schedule(job_id, actor=actor, reason=body.reason if body else None)
        return JobOut.of(schedules.get(job_id, actor=actor))

    @router.post("/jobs/{job_id}/resume")
    def resume_job(actor: Operator, job_id: JobId) -> JobOut:
        """Let it start runs again; what was due meanwhile is not made up for."""
        pauses.resume_schedule(job_id, actor=actor)
        return JobOut.of(schedules.get(job_id, actor=actor))

    @router.post("/pipelines/{name}/pause")
    def pause_pipeline_schedules(actor: Operator, name: PipelineName, body: PauseIn | None = None) -> StatusOut:
        """Let no schedule of the pipeline start anything."""
        pauses.pause_pipeline(name, actor=actor, reason=body.reason if body else None)
        return StatusOut.of(schedules.status(actor=actor))

    @router.post("/pipelines/{name}/resume")
    def resume_pipeline_schedules(actor: Operator, name: PipelineName) -> StatusOut:
        """Let the pipeline's schedules start runs again."""
        pauses.resume_pipeline(name, actor=actor)
        return StatusOut.of(schedules.status(actor=actor))

    @router.post("/pause")
    def pause_scheduler(actor: Admin, body: PauseIn | None = None) -> StatusOut:
        """Let no schedule at all start anything."""
        pauses.pause_system(actor=actor, reason=body.reason if body else None)
        return StatusOut.of(schedules.status(actor=actor))

    @router.post("/resume")
    def resume_scheduler(actor: Admin) -> StatusOut:
        """Let schedules start runs again."""
        pauses.resume_system(actor=actor)
        return StatusOut.of(schedules.status(actor=actor))
