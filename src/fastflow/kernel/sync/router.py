"""`/sync`: repositories, syncs, plans, rollbacks, webhooks."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from fastflow.kernel.http.access import Admin, Operator, Viewer
from fastflow.kernel.http.params import Cursor, Limit
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.http.sse import (
    KEEP_ALIVE,
    KEEP_ALIVE_SECONDS,
    RETRY,
    EventStreamResponse,
    format_event,
    resume_position,
)
from fastflow.kernel.sync.schemas import (
    RepositoryChangeIn,
    RepositoryIn,
    RepositoryName,
    RepositoryOut,
    RepositoryPage,
    RepositoryStatusOut,
    RollbackIn,
    StatusOut,
    SyncIn,
    SyncOut,
    SyncPage,
    SyncsOut,
    TakenOut,
)
from fastflow.kernel.sync.service import RepositoryService, SyncService, WebhookService
from fastflow.kernel.sync.service.syncs import POLL_SECONDS
from fastflow.kit.identity import Actor
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

Name = Annotated[str, Path(max_length=63, description="The repository's name.")]
SyncId = Annotated[str, Path(max_length=100, description="The sync's id.")]
Wait = Annotated[
    float | None, Query(ge=0, le=300, description="Hold the answer until it has ended, at most so many seconds.")
]
Force = Annotated[bool, Query(description="True: although its pipelines are in use; their runs are stopped.")]
_ENDED: dict[int | str, dict[str, Any]] = {200: {"model": SyncsOut, "description": "With `wait`: all have ended."}}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events named by their kind, with `{at, …}`: `step` `{step, text}`, `pipeline` "
        "`{pipeline, state}`, `line` `{pipeline, line}`, `note` `{text}`, at last `end` `{state, why}`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
_DELIVERY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


def build_router(repositories: RepositoryService, syncs: SyncService, webhooks: WebhookService) -> APIRouter:
    """The operations of syncing; looking needs the role viewer, repositories admin, everything else operator. Webhooks need
    their signature alone."""
    router = APIRouter(prefix="/sync", tags=["sync"], responses=PROBLEM_RESPONSES)
    _add_syncs(router, syncs)
    _add_history(router, syncs)
    _add_repositories(router, repositories)
    _add_webhook(router, webhooks)
    return router


def _add_syncs(router: APIRouter, syncs: SyncService) -> None:
    @router.post("", status_code=202, responses=_ENDED)
    async def sync(actor: Operator, response: Response, body: SyncIn | None = None, wait: Wait = None) -> SyncsOut:
        """Fetch, plan, build environments, and make the branch's commit active; or, with `plan_only`, say what that would
        change. A plan with blockers is refused unless forced, and the version before stays active.

        202 answers with the syncs as they wait; with `wait` the answer comes when they have ended (200).
        """
        body = body or SyncIn()
        asked = await run_in_threadpool(
            syncs.request,
            body.repository,
            actor=actor,
            plan_only=body.plan_only,
            force=body.force,
            reason=body.reason,
        )
        if wait:
            asked = await syncs.wait([one.id for one in asked], wait, actor=actor)
            if all(one.state.has_ended for one in asked):
                response.status_code = 200
        return SyncsOut(items=[SyncOut.of(one) for one in asked])

    @router.post("/rollback")
    def roll_back(actor: Operator, body: RollbackIn | None = None) -> SyncOut:
        """Make a version active again that was active before, at once and without asking its host. What was rolled back
        from is held: only a person makes it active again."""
        body = body or RollbackIn()
        done = syncs.rollback(body.repository, body.commit, actor=actor, force=body.force, reason=body.reason)
        return SyncOut.of(done)

    @router.get("/status")
    def get_sync_status(actor: Viewer) -> StatusOut:
        """What is active of every repository, since when and by whom; what its host has; what is under way."""
        return StatusOut(items=[RepositoryStatusOut.of(one) for one in syncs.status(actor=actor)])


def _add_history(router: APIRouter, syncs: SyncService) -> None:
    @router.get("/history")
    def list_syncs(
        actor: Viewer,
        repository: Annotated[RepositoryName | None, Query(description="Only syncs of this repository.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> SyncPage:
        """Every sync, latest first: who asked, why, and what came of it."""
        return SyncPage.of(syncs.list(repository, actor=actor, cursor=cursor, limit=limit))

    @router.get("/history/{sync_id}")
    async def get_sync(actor: Viewer, sync_id: SyncId, wait: Wait = None) -> SyncOut:
        """One sync with its plan."""
        found = await run_in_threadpool(syncs.get, sync_id, actor=actor)
        if wait and not found.state.has_ended:
            (found,) = await syncs.wait([found.id], wait, actor=actor)
        return SyncOut.of(found)

    @router.get("/history/{sync_id}/events", responses=_EVENTS, response_class=Response)
    async def stream_sync(
        actor: Viewer,
        sync_id: SyncId,
        since: Annotated[int | None, Query(ge=0, le=2**62, description="Only events after this id.")] = None,
        last_event_id: Annotated[
            str | None, Header(description="Id of the last event received: it goes on after it.", max_length=100)
        ] = None,
    ) -> Response:
        """What the sync tells, live, from its beginning to its end."""
        found = await run_in_threadpool(syncs.get, sync_id, actor=actor)
        position = resume_position(last_event_id, since) or 0
        return EventStreamResponse(_events(syncs, found.id, position, actor))


async def _events(syncs: SyncService, sync_id: str, position: int, actor: Actor) -> AsyncGenerator[bytes, None]:
    yield RETRY
    quiet = 0.0
    async for events in syncs.follow(sync_id, position, actor=actor):
        if events:
            quiet = 0.0
            yield b"".join(
                format_event(one.kind, {"at": one.at.isoformat().replace("+00:00", "Z"), **one.data}, one.id)
                for one in events
            )
            continue
        quiet += POLL_SECONDS
        if quiet >= KEEP_ALIVE_SECONDS:
            quiet = 0.0
            yield KEEP_ALIVE


def _add_repositories(router: APIRouter, repositories: RepositoryService) -> None:
    @router.get("/repositories")
    def list_repositories(actor: Viewer, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE) -> RepositoryPage:
        """Every repository, by name."""
        return RepositoryPage.of(repositories.list(actor=actor, cursor=cursor, limit=limit))

    @router.post("/repositories", status_code=201)
    def add_repository(actor: Admin, body: RepositoryIn, response: Response) -> RepositoryOut:
        """A new repository; `POST /sync` fetches from it."""
        made = repositories.create(body.definition(), actor=actor)
        response.headers["Location"] = f"/sync/repositories/{made.name}"
        return RepositoryOut.of(made)

    @router.get("/repositories/{name}")
    def get_repository(actor: Viewer, name: Name) -> RepositoryOut:
        """One repository."""
        return RepositoryOut.of(repositories.get(name, actor=actor))

    @router.patch("/repositories/{name}")
    def change_repository(actor: Admin, name: Name, body: RepositoryChangeIn) -> RepositoryOut:
        """Change some of it, from the next sync on; what is active stays so."""
        return RepositoryOut.of(repositories.change(name, body.changes(), actor=actor))

    @router.delete("/repositories/{name}", status_code=204)
    def remove_repository(actor: Admin, name: Name, force: Force = False) -> None:
        """Remove it with its pipelines; its history stays."""
        repositories.delete(name, actor=actor, force=force)


def _add_webhook(router: APIRouter, webhooks: WebhookService) -> None:
    @router.post("/webhook/{repository}", status_code=202, openapi_extra=_DELIVERY)
    async def take_webhook(
        request: Request,
        repository: Annotated[str, Path(max_length=63, description="The repository's name.")],
        signature: Annotated[
            str | None,
            Header(alias="X-Hub-Signature-256", max_length=200, description="sha256= and the HMAC of the body."),
        ] = None,
        event: Annotated[
            str | None, Header(alias="X-GitHub-Event", max_length=100, description="push or ping.")
        ] = None,
    ) -> TakenOut:
        """A delivery of the repository's host, signed with the repository's `webhook_secret` as GitHub signs. A push of the
        followed branch asks for a sync; everything else changes nothing. Needs no other credentials."""
        body = await request.body()
        address = request.client.host if request.client else None
        taken = await run_in_threadpool(
            webhooks.take, repository, event=event, signature=signature, body=body, address=address
        )
        return TakenOut.of(taken)
