"""A gate before the container engine's socket: the docker executor's requests pass, everything else is refused.

It alone is given the engine's socket; the runner is given the gate's. See `gate_rules.py` for what passes.
"""

import logging
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from fastflow.kernel.executors.docker.container import LABEL_OWNER
from fastflow.kernel.executors.docker.gate_rules import Allowed, Refused, judge

MAX_BODY_BYTES: Final = 1 << 20
_VERSION: Final = re.compile(r"^/v1\.[0-9]{2}(?=/)")
_NOT_PASSED_BACK: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})
_log = logging.getLogger(__name__)


class Gate:
    """The gate as an ASGI app.

    Args:
        engine: path of the engine's socket.
        allowed: what containers may be made of.
    """

    def __init__(self, engine: Path, allowed: Allowed) -> None:
        self._allowed = allowed
        self._engine = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(engine)),
            base_url="http://engine",
            timeout=httpx.Timeout(None, connect=5.0),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            answer = await self._answer(Request(scope, receive))
            await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = _VERSION.sub("", request.url.path)
        try:
            body = await _whole(request)
            verdict = judge(request.method, path, request.url.query, body, self._allowed)
            if verdict.owned is not None:
                await self._check_owned(verdict.owned)
            if verdict.image is not None:
                await self._check_image(verdict.image)
            return await self._pass_on(request, body)
        except Refused as refusal:
            _log.warning("gate.refused", extra={"fields": {"request": f"{request.method} {path}", "why": refusal}})
            return JSONResponse({"message": f"the gate refused this: {refusal}"}, 403)
        except httpx.TransportError as error:
            return JSONResponse({"message": f"the engine does not answer the gate: {error}"}, 503)

    async def _check_owned(self, container: str) -> None:
        told = await self._ask(f"/containers/{container}/json")
        if told is not None and not ((told.get("Config") or {}).get("Labels") or {}).get(LABEL_OWNER):
            raise Refused(f"the container {container} was not made by Fast-Flow")

    async def _check_image(self, wanted: str) -> None:
        if wanted in self._allowed.images:
            return
        for reference in self._allowed.images:
            told = await self._ask(f"/images/{reference}/json")
            if told is not None and told.get("Id") == wanted:
                return
        raise Refused(f"the image {wanted} is not among {', '.join(sorted(self._allowed.images))}")

    async def _ask(self, path: str) -> Mapping[str, Any] | None:
        answer = await self._engine.get(path)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        told: Mapping[str, Any] = answer.json()
        return told

    async def _pass_on(self, request: Request, body: bytes) -> Response:
        headers = {"content-type": request.headers["content-type"]} if "content-type" in request.headers else {}
        target = httpx.URL(f"http://engine{request.url.path}", query=request.url.query.encode())
        asked = self._engine.build_request(request.method, target, content=body or None, headers=headers)
        answer = await self._engine.send(asked, stream=True)
        back = {name: value for name, value in answer.headers.items() if name.lower() not in _NOT_PASSED_BACK}
        return StreamingResponse(_stream(answer), status_code=answer.status_code, headers=back)

    async def close(self) -> None:
        """Let go of the engine."""
        await self._engine.aclose()


async def _whole(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Refused(f"the body is larger than {MAX_BODY_BYTES} bytes")
    if Headers(scope=request.scope).get("upgrade"):
        raise Refused("a connection may not be taken over")
    return bytes(body)


async def _stream(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def serve_gate(listen: Path, engine: Path, allowed: Allowed) -> None:
    """Serve the gate on a Unix socket until a signal ends the process.

    Args:
        listen: path of the socket to make; whoever may open it may use the gate.
        engine: path of the engine's socket.
        allowed: what containers may be made of.
    """
    listen.unlink(missing_ok=True)
    uvicorn.run(
        Gate(engine, allowed), uds=str(listen), lifespan="off", ws="none", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
