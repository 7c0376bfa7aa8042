"""Server-sent events read from an answer, byte by byte as they were sent."""

import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        kind: `log`, `end` …
        id: of the event; None when it has none.
        data: the JSON object it carries.
    """

    kind: str
    id: str | None
    data: dict[str, Any]


async def read_events(chunks: AsyncIterable[bytes]) -> AsyncIterator[list[Event]]:
    """The events of a stream, in lists as they arrived together; an event cut off by the end of the stream is left out."""
    rest = b""
    async for chunk in chunks:
        *blocks, rest = (rest + chunk).split(b"\n\n")
        events = [event for block in blocks if (event := _parse(block)) is not None]
        if events:
            yield events


def _parse(block: bytes) -> Event | None:
    """The event of a block of lines; None for a comment or a hint about reconnecting."""
    kind, event_id, data = "message", None, b""
    for line in block.split(b"\n"):
        name, _, value = line.partition(b": ")
        if name == b"data":
            data += value
        elif name == b"event":
            kind = value.decode()
        elif name == b"id":
            event_id = value.decode()
    return Event(kind, event_id, json.loads(data)) if data else None
