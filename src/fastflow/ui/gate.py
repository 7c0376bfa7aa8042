"""Who may open a page, and which origin may hold its connection; what the browser may load and run there.

A page is opened with the session cookie of `POST /auth/login` (or a bearer token), checked by the same authenticator as
every request to the API. What a page then does, its services check again, with who the session belongs to at that moment.
"""

from collections.abc import Callable
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastflow.kernel.http.access import SESSION_COOKIE, Authenticate
from fastflow.kernel.users.domain.errors import PasswordChangeRequired
from fastflow.kit.errors import FastFlowError, Unauthenticated
from fastflow.kit.identity import Actor

ACTOR: str = "fastflow.actor"
"""Where a page finds in its scope who opened it."""
_ALLOWED = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",  # the pages' framework compiles templates in the browser
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self' data:",
    "form-action": "'self'",
    "base-uri": "'none'",
    "object-src": "'none'",
    "frame-ancestors": "'none'",
}
POLICY = "; ".join(f"{what} {where}" for what, where in _ALLOWED.items())
_REFUSED = 4403


class Gate:
    """Lets through who is logged in; sends everybody else to the login page, and back where they wanted to go.

    Args:
        app: the pages.
        authenticate: says who asks.
        base: the path of the interface.
        is_public: whether a path below it is for everybody.
    """

    def __init__(
        self, app: ASGIApp, *, authenticate: Authenticate, base: str, is_public: Callable[[str], bool]
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._base = base
        self._is_public = is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one connection."""
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            await PlainTextResponse("", 405, {"Allow": "GET, HEAD"})(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        refusal = None
        if not self._is_public(scope["path"].removeprefix(self._base)):
            refusal = await self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_policy)

    async def _refusal(self, scope: Scope) -> Response | None:
        try:
            scope[ACTOR] = await self._ask(scope)
        except PasswordChangeRequired:
            return self._redirect("password", scope)
        except Unauthenticated:
            return self._redirect("login", scope)
        return None

    def _redirect(self, page: str, scope: Scope) -> Response:
        query = scope.get("query_string", b"").decode("latin-1")
        wanted = quote(scope["path"] + (f"?{query}" if query else ""), safe="/")
        ended = "&ended=1" if page == "login" and _had_session(scope) else ""
        return RedirectResponse(f"{self._base}/{page}?to={wanted}{ended}", 303, {"Cache-Control": "no-store"})

    async def _ask(self, scope: Scope) -> Actor:
        answer = self._authenticate(Request({**scope, "type": "http", "method": "GET"}))
        return answer if isinstance(answer, Actor) else await answer

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        is_ours = origin is None or urlsplit(origin).netloc == headers.get("host", "")
        try:
            if is_ours:
                scope[ACTOR] = await self._ask(scope)
                await self._app(scope, receive, send)
                return
        except FastFlowError:
            pass  # refused below: a connection has no answer that could say more
        await receive()
        await send({"type": "websocket.close", "code": _REFUSED})


def _had_session(scope: Scope) -> bool:
    """Whether the browser still has the cookie of one; over HTTPS its name has a prefix."""
    return any(name.endswith(SESSION_COOKIE) for name in Request(scope).cookies)


def is_own_path(path: str, base: str) -> bool:
    """Whether a browser that is sent there stays on our pages.

    >>> is_own_path("/ui/runs", "/ui"), is_own_path("//evil.example/ui", "/ui"), is_own_path("/ui/../auth", "/ui")
    (True, False, False)
    """
    return path.startswith(f"{base}/") and ".." not in path and "\\" not in path and not path.startswith("//")
