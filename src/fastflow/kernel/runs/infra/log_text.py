"""Text of a stretch of a log: parts joined, filters applied, as a stream of bytes in constant memory.

A line in parts is remembered as spans of the file and read again when its end is met, so lines of any length come out
whole, wherever the other stream's lines stand between their parts.
"""

import os
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from fastflow.kernel.runs.domain.log_line import FULL_TAGS, HEAD_BYTES, TAG_SLICE, Stream, read_head
from fastflow.kernel.runs.domain.logged_run import LogQuery
from fastflow.kernel.runs.infra.log_reader import BLOCK_BYTES, LogFile, find_tail, read_blocks

_PART_MARKS = (b"stdout P ", b"stderr P ")


class Span(NamedTuple):
    """One physical line: offsets of its start, its text and the byte after its text (where its newline is)."""

    start: int
    text: int
    end: int


class LogText:
    """What a query gives of an opened log.

    Attributes:
        start: offset in the file of the first byte it covers.
        end: offset after the last: ask from here for what comes later.
    """

    def __init__(self, log: LogFile, query: LogQuery) -> None:
        self._log = log
        self._query = query
        self._needles = query.needles
        self.start, self.end = log.align(query.start, query.end)
        self._drop_before = self.start
        if query.tail is not None and query.grep is None:
            cut = find_tail(log.descriptor, self.start, self.end, query.tail, query.stream)
            self.start, self._drop_before = cut.start, cut.first_end

    @property
    def is_file_bytes(self) -> bool:
        """Whether the answer is the file's own bytes from `start` to `end`."""
        query = self._query
        is_plain = query.grep is None and query.stream is None and not query.offsets
        return query.times and is_plain and self._drop_before == self.start

    def chunks(self) -> Iterator[bytes]:
        """The answer; may be asked for again, with the same result."""
        if self.is_file_bytes:
            return read_range(self._log.descriptor, self.start, self.end)
        if self._query.tail is not None and self._query.grep is not None:
            return self._tail_of_matches(self._query.tail)
        return self._run_through()

    def _run_through(self) -> Iterator[bytes]:
        lines = _Lines(self._query, self._drop_before)
        for offset, block in read_blocks(self._log.descriptor, self.start, self.end):
            if lines.may_skip(block):
                continue
            rows = block.split(b"\n")
            last = rows.pop()
            if not last and offset >= self._drop_before and lines.is_plain(rows):
                if text := lines.plain_text(offset, rows):
                    yield text
                continue
            yield from self._render_all(lines.take(offset, rows, last))
        yield from self._render_all(lines.finish())

    def _tail_of_matches(self, count: int) -> Iterator[bytes]:
        lines = _Lines(self._query, self._drop_before)
        kept: deque[list[Span]] = deque(maxlen=count)
        for offset, block in read_blocks(self._log.descriptor, self.start, self.end):
            if lines.may_skip(block):
                continue
            rows = block.split(b"\n")
            last = rows.pop()
            if not last and lines.is_plain(rows):
                kept.extend(lines.plain_matches(offset, rows))
                continue
            kept.extend(spans for spans, _ in lines.take(offset, rows, last) if self._matches(spans))
        kept.extend(spans for spans, _ in lines.finish() if self._matches(spans))
        for spans in kept:
            yield from self._render(spans, is_whole=True)

    def _render_all(self, found: Iterator[tuple[list[Span], bool]]) -> Iterator[bytes]:
        pieces: list[bytes] = []
        size = 0
        for spans, is_whole in found:
            if self._query.grep is not None and not self._matches(spans):
                continue
            for piece in self._render(spans, is_whole):
                pieces.append(piece)
                size += len(piece)
                if size >= BLOCK_BYTES:
                    yield b"".join(pieces)
                    pieces, size = [], 0
        if pieces:
            yield b"".join(pieces)

    def _render(self, spans: list[Span], is_whole: bool) -> Iterator[bytes]:
        """The line's bytes; the text of a line without an end gets no newline, so that what follows continues it."""
        descriptor = self._log.descriptor
        if self._query.times:
            for span in spans:
                if self._query.offsets:
                    yield b"%d " % span.start
                yield from read_range(descriptor, span.start, min(span.end + 1, self.end))
            return
        for span in spans:
            yield from read_range(descriptor, span.text, span.end)
        if is_whole:
            yield b"\n"

    def _matches(self, spans: list[Span]) -> bool:
        if self._needles is None:
            return True
        descriptor = self._log.descriptor
        return self._needles.occur_in_chunks(
            data for span in spans for data in read_range(descriptor, span.text, span.end)
        )


