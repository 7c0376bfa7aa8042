"""What stands around the whole app: the last barrier for errors, security headers, the limit of bodies. Pure ASGI, so
that streams pass through untouched."""

import re
from collections.abc import Collection, Iterable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastflow.kernel.http.problems import ProblemResponse, problem_response, response_to_unexpected
from fastflow.kit.ids import new_id
from fastflow.kit.log_lines import REQUEST_ID

_SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cache-control", b"no-store"),
)


_REQUEST_ID = b"x-request-id"
_PLAIN = re.compile(r"[A-Za-z0-9._:/+=-]{1,100}")


class ErrorBarrier:
    """Answers errors that nothing inside handled, names the request (`X-Request-ID`, also in the server's log), and adds the
    security headers an answer does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, request_id = False, _request_id(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = [*message["headers"], (_REQUEST_ID, request_id.encode())]
                message["headers"] = [*headers, *_missing(headers)]
            await send(message)

        token = REQUEST_ID.set(request_id)
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            answer = response_to_unexpected(error, scope["method"], scope["path"])
            if started:  # too late for an answer of our own: let the server cut the connection
                raise
            await answer(scope, receive, send_with_headers)
        finally:
            REQUEST_ID.reset(token)


def _request_id(scope: Scope) -> str:
    """The caller's own, when it is a plain word, so that its log and ours can be read together; else a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _PLAIN.fullmatch(given) else new_id()


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    return [header for header in _SECURITY_HEADERS if header[0] not in present]


class RequestGuard:
    """Refuses null bytes in the address, which no name holds and no database takes, and bodies above a size: by their
    stated length before a byte is read, else as soon as they pass it.

    Args:
        max_body_bytes: the largest body let through.
        uploads: paths whose bodies are files.
        max_upload_bytes: the largest body let through there.
    """

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, uploads: Collection[str] = (), max_upload_bytes: int = 0
    ) -> None:
        self.app = app
        self.max_bytes = max_body_bytes
        self._uploads = frozenset(uploads)
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
            await _null_byte()(scope, receive, send)
            return
        is_upload = scope["path"] in self._uploads
        limit = self._max_upload_bytes if is_upload else self.max_bytes
        told = f"The body is larger than {limit / 2**20:g} MB"
        if self._stated_length(scope) > limit:
            answer = problem_response(
                413,
                detail=f"{told}.",
                code="too_large",
                hint=f"Send less, or raise {'MAX_UPLOAD_MB' if is_upload else 'MAX_BODY_MB'} on the server.",
                fields={"body": told.removeprefix("The body ")},
                headers={"Connection": "close"},
            )
            await answer(scope, receive, send)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise HTTPException(413, told, headers={"Connection": "close"})
            return message

        await self.app(scope, receive_limited, send)

    @staticmethod
    def _stated_length(scope: Scope) -> int:
        stated = Headers(scope=scope).get("content-length", "")
        return int(stated) if stated.isdecimal() else 0


def _null_byte() -> ProblemResponse:
    return problem_response(
        422, detail="The address holds a null byte.", code="invalid_input", hint="Leave %00 out of path and query."
    )
