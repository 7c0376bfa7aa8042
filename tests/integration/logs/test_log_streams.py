"""Streams through a real server."""

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import httpx
import pytest
import uvicorn

from fastflow.kernel.runs.infra import log_follower
from fastflow.kernel.runs.infra.log_reader import LogFile
from fastflow.testing.logs import logged, read_events, text_of

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
def address(logs: Any) -> Iterator[str]:
    """A server for the app, on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(logs.app, log_level="warning", lifespan="off"))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Set when the last reader of a log has gone."""
    event, close = Event(), log_follower._FollowedLog.close

    def close_and_tell(log: log_follower._FollowedLog) -> None:
        close(log)
        event.set()

    monkeypatch.setattr(log_follower._FollowedLog, "close", close_and_tell)
    return event


async def test_stream_when_many_read_through_http_then_all_get_the_same_and_it_is_the_log(
    logs: Any, address: str
) -> None:
    run_id = logs.add_run(b"", status="RUNNING")

    async def read(client: httpx.AsyncClient) -> bytes:
        return (await client.get(f"/runs/{run_id}/logs/stream")).content

    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        readers = [asyncio.create_task(read(client)) for _ in range(20)]
        for number in range(200):
            await asyncio.to_thread(logs.append, run_id, logged(b"%d \xff" % number, part=number % 7 == 0))
        await asyncio.to_thread(logs.append, run_id, logged(b"the end"))
        await asyncio.to_thread(logs.set_run, run_id, status="SUCCESS", exit_code=0)
        streams = await asyncio.gather(*readers)
        text = (await client.get(f"/runs/{run_id}/logs")).content
    assert len({hashlib.sha256(stream).digest() for stream in streams}) == 1
    events = list(read_events(streams[0]))
    assert text_of(events) == text
    assert events[-1].data == {"status": "SUCCESS", "reason": None, "exit_code": 0}


async def test_stream_when_the_client_breaks_off_then_it_is_released_and_last_event_id_goes_on(
    logs: Any, address: str, released: Event
) -> None:
    run_id = logs.add_run(logged(b"one") + logged(b"two"), status="RUNNING")
    path = f"/runs/{run_id}/logs/stream"
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        async with client.stream("GET", path) as answer:
            data = b""
            async for chunk in answer.aiter_bytes():
                data += chunk
                if b'"two"' in data:
                    break
        assert await asyncio.to_thread(released.wait, 30)
        assert logs.service._follower.followed_runs == 0
        first = list(read_events(data))
        await asyncio.to_thread(logs.append, run_id, logged(b"three"))
        await asyncio.to_thread(logs.set_run, run_id, status="SUCCESS", exit_code=0)
        rest = await client.get(path, headers={"Last-Event-ID": str(first[0].id)})
    assert [event.data.get("line") for event in read_events(rest.content)] == ["two", "three", None]


async def test_download_when_the_client_breaks_off_then_the_file_is_closed(
    logs: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, close = Event(), LogFile.close

    def close_and_tell(log: LogFile) -> None:
        close(log)
        closed.set()

    monkeypatch.setattr(LogFile, "close", close_and_tell)
    run_id = logs.add_run(logged(b"x" * 1000) * 100_000)
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        async with client.stream("GET", f"/runs/{run_id}/logs") as answer:
            await anext(answer.aiter_bytes())
        assert await asyncio.to_thread(closed.wait, 30)
