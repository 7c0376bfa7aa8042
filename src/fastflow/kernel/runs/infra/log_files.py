"""Opening logs of runs for one answer; see `log_ports.LogFiles`."""

import os
from collections.abc import Iterator
from dataclasses import replace

from fastflow.kernel.runs.domain.log_event import format_block, read_block, split_block
from fastflow.kernel.runs.domain.log_line import join_parts, parse_line
from fastflow.kernel.runs.domain.logged_run import LiveLog, LoggedRun, LogQuery, PolledLog
from fastflow.kernel.runs.infra.log_reader import BLOCK_BYTES, LogFile, find_tail, line_start, offset_beyond_end
from fastflow.kernel.runs.infra.log_text import LogText, read_range
from fastflow.kit.errors import InvalidInput

MAX_SHOWN_BYTES = 4096
"""Of one line among the last lines of a live run."""
MAX_TAIL_BYTES = 512 * 1024
"""Read at the end of a live run's log for its last lines."""


class OpenedLog:
    """See `log_ports.OpenLog`."""

    def __init__(self, log: LogFile, query: LogQuery) -> None:
        self._log = log
        self._text = LogText(log, query)
        self.start = self._text.start
        self.end = self._text.end
        self.size = self.end - self.start if self._text.is_file_bytes else None
        self.version = f"{log.end:x}-{log.modified_ns:x}"

    def read(self, start: int, end: int | None) -> Iterator[bytes]:
        """See `OpenLog.read`."""
        if self._text.is_file_bytes:
            last = self.end if end is None else min(self.end, self.start + end)
            return read_range(self._log.descriptor, self.start + start, last)
        return _cut(self._text.chunks(), start, end)

    def close(self) -> None:
        """See `OpenLog.close`."""
        self._log.close()


class LogFiles:
    """See `log_ports.LogFiles`."""

    def open(self, run: LoggedRun, query: LogQuery) -> OpenedLog | None:
        """See `LogFiles.open`."""
        log = _open(run)
        if log is None:
            return None
        try:
            return OpenedLog(log, query)
        except BaseException:
            log.close()
            raise

    def check_offset(self, run: LoggedRun, offset: int) -> None:
        """See `LogFiles.check_offset`."""
        log = _open(run)
        if log is None:
            if offset:
                raise offset_beyond_end(offset, 0, "since")
            return
        try:
            if offset > log.end:
                raise offset_beyond_end(offset, log.end, "since")
            if not log.is_line_start(offset):
                raise _not_aligned(offset, line_start(log.descriptor, offset))
        finally:
            log.close()

    def tail_offset(self, run: LoggedRun, lines: int) -> int:
        """See `LogFiles.tail_offset`."""
        log = _open(run)
        if log is None:
            return 0
        try:
            return find_tail(log.descriptor, 0, log.end, lines).start
        finally:
            log.close()

    def poll(self, run: LoggedRun, offset: int, lines: int) -> PolledLog:
        """See `LogFiles.poll`."""
        log = _open(run)
        if log is None:
            return PolledLog(run=run, lines=(), end=offset)
        try:
            data = os.pread(log.descriptor, max(0, min(BLOCK_BYTES, log.end - offset)), offset)
        finally:
            log.close()
        block = format_block(data, offset, final=run.ended and offset + len(data) == log.end)
        if block.count > lines:
            block = split_block(block, lines)
        return PolledLog(run=run, lines=read_block(block), end=block.end)

    def last_lines(self, run: LoggedRun, lines: int) -> LiveLog:
        """See `LogFiles.last_lines`."""
        log = _open(run)
        if log is None:
            return LiveLog(run=run, lines=())
        try:
            floor = max(0, log.end - MAX_TAIL_BYTES)
            begin = line_start(log.descriptor, floor)
            start = find_tail(log.descriptor, begin, log.end, lines).start
            data = os.pread(log.descriptor, log.end - start, start)
        finally:
            log.close()
        rows = data.split(b"\n")
        if not rows[-1]:
            rows.pop()
        joined = list(join_parts(parse_line(row) for row in rows))[-lines:]
        return LiveLog(run=run, lines=tuple(replace(line, text=line.text[:MAX_SHOWN_BYTES]) for line in joined))


def _open(run: LoggedRun) -> LogFile | None:
    try:
        return LogFile(run.log_path, ended=run.ended)
    except FileNotFoundError:
        return None


def _cut(blocks: Iterator[bytes], start: int, end: int | None) -> Iterator[bytes]:
    position = 0
    for block in blocks:
        first = max(0, start - position)
        last = len(block) if end is None else min(len(block), end - position)
        position += len(block)
        if first < last:
            yield block[first:last]
        if end is not None and position >= end:
            return


def _not_aligned(offset: int, nearest: int) -> InvalidInput:
    return InvalidInput(
        f"The offset {offset} lies in the middle of a line, which begins at {nearest}.",
        code="log_offset_not_aligned",
        hint=f"Resume with the id of the last event you received unchanged, or from {nearest}.",
        fields={"since": f"not the start of a line; {nearest} is"},
    )
