"""Hands a request on to another server of the same installation, when what it asks for lies on that one's disk.

The caller's credentials go along: every server of a database knows the same users and tokens, so the other one decides.
Pure ASGI; answers and live streams pass through as they come.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping

import httpx
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fastflow.kernel.http.other_server import FindServer, OtherServer
from fastflow.kernel.http.problems import problem_response

FORWARDED = "x-fastflow-forwarded"
"""Set on a request that was handed on: it is answered where it arrives, so that none goes round in circles."""
CONNECT_SECONDS = 5.0
_SENT_ALONG = (
    "authorization", "cookie", "accept", "range", "if-range", "if-none-match", "last-event-id", "user-agent",
)  # fmt: skip
_OF_A_BODY = ("content-type", "content-length")
_PASSED_BACK = (
    "content-type", "content-length", "content-range", "accept-ranges", "etag", "last-modified", "cache-control",
    "content-disposition", "x-content-type-options", "log-from", "log-to", "retry-after", "www-authenticate",
)  # fmt: skip
_log = logging.getLogger(__name__)


class Forwarding:
    """Answers what is ours through the app inside, and has other servers answer what is theirs.

    Args:
        app: the app inside.
        is_candidate: whether a path, with its query, may lie elsewhere at all; without any look outside the process.
        find: which server has it.
        methods: what is handed on at all; a body goes along as it comes.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        is_candidate: Callable[[str], bool],
        find: FindServer,
        methods: Collection[str] = ("GET", "HEAD"),
    ) -> None:
        self.app = app
        self._is_candidate = is_candidate
        self._find = find
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        other = await self._other(scope) if scope["type"] == "http" else None
        if other is None:
            await self.app(scope, receive, send)
        else:
            answer = await _ask(other, scope, receive)
            await answer(scope, receive, send)

    async def _other(self, scope: Scope) -> OtherServer | None:
        asked = scope["path"] + _query(scope.get("query_string", b"")).decode("latin-1")
        if scope["method"] not in self._methods or not self._is_candidate(asked):
            return None
        if FORWARDED in Headers(scope=scope):
            return None
        return await asyncio.to_thread(self._find, asked)


async def _ask(other: OtherServer, scope: Scope, receive: Receive) -> Response:
    if other.url is None:
        return _unreachable(other, "it does not tell where it can be reached")
    given = Headers(scope=scope)
    headers = {name: given[name] for name in _SENT_ALONG if name in given}
    client = httpx.AsyncClient(timeout=httpx.Timeout(None, connect=CONNECT_SECONDS))
    url = httpx.URL(other.url).copy_with(
        raw_path=scope.get("raw_path", scope["path"].encode()) + _query(scope.get("query_string", b""))
    )
    has_body = scope["method"] not in ("GET", "HEAD")
    if has_body:
        headers |= {name: given[name] for name in _OF_A_BODY if name in given}
    request = client.build_request(
        scope["method"],
        url,
        headers={**headers, FORWARDED: "1", "accept-encoding": "identity"},
        content=_given_body(receive) if has_body else None,
    )
    try:
        answer = await client.send(request, stream=True)
    except httpx.HTTPError as error:
        await client.aclose()
        _log.warning("peer.unreachable", extra={"fields": {"server": other.name, "url": other.url, "error": error}})
        return _unreachable(other, f"{type(error).__name__}: {error}".rstrip(": "))
    return StreamingResponse(
        _body(answer),
        status_code=answer.status_code,
        headers=_passed_back(answer.headers),
        background=BackgroundTask(client.aclose),
    )


async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


async def _given_body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the caller has gone
            raise httpx.WriteError("the request ended in its middle")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


def _query(text: bytes) -> bytes:
    return b"?" + text if text else b""


def _passed_back(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _PASSED_BACK if name in headers}


def _unreachable(other: OtherServer, why: str) -> Response:
    return problem_response(
        503,
        detail=f"This lies on the server {other.name}, which cannot be asked: {why}.",
        code="server_unreachable",
        hint="Start that server again. If it runs: set its SERVER_URL to an address the other servers can reach.",
        headers={"Retry-After": "5"},
    )