def read_range(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    """The file's bytes from `start` to `end`."""
    while start < end:
        data = os.pread(descriptor, min(BLOCK_BYTES, end - start), start)
        if not data:
            return
        yield data
        start += len(data)


class _Lines:
    """Turns physical lines into whole ones; keeps the open parts of each stream."""

    def __init__(self, query: LogQuery, drop_before: int) -> None:
        self._query = query
        self._needles = query.needles
        self._drop_before = drop_before
        self._open: dict[Stream, list[Span]] = {}
        wanted = {tag for tag, stream in FULL_TAGS.items() if query.stream in (None, stream)}
        self._wanted_tag = wanted.pop() if len(wanted) == 1 else None

    def may_skip(self, block: bytes) -> bool:
        """Whether no line of the block can match, seen without taking it apart."""
        if self._needles is None or self._open or self._needles.may_be_in(block):
            return False
        return not any(mark in block for mark in _PART_MARKS)

    def is_plain(self, rows: list[bytes]) -> bool:
        """Whether every line is a full one and none waits: then whole blocks are done at once."""
        return not self._open and {row[TAG_SLICE] for row in rows} <= FULL_TAGS.keys()

    def plain_text(self, offset: int, rows: list[bytes]) -> bytes:
        """What the query leaves of full lines, of which the first begins at the offset."""
        if self._query.offsets:
            at = self._starts(offset, rows)
            return b"".join(
                b"%d %s\n" % (start, row) for start, row in zip(at, rows, strict=True) if self._is_wanted(row)
            )
        if self._needles is not None or self._wanted_tag is not None:
            rows = [row for row in rows if self._is_wanted(row)]
        if not rows:
            return b""
        if not self._query.times:
            rows = [row[HEAD_BYTES:] for row in rows]
        rows.append(b"")
        return b"\n".join(rows)

    def plain_matches(self, offset: int, rows: list[bytes]) -> Iterator[list[Span]]:
        """The full lines that the query leaves, of which the first begins at the offset."""
        for start, row in zip(self._starts(offset, rows), rows, strict=True):
            if self._is_wanted(row):
                yield [Span(start, start + HEAD_BYTES, start + len(row))]

    @staticmethod
    def _starts(offset: int, rows: list[bytes]) -> list[int]:
        return list(accumulate((len(row) + 1 for row in rows[:-1]), initial=offset)) if rows else []

    def _is_wanted(self, row: bytes) -> bool:
        if self._wanted_tag is not None and row[TAG_SLICE] != self._wanted_tag:
            return False
        needles = self._needles
        return needles is None or needles.occur_in(needles.fold(row), HEAD_BYTES)

    def take(self, offset: int, rows: list[bytes], last: bytes) -> Iterator[tuple[list[Span], bool]]:
        """Whole lines that end among `rows`; `last` is what stands after the last newline."""
        for row in rows:
            if found := self._take_one(offset, row):
                yield found, True
            offset += len(row) + 1
        if last and (found := self._take_one(offset, last)):
            yield found, False

    def finish(self) -> Iterator[tuple[list[Span], bool]]:
        """What never got its end; only the very last may be continued by what follows the stretch."""
        left = sorted(self._open.values())
        self._open = {}
        for number, spans in enumerate(left, 1):
            yield spans, number < len(left)

    def _take_one(self, offset: int, row: bytes) -> list[Span] | None:
        head = read_head(row)
        if self._query.stream not in (None, head.stream):
            return None
        span = Span(offset, offset + head.text_at, offset + len(row))
        if head.is_part:
            self._open.setdefault(head.stream, []).append(span)
            return None
        spans = self._open.pop(head.stream, [])
        if offset < self._drop_before:
            return None
        spans.append(span)
        return spans
