"""The form of a line of a run's log on disk, and the joining of its parts.

Each line is `TIMESTAMP STREAM TAG TEXT` (the CRI log form): an RFC 3339 time with nanoseconds, `stdout` or `stderr`,
`F` for a full line or `P` for a part that the next line of the same stream continues, and the script's own bytes.
The supervisor writes this form; whoever reads a log reads it with this module. See `docs/reference/log-format.md`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Stream = Literal["stdout", "stderr"]

PART_BYTES = 16 * 1024
"""Text of one line on disk; what a script prints on one longer line is written in parts (as container runtimes do)."""
HEAD_BYTES = 40
"""Bytes before the text in the form our supervisor writes: a time of 30 characters, the stream, the tag, three spaces."""
TAG_SLICE = slice(29, HEAD_BYTES)
"""Where the end of the time, stream and tag stand in that form; equal bytes there mean equal `Head`s."""


class Head(NamedTuple):
    """What stands before the text.

    Attributes:
        stream: which of the script's two outputs.
        is_part: whether the next line of the same stream continues this one.
        text_at: where the text begins, in bytes from the start of the line.
    """

    stream: Stream
    is_part: bool
    text_at: int


FULL_TAGS: dict[bytes, Stream] = {b"Z stdout F ": "stdout", b"Z stderr F ": "stderr"}
"""`line[TAG_SLICE]` of full lines."""
_HEADS: dict[bytes, Head] = {
    b"Z stdout F ": Head("stdout", False, HEAD_BYTES),
    b"Z stderr F ": Head("stderr", False, HEAD_BYTES),
    b"Z stdout P ": Head("stdout", True, HEAD_BYTES),
    b"Z stderr P ": Head("stderr", True, HEAD_BYTES),
}
_LOOSE = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.,]+(?:Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP])(?: |\Z)")
_FOREIGN = Head("stdout", False, 0)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log.

    Attributes:
        at: when it was written, RFC 3339 as on disk; empty for a line that is not in the log's form.
        stream: `stdout` or `stderr`.
        is_part: whether the next line of the same stream continues it.
        text: the script's bytes, without a newline.
    """

    at: str
    stream: Stream
    is_part: bool
    text: bytes


def read_head(line: bytes) -> Head:
    """The head of a line given without its newline.

    Bytes that are not in the log's form (a disk that was full in mid-line) count as text of stdout with no head, so
    that nothing is ever hidden.
    """
    head = _HEADS.get(line[TAG_SLICE])
    if head is not None:
        return head
    if match := _LOOSE.match(line):
        return Head("stdout" if match[1] == b"stdout" else "stderr", match[2] == b"P", match.end())
    return _FOREIGN


def parse_line(line: bytes) -> LogLine:
    """The line in `line`, given without its newline; never fails.

    >>> parse_line(b"2026-11-21T04:35:18.123456789Z stdout F hello")
    LogLine(at='2026-11-21T04:35:18.123456789Z', stream='stdout', is_part=False, text=b'hello')
    """
    head = read_head(line)
    at = line[: head.text_at].split(b" ", 1)[0].decode("ascii", "replace")
    return LogLine(at, head.stream, head.is_part, line[head.text_at :])


def format_line(line: LogLine) -> bytes:
    r"""The line as it stands on disk, with its newline.

    >>> format_line(LogLine("2026-11-21T04:35:18.123456789Z", "stderr", True, b"..."))
    b'2026-11-21T04:35:18.123456789Z stderr P ...\n'
    """
    tag = "P" if line.is_part else "F"
    return b"%s %s %s %s\n" % (line.at.encode(), line.stream.encode(), tag.encode(), line.text)


def join_parts(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """Whole lines in the order of their ends; each has the time of its first part.

    Parts are joined per stream, so a line of the other stream between them does no harm. Parts still without an end
    come last, with `is_part` true.
    """
    waiting: dict[Stream, list[LogLine]] = {}
    for line in lines:
        if line.is_part:
            waiting.setdefault(line.stream, []).append(line)
        elif parts := waiting.pop(line.stream, None):
            yield replace(_joined([*parts, line]), is_part=False)
        else:
            yield line
    for parts in waiting.values():
        yield _joined(parts)


def _joined(parts: list[LogLine]) -> LogLine:
    return replace(parts[0], text=b"".join(part.text for part in parts))
