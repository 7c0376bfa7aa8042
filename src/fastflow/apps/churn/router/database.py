"""`/churn/paths`, `/churn/database…` and `/outbox/info`."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from fastflow.apps.churn.router.uploads import FILE_BODY, received
from fastflow.apps.churn.schemas import DatabaseOut, OutboxOut, PathsOut, SavedOut, SnapshotOut, SnapshotsOut
from fastflow.apps.churn.service.database import ChurnDatabase
from fastflow.kernel.http.access import Operator, PipelineAdmin, Viewer

Revision = Annotated[int, Path(ge=0, le=10**10 - 1, description="Of a snapshot.")]


def add_database(router: APIRouter, database: ChurnDatabase) -> None:
    """The operations on the database as a whole."""

    @router.get("/churn/paths")
    def get_churn_paths(actor: Viewer) -> PathsOut:
        """Where the workbench keeps things, and where each of the settings comes from."""
        return PathsOut.of(database.look_at_paths(actor=actor))

    @router.get("/outbox/info")
    def get_outbox_info(actor: Viewer) -> OutboxOut:
        """The outbox, and the paths in force with their origin."""
        return OutboxOut.of(database.look_at_paths(actor=actor), database.describe_outbox(actor=actor))

    @router.get("/churn/database")
    def get_churn_database(actor: Viewer) -> DatabaseOut:
        """Its revision, its size, its tables; while it cannot be read, why."""
        return DatabaseOut.of(*database.describe(actor=actor))

    @router.get("/churn/database/snapshots")
    def list_churn_snapshots(actor: Viewer) -> SnapshotsOut:
        """The earlier states that are kept, newest first."""
        return SnapshotsOut(items=[SnapshotOut.of(one) for one in database.snapshots(actor=actor)])

    @router.post("/churn/database/snapshots/{revision}/restore")
    def restore_churn_snapshot(actor: PipelineAdmin, revision: Revision) -> SavedOut:
        """Put an earlier state back, as a new revision; the present one becomes a snapshot."""
        return SavedOut.of(database.restore(revision, actor=actor))

    @router.get(
        "/churn/database/export",
        response_class=StreamingResponse,
        responses={200: {"description": "The document.", "content": {"application/json": {"schema": {}}}}},
    )
    def export_churn_database(actor: Operator) -> StreamingResponse:
        """Everything in one JSON document: the tables, and the files of the large ones in base64."""
        name = {"Content-Disposition": 'attachment; filename="churn_export.json"'}
        return StreamingResponse(database.export(actor=actor), media_type="application/json", headers=name)

    @router.post("/churn/database/import", openapi_extra=FILE_BODY)
    async def import_churn_database(actor: PipelineAdmin, request: Request) -> SavedOut:
        """Put an exported document, which is the body, in the place of everything; the state before becomes a snapshot."""
        database.require_import(actor=actor)  # before a byte of the body is read
        async with received(request, database.uploads) as path:
            return SavedOut.of(await run_in_threadpool(database.load_export, path, actor=actor))
