"""Log lines as server-sent events: the pure, fast half of live following.

The id of an event is the offset in the log file after the last byte it tells of, and nothing told later lies before it.
So a reader resumes from any id with no other memory, and equal bytes of the file always give equal events.

For that, parts of a line are joined only while they follow each other in the file and span at most `MAX_SPAN_BYTES`;
otherwise what is there is told with `"partial": true`, and the next event of that stream continues it.
"""

import base64
import json
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from fastflow.kernel.runs.domain.log_line import FULL_TAGS, HEAD_BYTES, PART_BYTES, TAG_SLICE, Stream, parse_line

MAX_SPAN_BYTES = 4 * (PART_BYTES + 64)
"""Bytes of the file that one event may join: four full parts, 64 KiB of text."""
MAX_LINE_BYTES = 128 * 1024
"""Bytes without a newline that are taken for a line at all; our supervisor's are eight times shorter."""
EVENT_END = b"\n\n"


class Unfinished(NamedTuple):
    """A part at the end of the file whose line has no end yet.

    Attributes:
        end: offset in the file after it.
        event: an `event: unfinished` with its text; it has no id, for the `log` event of the whole line will follow.
    """

    end: int
    event: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """Events for a stretch of the file.

    Attributes:
        start: offset where the stretch begins.
        end: offset after it: the id of the last event, or `start` when there is none.
        count: how many events.
        events: the events, one after the other, each ended by an empty line.
        unfinished: parts right after `end` that wait for the rest of their line.
    """

    start: int
    end: int
    count: int
    events: bytes
    unfinished: tuple[Unfinished, ...]


def format_block(data: bytes, start: int, *, final: bool = False) -> Block:
    """Events for `data`, the bytes of the log from offset `start` on.

    Args:
        data: may end in mid-line; what has no newline yet is left for the next time.
        start: 0, or the id of an event.
        final: the file will not grow: tell of what has no end, too.
    """
    writer = _Writer(start)
    lines = data.split(b"\n")
    rest = lines.pop()
    writer.take_lines(lines)
    if rest and (final or len(rest) >= MAX_LINE_BYTES):
        writer.take_rest(rest)
    if final:
        writer.flush()
    return Block(start, writer.clean, len(writer.events), "".join(writer.events).encode(), writer.unfinished())


def split_block(block: Block, count: int) -> Block:
    """The first `count` events of the block (0 < count < block.count)."""
    at = 0
    for _ in range(count):
        at = block.events.index(EVENT_END, at) + len(EVENT_END)
    last = block.events.rindex(b"\nid: ", 0, at) + len(b"\nid: ")
    end = int(block.events[last : block.events.index(b"\n", last)])
    return Block(block.start, end, count, block.events[:at], ())


def read_block(block: Block) -> list[tuple[int, dict[str, Any]]]:
    """The events of the block as they were told: id and data of each."""
    told = []
    for event in block.events.split(EVENT_END)[:-1]:
        _, number, data = event.split(b"\n", 2)
        told.append((int(number.removeprefix(b"id: ")), json.loads(data.removeprefix(b"data: "))))
    return told


def format_skipped(start: int, end: int) -> bytes:
    """Tells that the lines in these bytes of the file were left out."""
    return b'event: skipped\nid: %d\ndata: {"from":%d,"to":%d}\n\n' % (end, start, end)


def format_end(status: str, reason: str | None, exit_code: int | None) -> bytes:
    """The last event of a log."""
    data = json.dumps({"status": status, "reason": reason, "exit_code": exit_code}, separators=(",", ":"))
    return b"event: end\ndata: %s\n\n" % data.encode()


def line_fields(text: bytes) -> dict[str, Any]:
    """`line` with U+FFFD for what is not UTF-8, and then also `b64` with the bytes themselves."""
    try:
        return {"line": text.decode()}
    except UnicodeDecodeError:
        return {"line": text.decode(errors="replace"), "b64": base64.b64encode(text).decode()}


class _Writer:
    def __init__(self, start: int) -> None:
        self.events: list[str] = []
        self.clean = start
        self._offset = start
        self._parts: list[bytes] = []
        self._part_ends: list[int] = []
        self._part_stream: Stream = "stdout"
        self._part_at = ""

    def take_lines(self, lines: list[bytes]) -> None:
        """The hot loop: a full line with nothing waiting is one slice, one look-up and one format (1.5 µs)."""
        prefixes: dict[bytes, str | None] = {}
        events, offset = self.events, self._offset
        for line in lines:
            offset += len(line) + 1
            head = line[:HEAD_BYTES]
            try:
                prefix = prefixes[head]
            except KeyError:
                prefix = prefixes[head] = _full_prefix(head)
            if prefix is None or self._parts:
                self._offset = offset
                self._take_slowly(line)
                continue
            try:
                events.append(
                    f"event: log\nid: {offset}\ndata: {prefix}{encode_basestring(line[HEAD_BYTES:].decode())}}}\n\n"
                )
                self.clean = offset
            except UnicodeDecodeError:
                self._offset = offset
                self._take_slowly(line)
        self._offset = offset

    def take_rest(self, rest: bytes) -> None:
        self._offset += len(rest)
        line = parse_line(rest)
        self.flush()
        self._tell(line.at, line.stream, line.text, self._offset, partial=True)

    def flush(self) -> None:
        """Tell of the parts that wait, as far as they go."""
        if self._parts:
            self._tell(self._part_at, self._part_stream, b"".join(self._parts), self._part_ends[-1], partial=True)
            self._parts, self._part_ends = [], []

    def unfinished(self) -> tuple[Unfinished, ...]:
        return tuple(
            Unfinished(
                end, b"event: unfinished\ndata: %s\n\n" % _data(self._part_at, self._part_stream, text, False).encode()
            )
            for text, end in zip(self._parts, self._part_ends, strict=True)
        )

    def _take_slowly(self, raw: bytes) -> None:
        line = parse_line(raw)
        if self._parts and (line.stream != self._part_stream or self._offset - self.clean > MAX_SPAN_BYTES):
            self.flush()
        if line.is_part:
            if not self._parts:
                self._part_stream, self._part_at = line.stream, line.at
            self._parts.append(line.text)
            self._part_ends.append(self._offset)
        elif self._parts:
            self._tell(self._part_at, line.stream, b"".join([*self._parts, line.text]), self._offset, partial=False)
            self._parts, self._part_ends = [], []
        else:
            self._tell(line.at, line.stream, line.text, self._offset, partial=False)

    def _tell(self, at: str, stream: Stream, text: bytes, end: int, *, partial: bool) -> None:
        self.events.append(f"event: log\nid: {end}\ndata: {_data(at, stream, text, partial)}\n\n")
        self.clean = end


def _full_prefix(head: bytes) -> str | None:
    stream = FULL_TAGS.get(head[TAG_SLICE])
    if stream is None:
        return None
    at = head[: TAG_SLICE.start + 1].decode("ascii", "replace")
    return f'{{"ts":{encode_basestring(at)},"stream":"{stream}","line":'


def _data(at: str, stream: Stream, text: bytes, partial: bool) -> str:
    fields = {"ts": at, "stream": stream, **line_fields(text)}
    if partial:
        fields["partial"] = True
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
