"""`/failures`, `/dead-letters` and `/runs/{id}/why`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from fastflow.kernel.failures.domain.records import GroupFilter, LetterFilter, LetterState
from fastflow.kernel.failures.schemas import (
    DeadLetterOut,
    DeadLetterPage,
    DismissIn,
    FailureGroupOut,
    FailureGroupPage,
    ReplayIn,
    ReplayManyIn,
    ReplayOut,
    ReplaysOut,
    WhyOut,
)
from fastflow.kernel.failures.service import FailureService, LetterService
from fastflow.kernel.http.access import Operator, Viewer
from fastflow.kernel.http.params import Cursor, Instant, Limit, Text
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.runs.schemas import RunOut
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

RunId = Annotated[str, Path(max_length=100, description="The run's id.")]
GroupId = Annotated[str, Path(max_length=100, description="The group's fingerprint.")]


def build_router(failures: FailureService, letters: LetterService) -> APIRouter:
    """The operations on failures; looking needs the role viewer, everything else operator."""
    router = APIRouter(tags=["failures"], responses=PROBLEM_RESPONSES)
    _add_failures(router, failures)
    _add_letters(router, letters)
    return router


def _add_failures(router: APIRouter, failures: FailureService) -> None:
    @router.get("/failures")
    def list_failures(
        actor: Viewer,
        pipeline_name: Annotated[Text | None, Query(description="Only failures of this pipeline.")] = None,
        since: Annotated[Instant | None, Query(description="Seen at this instant or later.")] = None,
        new_since: Annotated[
            Instant | None, Query(description="Seen for the first time at this instant or later.")
        ] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> FailureGroupPage:
        """Failures in groups: runs that end the same way count together. The group with the latest failure comes first."""
        wanted = GroupFilter(pipeline_name=pipeline_name, since=since, new_since=new_since)
        return FailureGroupPage.of(failures.list(wanted, actor=actor, cursor=cursor, limit=limit))

    @router.get("/failures/{group}")
    def get_failure(actor: Viewer, group: GroupId) -> FailureGroupOut:
        """One group; `/runs` with `failure_group` lists its runs."""
        return FailureGroupOut.of(failures.get(group, actor=actor))

    @router.get("/runs/{run_id}/why")
    def explain_failure(actor: Viewer, run_id: RunId) -> WhyOut:
        """Why the run may have failed: what changed since the last good run, and how it compares with its history."""
        return WhyOut.of(failures.why(run_id, actor=actor))


def _add_letters(router: APIRouter, letters: LetterService) -> None:
    @router.get("/dead-letters")
    def list_dead_letters(
        actor: Viewer,
        pipeline_name: Annotated[Text | None, Query(description="Only those of this pipeline.")] = None,
        failure_group: Annotated[Text | None, Query(description="Only failures of this group.")] = None,
        state: Annotated[LetterState, Query(description="Where they stand.")] = LetterState.OPEN,
        since: Annotated[Instant | None, Query(description="Failed at this instant or later.")] = None,
        until: Annotated[Instant | None, Query(description="Failed before this instant.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> DeadLetterPage:
        """Runs that failed for good, newest first."""
        wanted = LetterFilter(
            pipeline_name=pipeline_name, failure_group=failure_group, state=state, since=since, until=until
        )
        return DeadLetterPage.of(letters.list(wanted, actor=actor, cursor=cursor, limit=limit))

    @router.post("/dead-letters/replay", status_code=202)
    def replay_dead_letters(actor: Operator, body: ReplayManyIn) -> ReplaysOut:
        """Submit many again, oldest first; one that is refused does not keep the others."""
        done = letters.replay_many(
            body.wanted(),
            actor=actor,
            params=body.params,
            exact=body.exact,
            limit=body.limit,
            every=body.every,
            dry_run=body.dry_run,
        )
        return ReplaysOut(dry_run=body.dry_run, items=[ReplayOut.of(each) for each in done])

    @router.get("/dead-letters/{run_id}")
    def get_dead_letter(actor: Viewer, run_id: RunId) -> DeadLetterOut:
        """One dead letter."""
        return DeadLetterOut.of(letters.get(run_id, actor=actor))

    @router.post("/dead-letters/{run_id}/replay", status_code=202)
    def replay_dead_letter(actor: Operator, run_id: RunId, body: ReplayIn | None = None) -> RunOut:
        """Submit it again, perhaps with other parameters. Asking twice gives the same new run."""
        body = body or ReplayIn()
        return RunOut.of(letters.replay(run_id, actor=actor, params=body.params, exact=body.exact))

    @router.post("/dead-letters/{run_id}/dismiss")
    def dismiss_dead_letter(actor: Operator, run_id: RunId, body: DismissIn | None = None) -> DeadLetterOut:
        """Put it aside."""
        return DeadLetterOut.of(letters.dismiss(run_id, actor=actor, note=body.note if body else None))
