"""`/auth/sessions`: the logins one has, and ending them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from fastflow.kernel.http.access import Anyone, read_cookie
from fastflow.kernel.http.params import Cursor, Limit
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.users.domain.accounts import OpenSession
from fastflow.kernel.users.schemas import OpenSessionOut, OpenSessionPage
from fastflow.kernel.users.service import LoginService
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

SessionId = Annotated[str, Path(max_length=100, description="The session's id, as `GET /auth/sessions` shows it.")]


def build_router(logins: LoginService) -> APIRouter:
    """The operations on one's own sessions."""
    router = APIRouter(prefix="/auth/sessions", tags=["auth"], responses=PROBLEM_RESPONSES)

    @router.get("")
    def list_sessions(
        actor: Anyone, request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE
    ) -> OpenSessionPage:
        """One's logins that have not ended: when, from where, by what."""
        page = logins.list_sessions(actor, read_cookie(request), cursor=cursor, limit=limit)
        return OpenSessionPage(items=[_shown(each) for each in page.items], next_cursor=page.next_cursor)

    @router.delete("", status_code=204)
    def end_other_sessions(actor: Anyone, request: Request) -> None:
        """End all of one's logins but the one that asks."""
        logins.end_sessions(actor, keep=read_cookie(request))
        request.app.state.credentials_changed()

    @router.delete("/{session_id}", status_code=204)
    def end_session(actor: Anyone, session_id: SessionId, request: Request) -> None:
        """End one of one's logins."""
        logins.end_session(actor, session_id)
        request.app.state.credentials_changed()

    return router


def _shown(session: OpenSession) -> OpenSessionOut:
    return OpenSessionOut.model_validate(session, from_attributes=True)
