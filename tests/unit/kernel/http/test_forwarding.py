"""Handing requests on to the server that has the answer: real requests to a real second app over a socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from fastflow.kernel.http.forwarding import FORWARDED, Forwarding
from fastflow.kernel.http.other_server import OtherServer


async def _whole(request: Request) -> PlainTextResponse:
    told = {name: request.headers.get(name) for name in ("authorization", "range", FORWARDED, "x-private")}
    return PlainTextResponse(f"{request.url.query} {told}", status_code=206, headers={"Content-Range": "bytes 0-1/9"})


async def _stream(_request: Request) -> StreamingResponse:
    async def events() -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"id: {number}\n\n".encode()

    return StreamingResponse(events(), media_type="text/event-stream")


async def _local(request: Request) -> JSONResponse:
    return JSONResponse({"local": request.url.path})


@asynccontextmanager
async def _serving() -> AsyncIterator[str]:
    app = Starlette(routes=[Route("/runs/{run}/logs", _whole), Route("/runs/{run}/logs/stream", _stream)])
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()


def _client(url: str | None) -> httpx.AsyncClient:
    inside = Starlette(routes=[Route("/{path:path}", _local)])
    app = Forwarding(
        inside,
        is_candidate=lambda path: path.startswith("/runs/"),
        find=lambda path: None if "mine" in path else OtherServer(name="other", url=url),
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here")


async def test_request_when_it_is_another_servers_then_its_answer_comes_back() -> None:
    async with _serving() as url, _client(url) as client:
        headers = {"Authorization": "Bearer t", "Range": "bytes=0-1", "X-Private": "p"}
        answer = await client.get("/runs/theirs/logs?tail=2", headers=headers)
    assert answer.status_code == 206
    assert answer.headers["content-range"] == "bytes 0-1/9"
    assert answer.text == (
        f"tail=2 {{'authorization': 'Bearer t', 'range': 'bytes=0-1', '{FORWARDED}': '1', 'x-private': None}}"
    )


async def test_stream_when_it_is_another_servers_then_every_event_passes_through() -> None:
    async with _serving() as url, _client(url) as client:
        answer = await client.get("/runs/theirs/logs/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == "id: 0\n\nid: 1\n\nid: 2\n\n"


async def test_request_when_it_is_ours_or_was_handed_on_already_then_it_is_answered_here() -> None:
    async with _client("http://127.0.0.1:9") as client:
        assert (await client.get("/runs/mine/logs")).json() == {"local": "/runs/mine/logs"}
        assert (await client.get("/other")).json() == {"local": "/other"}
        handed_on = await client.get("/runs/theirs/logs", headers={FORWARDED: "1"})
    assert handed_on.json() == {"local": "/runs/theirs/logs"}


async def test_request_when_the_other_server_is_away_then_a_problem_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with _client(f"http://127.0.0.1:{port}") as client:
        away = await client.get("/runs/theirs/logs")
    async with _client(None) as client:
        silent = await client.get("/runs/theirs/logs")
    for answer in (away, silent):
        assert answer.status_code == 503
        assert answer.json()["code"] == "server_unreachable"
        assert "the server other" in answer.json()["detail"]
        assert "SERVER_URL" in answer.json()["hint"]
