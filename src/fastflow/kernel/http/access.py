"""Who asks: the dependencies that routers put in front of their endpoints, and the check against forged requests.

Who the caller is, `app.state.authenticate` decides (`users.authenticator`, or a fixed local actor); this module only
asks it and compares roles.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from fastflow.kit.errors import Forbidden
from fastflow.kit.identity import Actor, Role

SESSION_COOKIE = "fastflow_session"
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
