import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from fastflow.kernel.http.sse import EventStreamResponse, format_event, resume_position
from fastflow.kit.errors import InvalidInput


def test_resume_when_the_client_reconnects_then_its_last_id_wins() -> None:
    assert resume_position("12", 5) == 12
    assert resume_position(" ", 5) == 5
    assert resume_position(None, None) is None


@pytest.mark.parametrize("header", ["-1", "1.5", "abc", "9" * 30, "١"])
def test_resume_when_the_id_is_not_ours_then_it_is_refused(header: str) -> None:
    with pytest.raises(InvalidInput):
        resume_position(header, None)


def test_event_when_data_cannot_be_encoded_then_it_is_replaced() -> None:
    assert format_event("note", {"text": "a\ud800\n"}) == b'event: note\ndata: {"text":"a?\\n"}\n\n'


class Events:
    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            self.closed.set()


async def test_response_when_the_client_goes_then_the_events_are_closed() -> None:
    events, sent, gone = Events(), [], asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message.get("body"):
            gone.set()

    await EventStreamResponse(events.stream())({}, receive, send)
    assert events.closed.is_set()
    headers = dict(sent[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert (headers[b"x-accel-buffering"], headers[b"cache-control"]) == (b"no", b"no-cache, no-transform")
    assert b"content-length" not in headers


async def test_response_when_the_events_fail_then_the_error_is_not_hidden() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"first"
        raise ValueError("broken")

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(_message: Any) -> None:
        await asyncio.Event().wait() if _message is None else None

    with pytest.raises(ValueError, match="broken"):
        await EventStreamResponse(broken())({}, receive, send)
