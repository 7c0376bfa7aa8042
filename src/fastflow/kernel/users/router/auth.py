"""`/auth`: logging in and out, and one's own account. The browser's session is a cookie that scripts cannot read."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from fastflow.kernel.http.access import Anyone, csrf_token, delete_cookie, read_cookie, refuse_forgery, set_cookie
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.users.domain.accounts import Login, LoginMethod, SessionOrigin
from fastflow.kernel.users.router.id_token import forget_id_token, is_from_provider
from fastflow.kernel.users.schemas import LoginIn, MeOut, PasswordIn, SessionOut, grants_out, role_word, secret_text
from fastflow.kernel.users.service import LoginService, UserService
from fastflow.kernel.users.service.accounts import user_name_of
from fastflow.kit.identity import Actor


def build_router(users: UserService, logins: LoginService) -> APIRouter:
    """The operations on the caller's own login."""
    router = APIRouter(prefix="/auth", tags=["auth"], responses=PROBLEM_RESPONSES)

    @router.post("/login")
    def login(
        body: LoginIn, request: Request, response: Response, _own_pages: Annotated[None, Depends(refuse_forgery)]
    ) -> SessionOut:
        """Begin a session. After 5 failures for a name or 20 from an address within 15 minutes: 429."""
        begun = logins.login(body.name, secret_text(body.password), origin_of(request))
        replace_session(logins, begun, request, response)
        return _session_out(begun)

    @router.post("/logout", status_code=204)
    def logout(actor: Anyone, request: Request, response: Response) -> None:
        """End the session of the cookie; does nothing for a bearer token."""
        cookie = read_cookie(request)
        if cookie:
            logins.logout(cookie, actor=actor)
            delete_cookie(response, request)
            request.app.state.credentials_changed()

    @router.get("/me")
    def get_me(actor: Anyone, request: Request) -> MeOut:
        """Who the caller is and may do."""
        session = None if "authorization" in request.headers else read_cookie(request)
        is_user = actor.name.startswith("user:")
        return MeOut(
            name=actor.name,
            role=role_word(actor.role),
            pipelines=None if actor.pipelines is None else sorted(actor.pipelines),
            grants=grants_out(actor.grants),
            csrf_token=csrf_token(session) if session and is_user else None,
            is_from_provider=session is not None and is_user and is_from_provider(request),
            must_change_password=is_user and users.get(user_name_of(actor)).must_change_password,
        )

    @router.put("/password")
    def change_password(actor: Anyone, body: PasswordIn, request: Request, response: Response) -> SessionOut:
        """Replace one's own password; every session ends, and a new one begins for the caller."""
        current = secret_text(body.current_password)
        logins.verify(user_name_of(actor), current, address=actor.address)
        user = users.change_own_password(actor, current, secret_text(body.new_password))
        begun = logins.begin(user, origin_of(request))
        set_cookie(response, request, begun.cookie.reveal(), seconds=begun.lifetime_seconds)
        request.app.state.credentials_changed()
        return _session_out(begun)

    return router


def origin_of(request: Request, method: LoginMethod = "password") -> SessionOrigin:
    """Where a login comes from."""
    return SessionOrigin(
        method=method,
        address=request.client.host if request.client else None,
        user_agent=request.headers.get("user-agent"),
    )


def replace_session(logins: LoginService, begun: Login, request: Request, response: Response) -> None:
    """Hand out the new session, and end the one that the browser had: nobody can have planted the new one."""
    former = read_cookie(request)
    if former:
        logins.logout(former, actor=Actor(name=f"user:{begun.user.name}", role=begun.user.role))
        request.app.state.credentials_changed()
    set_cookie(response, request, begun.cookie.reveal(), seconds=begun.lifetime_seconds)
    forget_id_token(response, request)


def _session_out(login: Login) -> SessionOut:
    return SessionOut(
        name=login.user.name,
        role=role_word(login.user.role),
        must_change_password=login.user.must_change_password,
        expires_at=login.expires_at,
        csrf_token=csrf_token(login.cookie.reveal()),
    )
