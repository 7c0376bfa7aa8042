"""A run's log file opened for reading: line-aligned offsets, blocks of whole lines, the last lines from the end.

Memory is constant whatever the size of the file. `log_text.py` makes text of it, `log_follower.py` follows it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fastflow.kernel.runs.domain.log_line import Stream, read_head
from fastflow.kit.errors import InvalidInput

BLOCK_BYTES = 256 * 1024
BACKWARD_BLOCK_BYTES = 64 * 1024
LOOK_BACK_BYTES = 1024 * 1024
"""How far before a tail the parts of its first lines are looked for when other lines lie between."""


class TailCut(NamedTuple):
    """Where the last lines of a log begin.

    Attributes:
        start: offset of the first byte that belongs to any of them.
        first_end: offset of the physical line that completes the first of them; lines completed before it are not theirs.
    """

    start: int
    first_end: int


class LogFile:
    """The log as it was when opened: bytes added later are not seen.

    Args:
        path: the file.
        ended: whether the run has ended. Until then the log is taken to end with its last newline, so that nobody is
            given half a line.

    Raises:
        FileNotFoundError: there is no such file (yet).
    """

    def __init__(self, path: Path, *, ended: bool) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self.descriptor)
        self.modified_ns = found.st_mtime_ns
        self.end = found.st_size if ended else line_start(self.descriptor, found.st_size)

    def close(self) -> None:
        """Close the file; may be called again."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def align(self, start: int, end: int | None) -> tuple[int, int]:
        """The range moved outwards to whole lines.

        Raises:
            InvalidInput: the range begins beyond the end of the log, or ends before it begins.
        """
        if end is not None and end < start:
            raise InvalidInput(
                f"The range ends at {end}, before it begins at {start}.",
                code="invalid_log_range",
                hint="Give from ≤ to; both are byte offsets in the log file, as in the ids of the live stream.",
                fields={"to": "smaller than from"},
            )
        if start > self.end:
            raise offset_beyond_end(start, self.end, "from")
        last = self.end if end is None else min(end, self.end)
        return line_start(self.descriptor, start), line_end(self.descriptor, last, self.end)

    def is_line_start(self, offset: int) -> bool:
        """Whether a line begins (or the log ends) at the offset."""
        return offset in (0, self.end) or os.pread(self.descriptor, 1, offset - 1) == b"\n"


def offset_beyond_end(offset: int, end: int, field: str) -> InvalidInput:
    """The error for an offset that the log has not reached."""
    return InvalidInput(
        f"The offset {offset} lies beyond the end of the log, which has {end} bytes.",
        code="log_offset_beyond_end",
        hint="Resume with the id of the last event you received, or from 0.",
        fields={field: f"larger than {end}"},
    )


def line_start(descriptor: int, offset: int) -> int:
    """Where the line begins that holds the byte at `offset` (or that would, at the end of the file)."""
    stop = offset
    while stop > 0:
        begin = max(0, stop - BACKWARD_BLOCK_BYTES)
        found = os.pread(descriptor, stop - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        stop = begin
    return 0


def line_end(descriptor: int, offset: int, limit: int) -> int:
    """Where the line ends that holds the byte before `offset`: after its newline, or `limit`."""
    if offset == 0:
        return 0
    position = offset - 1
    while position < limit:
        data = os.pread(descriptor, min(BACKWARD_BLOCK_BYTES, limit - position), position)
        found = data.find(b"\n")
        if found >= 0:
            return position + found + 1
        if not data:
            break
        position += len(data)
    return limit


def read_blocks(descriptor: int, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines with their offsets; only the last one may lack its newline, if the range does."""
    size = BLOCK_BYTES
    while start < end:
        data = os.pread(descriptor, min(size, end - start), start)
        cut = len(data) if start + len(data) >= end else data.rfind(b"\n") + 1
        if not data:
            return
        if cut == 0:
            size *= 2  # not our supervisor's: its lines are never this long
            continue
        yield start, data[:cut]
        start += cut


def read_lines_backwards(descriptor: int, start: int, end: int, holding: bytes = b"") -> Iterator[tuple[int, bytes]]:
    """Lines without their newlines, last first, with their offsets; `start` is where a line begins.

    Blocks of lines among which the bytes `holding` do not occur are left out.
    """
    position, carry = end, b""
    while position > start:
        begin = max(start, position - BACKWARD_BLOCK_BYTES)
        data = os.pread(descriptor, position - begin, begin) + carry
        position = begin
        cut = data.find(b"\n", 0, len(data) - 1) + 1 if begin > start else 0
        if begin > start and cut == 0:
            carry = data
            continue
        carry, body = data[:cut], data[cut:]
        if holding not in body:
            continue
        lines = body.split(b"\n")
        at = begin + len(data)
        if not lines[-1]:
            lines.pop()
        else:
            at += 1  # the last line has no newline
        for line in reversed(lines):
            at -= len(line) + 1
            yield at, line


def find_tail(descriptor: int, start: int, end: int, count: int, stream: Stream | None = None) -> TailCut:
    """Where the last `count` whole lines (of one stream, if given) in the range begin.

    Parts of the first lines are found wherever they stand, unless more than `LOOK_BACK_BYTES` lie between two of them.
    """
    if count <= 0:
        return TailCut(end, end)
    scan = _TailScan(count, end)
    holding = b"" if stream is None else stream.encode()
    for offset, line in read_lines_backwards(descriptor, start, end, holding):
        head = read_head(line)
        if (stream is None or head.stream == stream) and scan.take(offset, head.stream, head.is_part):
            break
        if scan.is_too_far(offset):
            break
    return TailCut(scan.start, scan.first_end)


class _TailScan:
    def __init__(self, count: int, end: int) -> None:
        self.start = self.first_end = end
        self._left = count
        self._seen: set[Stream] = set()
        self._open: dict[Stream, int] = {}
        """Streams whose earliest line that we keep may have parts further up, and where it begins so far."""

    def take(self, offset: int, stream: Stream, is_part: bool) -> bool:
        """Count one line, going up; true when nothing further up matters."""
        completes = not is_part or stream not in self._seen
        self._seen.add(stream)
        if not completes:
            if stream in self._open:
                self._keep(offset, stream)
            return False
        if self._left:
            self._left -= 1
            self.first_end = offset
            self._keep(offset, stream)
            return False
        self._open.pop(stream, None)
        return not self._open

    def _keep(self, offset: int, stream: Stream) -> None:
        self._open[stream] = offset
        self.start = min(self.start, offset)

    def is_too_far(self, offset: int) -> bool:
        return not self._left and offset < min(self._open.values(), default=self.start) - LOOK_BACK_BYTES
