"""`/auth`: logging in and out, and one's own account. The browser's session is a cookie that scripts cannot read."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from fastflow.kernel.http.access import SESSION_COOKIE, Anyone, refuse_forgery
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.users.domain.accounts import Login
from fastflow.kernel.users.schemas import LoginIn, MeOut, PasswordIn, SessionOut, grants_out, role_word, secret_text
from fastflow.kernel.users.service import LoginService, UserService
from fastflow.kernel.users.service.accounts import user_name_of


def build_router(users: UserService, logins: LoginService, *, cookie_secure: bool) -> APIRouter:
    """The operations on the caller's own login."""
    router = APIRouter(prefix="/auth", tags=["auth"], responses=PROBLEM_RESPONSES)

    def set_cookie(response: Response, login: Login) -> None:
        response.set_cookie(
            SESSION_COOKIE,
            login.cookie.reveal(),
            max_age=login.lifetime_seconds,
            path="/",
            secure=cookie_secure,
            httponly=True,
            samesite="strict",
        )

    @router.post("/login")
    def login(
        body: LoginIn, request: Request, response: Response, _own_pages: Annotated[None, Depends(refuse_forgery)]
    ) -> SessionOut:
        """Begin a session. After 5 failures for a name or 20 from an address within 15 minutes: 429."""
        begun = logins.login(body.name, secret_text(body.password), address=_address(request))
        set_cookie(response, begun)
        return _session_out(begun)

    @router.post("/logout", status_code=204)
    def logout(actor: Anyone, request: Request, response: Response) -> None:
        """End the session of the cookie; does nothing for a bearer token."""
        cookie = request.cookies.get(SESSION_COOKIE)
        if cookie:
            logins.logout(cookie, actor=actor)
            response.delete_cookie(SESSION_COOKIE, path="/", secure=cookie_secure, httponly=True, samesite="strict")
            request.app.state.credentials_changed()

    @router.get("/me")
    def get_me(actor: Anyone) -> MeOut:
        """Who the caller is and may do."""
        is_user = actor.name.startswith("user:")
        return MeOut(
            name=actor.name,
            role=role_word(actor.role),
            pipelines=None if actor.pipelines is None else sorted(actor.pipelines),
            grants=grants_out(actor.grants),
            must_change_password=is_user and users.get(user_name_of(actor)).must_change_password,
        )

    @router.put("/password")
    def change_password(actor: Anyone, body: PasswordIn, request: Request, response: Response) -> SessionOut:
        """Replace one's own password; every session ends, and a new one begins for the caller."""
        current = secret_text(body.current_password)
        logins.verify(user_name_of(actor), current, address=actor.address)
        user = users.change_own_password(actor, current, secret_text(body.new_password))
        begun = logins.begin(user, address=actor.address)
        set_cookie(response, begun)
        request.app.state.credentials_changed()
        return _session_out(begun)

    return router


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _session_out(login: Login) -> SessionOut:
    return SessionOut(
        name=login.user.name,
        role=role_word(login.user.role),
        must_change_password=login.user.must_change_password,
        expires_at=login.expires_at,
    )
