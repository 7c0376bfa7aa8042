"""The app inside the process streams, and ends with its reader."""

import asyncio
from typing import Any

import httpx
import pytest

from fastflow.cli.in_process import StreamingTransport


def client_of(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=StreamingTransport(app), base_url="http://local")


async def test_transport_when_the_app_goes_on_then_parts_arrive_before_its_end() -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-one", b"1")]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"second"})

    async with client_of(app) as client, client.stream("GET", "/") as answer:
        parts = answer.aiter_bytes()
        assert (answer.status_code, answer.headers["x-one"], await anext(parts)) == (200, "1", b"first")
        go_on.set()
        assert [part async for part in parts] == [b"second"]


async def test_transport_when_the_reader_goes_then_the_app_is_told_and_ended() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        finally:
            seen.append((await receive())["type"])

    async with client_of(app) as client, client.stream("GET", "/") as answer:
        await anext(answer.aiter_bytes())
    assert seen == ["http.disconnect"]


async def test_transport_when_the_app_is_given_a_request_then_nothing_of_it_is_lost() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope, body=(await receive())["body"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with client_of(app) as client:
        await client.post("/a%2Fb/c?x=1&x=2", json={"k": "ü"})
    assert (seen["method"], seen["path"], seen["raw_path"]) == ("POST", "/a/b/c", b"/a%2Fb/c")
    assert (seen["query_string"], seen["body"]) == (b"x=1&x=2", '{"k":"ü"}'.encode())
    assert (b"content-type", b"application/json") in seen["headers"]


async def test_transport_when_the_app_fails_before_its_answer_then_its_error_is_raised() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("no answer")

    async with client_of(app) as client:
        with pytest.raises(LookupError, match="no answer"):
            await client.get("/")
