"""Follows a run's log to its end: resumes after a lost connection, and fetches what a slow reader was not sent."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import httpx

from fastflow.cli.client import Api, part
from fastflow.cli.errors import ServerProblem, ServerUnreachable
from fastflow.cli.event_stream import Event, read_events

FIRST_RETRY_SECONDS = 0.2
LAST_RETRY_SECONDS = 5.0
GIVE_UP_SECONDS = 300.0
"""How long a server may be away before following it is given up; its run goes on either way."""
SILENCE_SECONDS = 60.0
"""The stream has a sign of life every 15 s: when four are missing, the connection is dead."""
_TEMPORARY = frozenset({429, 502, 503, 504})


class LogSink(Protocol):
    """Where the log goes."""

    def write(self, stream: str, text: bytes, *, complete: bool) -> None:
        """Text of one stream, and whether its line ends here."""
        ...

    def preview(self, stream: str, text: bytes) -> None:
        """Text of a line that has no end yet and will come once more, whole."""
        ...

    def resume(self) -> None:
        """The stream begins again where the last written line ended: previews of what follows come once more."""
        ...

    def note(self, text: str) -> None:
        """A message of ours."""
        ...

    def flush(self) -> None:
        """Let everything be seen."""
        ...


class LogFollower:
    """Follows one run.

    Args:
        api: the connection.
        run_id: whose log.
        sink: where it goes.
        tail: begin so many lines before the end; None begins at the start.
        unfinished: show text before its line has ended.
    """

    def __init__(
        self, api: Api, run_id: str, sink: LogSink, *, tail: int | None = None, unfinished: bool = True
    ) -> None:
        self._api = api
        self._path = f"/runs/{part(run_id)}/logs"
        self._sink = sink
        self._query: dict[str, Any] = {"tail": tail, "unfinished": unfinished or None}
        self._position: str | None = None
        self._progressed = False

    async def follow(self) -> dict[str, Any]:
        """Hand on the whole log; the data of its end: status, reason, exit_code.

        Raises:
            ServerProblem: the API refuses.
            ServerUnreachable: the server was away for too long; the run goes on.
        """
        backoff, lost_at, told = FIRST_RETRY_SECONDS, 0.0, False
        while True:
            self._progressed = False
            try:
                end = await self._follow_once()
                if end is not None:
                    return end
                problem: Exception = ServerUnreachable("The server closed the stream before its end.")
            except ServerProblem as error:
                if error.status not in _TEMPORARY:
                    raise
                problem = error
            except (ServerUnreachable, TimeoutError) as error:
                problem = error
            now = time.monotonic()
            if self._progressed or not lost_at:
                backoff, lost_at, told = FIRST_RETRY_SECONDS, now, False
            if now - lost_at > GIVE_UP_SECONDS:
                raise problem
            if backoff > 1 and not told:
                self._sink.note("the connection to the server is lost; trying again (the run goes on)")
                told = True
            await asyncio.sleep(backoff)
            backoff = min(LAST_RETRY_SECONDS, backoff * 2)

    async def _follow_once(self) -> dict[str, Any] | None:
        query = {name: value for name, value in self._query.items() if value is not None}
        if self._position is not None:
            query = {name: value for name, value in query.items() if name != "tail"} | {"since": self._position}
        self._sink.resume()
        async with self._api.open("GET", f"{self._path}/stream", query=query) as answer:
            async for events in _with_sign_of_life(answer):
                for event in events:
                    if event.kind == "end":
                        self._sink.flush()
                        return event.data
                    await self._take(event)
                self._sink.flush()
        return None

    async def _take(self, event: Event) -> None:
        self._progressed = True
        if event.kind == "log":
            self._sink.write(event.data["stream"], _text(event.data), complete=not event.data.get("partial", False))
        elif event.kind == "unfinished":
            self._sink.preview(event.data["stream"], _text(event.data))
        elif event.kind == "skipped":
            await self._fetch(int(event.data["from"]), int(event.data["to"]))
        if event.id is not None:
            self._position = event.id

    async def _fetch(self, start: int, end: int) -> None:
        """What the stream left out for lack of time: read it from the file."""
        from fastflow.kernel.runs.domain.log_line import parse_line  # the log's form on disk

        query = {"from": start, "to": end, "times": True}
        async with self._api.open("GET", self._path, query=query) as answer:
            rest = b""
            async for chunk in answer.aiter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                for raw in lines:
                    line = parse_line(raw)
                    self._sink.write(line.stream, line.text, complete=not line.is_part)


async def _with_sign_of_life(answer: httpx.Response) -> AsyncIterator[list[Event]]:
    events = read_events(_watched(answer.aiter_bytes()))
    async for arrived in events:
        yield arrived


async def _watched(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        yield chunk


def _text(data: dict[str, Any]) -> bytes:
    if "b64" in data:
        return base64.b64decode(data["b64"])
    return str(data["line"]).encode("utf-8", "surrogatepass")


class ByteSink:
    """Writes a log to two byte streams, the script's bytes as they are.

    Args:
        stdout, stderr: write bytes at once.
        wants: whether a line is shown at all; previews are, when there is no such choice.
        on_note: shows a message of ours.
    """

    def __init__(
        self,
        stdout: Callable[[bytes], None],
        stderr: Callable[[bytes], None],
        *,
        wants: Callable[[bytes], bool] | None = None,
        on_note: Callable[[str], None],
    ) -> None:
        self._writers = {"stdout": stdout, "stderr": stderr}
        self._wants = wants
        self._on_note = on_note
        self._buffers: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._previewed = {"stdout": 0, "stderr": 0}
        self._repeated = {"stdout": 0, "stderr": 0}
        self.has_written = False
        self.is_mid_line = False
        """The last byte written was not a line's end."""

    def write(self, stream: str, text: bytes, *, complete: bool) -> None:
        """See `LogSink.write`."""
        shown = min(self._previewed[stream], len(text))
        self._previewed[stream] = 0 if complete else self._previewed[stream] - shown
        self._repeated[stream] = 0
        if self._wants is not None and not self._wants(text):
            return
        for name in self._buffers:
            if name != stream and self._buffers[name]:
                self._flush_one(name)  # keep the order in which lines of both streams were written
        buffer = self._buffers[stream]
        buffer += text[shown:]
        if complete:
            buffer += b"\n"

    def preview(self, stream: str, text: bytes) -> None:
        """See `LogSink.preview`."""
        if self._wants is not None:
            return
        known = min(self._repeated[stream], len(text))
        self._repeated[stream] -= known
        self._previewed[stream] += len(text) - known
        self.flush()
        self._buffers[stream] += text[known:]

    def resume(self) -> None:
        """See `LogSink.resume`."""
        self._repeated = dict(self._previewed)

    def note(self, text: str) -> None:
        """See `LogSink.note`."""
        self._on_note(text)

    def flush(self) -> None:
        """See `LogSink.flush`."""
        for name in self._buffers:
            self._flush_one(name)

    def _flush_one(self, name: str) -> None:
        buffer = self._buffers[name]
        if buffer:
            self.has_written, self.is_mid_line = True, not buffer.endswith(b"\n")
            self._writers[name](bytes(buffer))
            buffer.clear()
