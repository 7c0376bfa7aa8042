"""`/daemons`: pipelines that are services."""

from typing import Annotated

from fastapi import APIRouter, Path

from fastflow.kernel.daemons.schemas import DaemonEventPage, DaemonOut, DaemonPage
from fastflow.kernel.daemons.service import DaemonService
from fastflow.kernel.http.access import Operator, Viewer
from fastflow.kernel.http.params import Cursor, Limit
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

Name = Annotated[str, Path(max_length=200, description="The pipeline's name.")]


def build_router(daemons: DaemonService) -> APIRouter:
    """The operations on daemons; looking needs the role viewer, everything else operator."""
    router = APIRouter(prefix="/daemons", tags=["daemons"], responses=PROBLEM_RESPONSES)

    @router.get("")
    def list_daemons(actor: Viewer, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE) -> DaemonPage:
        """Every daemon you may see, by name."""
        return DaemonPage.of(daemons.list(actor=actor, cursor=cursor, limit=limit))

    @router.get("/{name}")
    def get_daemon(actor: Viewer, name: Name) -> DaemonOut:
        """One daemon with its instances."""
        return DaemonOut.of(daemons.get(name, actor=actor))

    @router.get("/{name}/events")
    def list_daemon_events(
        actor: Viewer, name: Name, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE
    ) -> DaemonEventPage:
        """What happened to it, latest first: starts, health, crashes and why."""
        return DaemonEventPage.of(daemons.list_events(name, actor=actor, cursor=cursor, limit=limit))

    @router.post("/{name}/start", status_code=202)
    def start_daemon(actor: Operator, name: Name) -> DaemonOut:
        """Keep as many instances running as its settings ask for; a pause between restarts ends."""
        return DaemonOut.of(daemons.wish(name, "running", actor=actor))

    @router.post("/{name}/stop", status_code=202)
    def stop_daemon(actor: Operator, name: Name) -> DaemonOut:
        """End its instances; it stays stopped until it is started, whatever is restarted or changed."""
        return DaemonOut.of(daemons.wish(name, "stopped", actor=actor))

    @router.post("/{name}/pause", status_code=202)
    def pause_daemon(actor: Operator, name: Name) -> DaemonOut:
        """Leave it alone: instances go on, but none is started, stopped or replaced."""
        return DaemonOut.of(daemons.wish(name, "paused", actor=actor))

    @router.post("/{name}/restart", status_code=202)
    def restart_daemon(actor: Operator, name: Name) -> DaemonOut:
        """Replace its instances by new ones, in the way its settings say."""
        return DaemonOut.of(daemons.restart(name, actor=actor))

    return router
