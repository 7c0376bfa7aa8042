"""Bodies above the limit are refused before they are read; every answer carries the security headers."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from fastflow.kernel.http.app import build_app
from fastflow.kernel.http.middleware import ErrorBarrier, RequestGuard
from fastflow.kit.identity import SYSTEM
from fastflow.testing.http import client_of

_LIMIT = 1000


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter()

    @router.post("/size")
    async def size(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    @router.post("/json")
    async def read_json(body: dict[str, str]) -> Response:
        return PlainTextResponse(str(len(body)))

    @router.get("/page")
    async def page() -> Response:
        return PlainTextResponse("x", headers={"Cache-Control": "max-age=60"})

    async with client_of(build_app([router], authenticate=lambda _request: SYSTEM, max_body_bytes=_LIMIT)) as started:
        yield started


@pytest.mark.parametrize(("size", "status"), [(_LIMIT, 200), (_LIMIT + 1, 413)])
async def test_body_when_its_length_is_stated_is_refused_above_the_limit(
    client: httpx.AsyncClient, size: int, status: int
) -> None:
    assert (await client.post("/size", content=b"x" * size)).status_code == status


@pytest.mark.parametrize("path", ["/size", "/json"])
async def test_body_when_chunked_is_refused_as_soon_as_it_passes_the_limit(
    client: httpx.AsyncClient, path: str
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    answer = await client.post(path, content=chunks(), headers={"Content-Type": "application/json"})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (413, "too_large")
    assert "MAX_BODY_MB" in problem["hint"] and list(problem["fields"]) == ["body"]
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("address", ["/pa%00ge", "/page?name=a%00b", "/page?%00"])
async def test_address_when_it_holds_a_null_byte_is_refused(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(address)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_huge_body_when_its_length_is_stated_is_never_read() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("the app must not see it")

    async def receive() -> Message:
        raise AssertionError("nothing may be read")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"99999999999")]}
    await RequestGuard(app, max_body_bytes=_LIMIT)(scope, receive, send)
    assert sent[0]["status"] == 413


async def test_answer_when_it_sets_no_security_headers_gets_them(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/page")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "max-age=60", "what an answer sets itself stays"
    assert (await client.get("/unknown")).headers["cache-control"] == "no-store", "problems carry them as well"


async def test_error_when_the_answer_has_begun_cuts_the_connection() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def lines() -> "object":
            yield b"first"
            raise ValueError("the source failed")

        await StreamingResponse(lines())(scope, receive, send)  # type: ignore[arg-type]  # an async generator

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"spec_version": "2.4"}}
    with pytest.raises(ValueError, match="the source failed"):
        await ErrorBarrier(app)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_request_when_answered_has_the_id_it_came_with_or_a_new_one(client: httpx.AsyncClient) -> None:
    assert (await client.get("/page", headers={"X-Request-ID": "abc-1"})).headers["x-request-id"] == "abc-1"
    forged = await client.get("/page", headers={"X-Request-ID": "a b{}"})
    assert len(forged.headers["x-request-id"]) == 36
