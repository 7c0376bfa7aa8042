"""Server-sent events: their form on the wire, and the answer that carries them until either side ends.

Knows nothing of what is told. Feature routers hand an iterator of ready events to `EventStreamResponse`.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fastflow.kernel.http.streams import run_until_disconnect
from fastflow.kit.errors import InvalidInput

KEEP_ALIVE = b": keep-alive\n\n"
"""A comment, so that proxies do not take a silent stream for a dead one."""
KEEP_ALIVE_SECONDS = 15.0
RETRY = b"retry: 1000\n\n"
"""Tells a browser to reconnect after one second; also gets the headers through any buffer at once."""


def format_event(kind: str, data: Mapping[str, Any], event_id: int | None = None) -> bytes:
    r"""One event with a JSON object as data.

    >>> format_event("state", {"status": "RUNNING"}, 7)
    b'event: state\nid: 7\ndata: {"status":"RUNNING"}\n\n'
    """
    head = f"event: {kind}\n" if event_id is None else f"event: {kind}\nid: {event_id}\n"
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{head}data: {body}\n\n".encode(errors="replace")


def resume_position(last_event_id: str | None, since: int | None) -> int | None:
    """Where to go on: the `Last-Event-ID` header of a reconnecting client wins over the address's `since`.

    Raises:
        InvalidInput: the header is not a whole number that we could have given out.
    """
    if last_event_id is None or not last_event_id.strip():
        return since
    text = last_event_id.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(
            f"Last-Event-ID {text[:40]!r} is not an id that this stream has given out.",
            code="invalid_last_event_id",
            hint="Send the id of the last event you received unchanged, or leave the header away.",
            fields={"Last-Event-ID": "not a whole number"},
        )
    return int(text)


class EventStreamResponse(Response):
    """Sends events as they come. When the client goes, the iterator is closed at once, whatever it waits for."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        self.status_code = 200
        self.background = None
        self._events = events
        self.init_headers({"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"})

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Run until the events end or the client has gone."""
        await run_until_disconnect(self._send_all(send), receive)

    async def _send_all(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
