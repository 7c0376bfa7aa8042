"""Logs made by hand, and a reader of event streams."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastflow.kernel.runs.domain.log_line import LogLine, Stream, format_line
from fastflow.kernel.runs.domain.logged_run import LoggedRun

AT = "2026-11-21T04:35:18.123456789Z"
RUN_ID = "01890f7e-7c4b-7cc0-8000-000000000001"


@dataclass(frozen=True)
class ServerEvent:
    """One server-sent event."""

    kind: str
    id: int | None
    data: dict[str, Any]


def logged(text: bytes, stream: Stream = "stdout", *, part: bool = False) -> bytes:
    """A line as it stands on disk."""
    return format_line(LogLine(AT, stream, part, text))


def logged_run(log_path: Path, *, run_id: str = RUN_ID, status: str = "RUNNING") -> LoggedRun:
    """A run whose log is at `log_path`."""
    return LoggedRun(
        id=run_id,
        pipeline_name="demo",
        status=status,
        reason="exit" if status == "FAILED" else None,
        exit_code={"SUCCESS": 0, "FAILED": 3}.get(status),
        log_path=log_path,
        log_deleted_at=None,
        ended=status in ("SUCCESS", "FAILED"),
        since=datetime(2026, 11, 21, tzinfo=UTC),
    )


def read_events(data: bytes) -> Iterator[ServerEvent]:
    """The events in a stream's bytes; comments and the last, unfinished one are left out."""
    for block in data.split(b"\n\n")[:-1]:
        fields = dict(row.split(b": ", 1) for row in block.split(b"\n") if not row.startswith(b":"))
        if b"event" in fields:
            event_id = int(fields[b"id"]) if b"id" in fields else None
            yield ServerEvent(fields[b"event"].decode(), event_id, json.loads(fields[b"data"]))


def text_of(events: Iterable[ServerEvent], stream: Stream | None = None) -> bytes:
    """What the `log` events say: the script's own bytes, lines ended."""
    pieces = []
    for event in events:
        if event.kind == "log" and stream in (None, event.data["stream"]):
            data = event.data
            pieces.append(base64.b64decode(data["b64"]) if "b64" in data else data["line"].encode())
            if not data.get("partial"):
                pieces.append(b"\n")
    return b"".join(pieces)
