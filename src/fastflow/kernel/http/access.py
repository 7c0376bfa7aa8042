"""Who asks: the dependencies that routers put in front of their endpoints, and the check against forged requests.

Who the caller is, `app.state.authenticate` decides (`users.authenticator`, or a fixed local actor); this module only
asks it and compares roles.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from fastflow.kit.errors import Forbidden
from fastflow.kit.identity import Actor, Role

SESSION_COOKIE = "fastflow_session"
CSRF_HEADER = "x-csrf-token"
_HOST_PREFIX = "__Host-"
"""Browsers take a cookie of such a name only over HTTPS, for this host alone, and from nobody below its domain."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

Authenticate = Callable[[Request], Actor | Awaitable[Actor]]
"""Gives the caller, at once when it is remembered, else as an awaitable; raises Unauthenticated or Forbidden."""

_bearer = HTTPBearer(auto_error=False, scheme_name="bearer", description="A token from `fastflow tokens create`.")
_cookie = APIKeyCookie(
    name=SESSION_COOKIE, auto_error=False, scheme_name="session", description="Set by `POST /auth/login`."
)


async def authenticated(
    request: Request,
    _token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
    _session: Annotated[str | None, Depends(_cookie)] = None,
) -> Actor:
    """The caller, whatever the role. The two unused arguments put the security schemes into the OpenAPI document.

    Raises:
        Unauthenticated: no or no valid credentials.
        Forbidden: the request is forged, or the caller must change the password first.
    """
    authenticate: Authenticate = request.app.state.authenticate
    answer = authenticate(request)
    return answer if isinstance(answer, Actor) else await answer


_Caller = Annotated[Actor, Depends(authenticated)]


async def _viewer(actor: _Caller) -> Actor:
    actor.require_somewhere(Role.VIEWER)
    return actor


async def _operator(actor: _Caller) -> Actor:
    actor.require_somewhere(Role.OPERATOR)
    return actor


async def _pipeline_admin(actor: _Caller) -> Actor:
    actor.require_somewhere(Role.ADMIN)
    return actor


async def _admin(actor: _Caller) -> Actor:
    return require_admin(actor)


def require_admin(actor: Actor) -> Actor:
    """The actor, who may administer everything.

    Raises:
        Forbidden: they may not, or only some pipelines.
    """
    actor.require(Role.ADMIN)
    if actor.pipelines is not None:  # else it could grant itself what its scope withholds
        raise Forbidden(
            f"{actor.name} is limited to some pipelines and cannot administer.",
            code="scope_too_narrow",
            hint="Use a token without a scope.",
        )
    return actor


Anyone = Annotated[Actor, Depends(authenticated)]
"""The caller, whatever the role: for what concerns nobody but the caller."""
Viewer = Annotated[Actor, Depends(_viewer)]
"""The caller, who may read something: what is of a pipeline, the service decides by the role on it."""
Operator = Annotated[Actor, Depends(_operator)]
"""The caller, who may also submit and cancel somewhere: on which pipeline, the service decides."""
PipelineAdmin = Annotated[Actor, Depends(_pipeline_admin)]
"""The caller, who administers some pipelines or everything: which, the service decides."""
Admin = Annotated[Actor, Depends(_admin)]
"""The caller, who may administer everything."""


def is_over_https(request: Request) -> bool:
    """Whether the browser speaks HTTPS to us or to the proxy in front: then cookies are for HTTPS alone."""
    return bool(getattr(request.app.state, "cookie_secure", False)) or request.url.scheme == "https"


def cookie_name(request: Request, name: str = SESSION_COOKIE) -> str:
    """The name under which the cookie goes to and fro."""
    return _HOST_PREFIX + name if is_over_https(request) else name


def read_cookie(request: Request, name: str = SESSION_COOKIE) -> str | None:
    """The cookie's value; over HTTPS the one of the protected name alone."""
    return request.cookies.get(cookie_name(request, name))


def set_cookie(response: Response, request: Request, value: str, *, seconds: int, name: str = SESSION_COOKIE) -> None:
    """Set a cookie that scripts cannot read and pages of other sites do not send along when they change things."""
    response.set_cookie(
        cookie_name(request, name), value, max_age=seconds, path="/", secure=is_over_https(request), httponly=True,
        samesite="lax",
    )  # fmt: skip


def delete_cookie(response: Response, request: Request, name: str = SESSION_COOKIE) -> None:
    """Let the browser forget it."""
    response.delete_cookie(
        cookie_name(request, name), path="/", secure=is_over_https(request), httponly=True, samesite="lax"
    )


def csrf_token(session: str) -> str:
    """What a page sends along with a change, to prove that it could read an answer to this session."""
    return hashlib.sha256(f"csrf:{session}".encode("utf-8", "replace")).hexdigest()


def refuse_without_csrf_token(request: Request, session: str) -> None:
    """Raises:
    Forbidden: a change by a cookie without the token that belongs to it.
    """
    if request.method in SAFE_METHODS:
        return
    given = request.headers.get(CSRF_HEADER)
    if given is None or not hmac.compare_digest(given.encode(), csrf_token(session).encode()):
        raise Forbidden(
            f"The header X-CSRF-Token {'is missing' if given is None else 'does not belong to this session'}.",
            code="csrf_token_missing" if given is None else "csrf_token_wrong",
            hint="Send `csrf_token` of the login's answer, or of `GET /auth/me`, as X-CSRF-Token; bearer tokens need none.",
        )


def refuse_forgery(request: Request) -> None:
    """Let a request that the browser authenticates by itself (a cookie) change things only from our own pages.

    Browsers state the origin of every request that could be forged, in `Sec-Fetch-Site` or `Origin`; a request that
    carries neither does not come from one.

    Raises:
        Forbidden: the request was made by a page of another site.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site in ("same-origin", "none"):
            return
        raise _forged()
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise _forged()


def _forged() -> Forbidden:
    return Forbidden(
        "This request was made by a page of another site.",
        code="cross_site_request",
        hint="Use Fast-Flow's own pages, or send a bearer token instead of the session cookie.",
    )
