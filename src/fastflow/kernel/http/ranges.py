"""Bodies of which a client may ask for a part (`Range`), a proof of sameness (`ETag`), or only the headers (`HEAD`)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fastflow.kernel.http.problems import problem_response
from fastflow.kernel.http.streams import run_until_disconnect

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)


@dataclass(kw_only=True)
class Body:
    """Bytes to answer with.

    Attributes:
        size: how many; None when that would have to be counted.
        count: counts them, when `size` is None.
        read: the bytes from one offset to another (None: to the end), in blocks.
        close: releases what `read` needs; called once, after the answer or instead of it.
        etag: equal tags mean equal bytes, with its quotes; None for bytes that may still change.
    """

    size: int | None
    count: Callable[[], int]
    read: Callable[[int, int | None], Iterator[bytes]]
    close: Callable[[], None]
    etag: str | None = None

    @property
    def total(self) -> int:
        """How many bytes, counted if need be."""
        if self.size is None:
            self.size = self.count()
        return self.size


def parse_range(header: str | None, total: Callable[[], int]) -> tuple[int, int] | Literal["unsatisfiable"] | None:
    """The one range asked for, as offsets from..to; None for no range, several, or one that cannot be read (all of
    which RFC 9110 answers with the whole).

    >>> parse_range("bytes=-5", lambda: 20)
    (15, 20)
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]) or (match[1] and match[2] and int(match[2]) < int(match[1])):
        return None
    size = total()
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    return (start, end) if start < end else "unsatisfiable"


def attachment(name: str) -> str:
    """The `Content-Disposition` that makes a browser save instead of show; any name is safe in it (RFC 6266)."""
    plain = re.sub(r"[^\w.\- ]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def ranged_response(request: Request, body: Body, *, media_type: str, headers: Mapping[str, str]) -> Response:
    """The answer to a GET or HEAD for the body: 200, 206, 304 or 416. Takes over the body and closes it."""
    try:
        answer = _answer(request, body, media_type, dict(headers))
    except BaseException:
        body.close()
        raise
    if not isinstance(answer, _BodyResponse):
        body.close()
    return answer


def _answer(request: Request, body: Body, media_type: str, headers: dict[str, str]) -> Response:
    headers["Accept-Ranges"] = "bytes"
    if body.etag is not None:
        headers["ETag"] = body.etag
        if _names(request.headers.get("if-none-match"), body.etag):
            return Response(status_code=304, headers=headers)
    wanted = parse_range(_range_header(request.headers, body), lambda: body.total)
    if wanted == "unsatisfiable":
        return _unsatisfiable(body)
    if wanted is None:
        if body.size is not None:
            headers["Content-Length"] = str(body.size)
        return _respond(request, 200, body, 0, None, media_type, headers)
    start, end = wanted
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{body.total}"
    headers["Content-Length"] = str(end - start)
    return _respond(request, 206, body, start, end, media_type, headers)


def _range_header(headers: Headers, body: Body) -> str | None:
    condition = headers.get("if-range")
    if condition is not None and condition != body.etag:
        return None
    return headers.get("range")


def _names(header: str | None, etag: str) -> bool:
    return header is not None and (
        header.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in header.split(","))
    )


def _unsatisfiable(body: Body) -> Response:
    return problem_response(
        416,
        detail=f"The range lies outside the {body.total} bytes there are.",
        code="range_not_satisfiable",
        hint="Ask for a range that begins before the end, or leave the Range header away.",
        headers={"Content-Range": f"bytes */{body.total}"},
    )


def _respond(
    request: Request, status: int, body: Body, start: int, end: int | None, media_type: str, headers: dict[str, str]
) -> Response:
    if request.method == "HEAD":
        answer = Response(status_code=status, headers=headers, media_type=media_type)
        if body.size is None:
            del answer.headers["Content-Length"]
        return answer
    return _BodyResponse(status, body, start, end, media_type, headers)


class _BodyResponse(Response):
    """Sends the body's blocks, each read in a worker thread."""

    def __init__(
        self, status: int, body: Body, start: int, end: int | None, media_type: str, headers: dict[str, str]
    ) -> None:
        self.status_code = status
        self.media_type = media_type
        self.background = None
        self._body = body
        self._blocks = body.read(start, end)
        self.init_headers(headers)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it; release the body whatever happens."""
        try:
            await run_until_disconnect(self._send_all(send), receive)
        finally:
            self._body.close()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while block := await to_thread.run_sync(next, self._blocks, b""):
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
