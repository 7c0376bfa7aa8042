"""Follows logs live for any number of readers, at the price of one.

Every reader goes its own way through the file with nothing but an offset. Since equal bytes give equal events
(`domain.log_event`), the events of a stretch are made once, kept for a moment under the offset they start at, and
handed to every reader that comes to that offset. Back-pressure is each reader's own: it asks when it has sent.
"""

import asyncio
import errno
import os
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path

from fastflow.kernel.http.sse import KEEP_ALIVE, KEEP_ALIVE_SECONDS, RETRY
from fastflow.kernel.runs.domain.line_budget import LineBudget
from fastflow.kernel.runs.domain.log_event import (
    MAX_LINE_BYTES,
    MAX_SPAN_BYTES,
    Block,
    format_block,
    format_end,
    format_skipped,
    split_block,
)
from fastflow.kernel.runs.domain.logged_run import LoggedRun
from fastflow.kernel.runs.infra.file_watch import FileWatcher
from fastflow.kernel.runs.infra.log_reader import find_tail

BLOCK_BYTES = MAX_LINE_BYTES
"""Read at once; more than the longest stretch one event may join, so that every full block holds an event."""
CACHE_BYTES = 1024 * 1024
"""Events kept per followed log for readers that come to the same offset."""
NEWEST_BYTES = 1024 * 1024
"""How far from the end the newest lines are looked for when some are skipped."""

WaitEnded = Callable[[str], Awaitable[LoggedRun]]
"""Waits until the run with that id has ended; every byte of its log is then in the file."""


class LogFollower:
    """The logs being followed in this process.

    Args:
        wait_ended: tells when a run has ended.
        rate: lines per second to one reader; 0 means no limit.
        clock: seconds, monotonic.
        keep_alive: seconds of silence after which a comment is sent.
    """

    def __init__(
        self,
        wait_ended: WaitEnded,
        *,
        rate: int = 0,
        clock: Callable[[], float] = time.monotonic,
        keep_alive: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        self.rate = rate
        self.clock = clock
        self.keep_alive = keep_alive
        self._wait_ended = wait_ended
        self._watcher = FileWatcher()
        self._followed: dict[str, _FollowedLog] = {}
        self._closed = False

    @property
    def followed_runs(self) -> int:
        """How many logs have a reader now."""
        return len(self._followed)

    def close(self) -> None:
        """Let every stream stop where it is; clients resume with their last event id."""
        self._closed = True
        for log in tuple(self._followed.values()):
            log.close()

    async def follow(self, run: LoggedRun, offset: int, *, unfinished: bool = False) -> AsyncGenerator[bytes, None]:
        """Events of the run's log from `offset` (0, the id of an event, or the start of a line) to its end.

        Gives keep-alive comments while nothing happens. Closing the generator releases all it holds.

        Args:
            run: whose log.
            offset: where to begin.
            unfinished: also tell of text whose line has no end yet, as events without an id.
        """
        if self._closed:
            return
        log = self._followed.get(run.id)
        if log is None:
            log = self._followed[run.id] = _FollowedLog(run, self._watcher, self._wait_ended)
        log.readers += 1
        try:
            yield RETRY
            async with aclosing(_Reader(log, self, offset, unfinished).events()) as stream:
                async for events in stream:
                    yield events
        finally:
            log.readers -= 1
            if not log.readers:
                del self._followed[run.id]
                log.close()


class _FollowedLog:
    """What the readers of one log share: the open file, the watch on it, the wait for the end, events just made."""

    def __init__(self, run: LoggedRun, watcher: FileWatcher, wait_ended: WaitEnded) -> None:
        self.readers = 0
        self.ended: LoggedRun | None = run if run.ended else None
        self.closed = False
        self._path: Path = run.log_path
        self._descriptor = -1
        self._size = 0
        self.version = 0
        """Raised whenever the file may have grown or the run has ended: ask before reading, wait for a later one."""
        self._waiting: set[asyncio.Future[None]] = set()
        self._buffer = bytearray(BLOCK_BYTES)
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._cached_bytes = 0
        self._nothing_new = (-1, Block(0, 0, 0, b"", ()))
        self._reads: dict[int, asyncio.Task[bytes]] = {}
        self._watcher = watcher
        self._watch = None if run.ended else watcher.add(run.log_path, self._on_change)
        self._end_task = (
            None
            if run.ended
            else asyncio.create_task(  # noqa: TID251  # kept; readers ask for its error
                self._await_end(wait_ended, run.id)
            )
        )

    def close(self) -> None:
        """Release everything; readers that still wait find the log closed."""
        self.closed = True
        if self._watch is not None:
            self._watcher.remove(self._watch)
        if self._end_task is not None:
            self._end_task.cancel()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._wake()

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        self._open()
        return os.fstat(self._descriptor).st_size if self._descriptor >= 0 else 0

    @property
    def descriptor(self) -> int:
        """The open file; -1 while there is none."""
        return self._descriptor

    async def block_at(self, offset: int) -> Block:
        """Events from `offset` on, as far as one block goes; without any when there is nothing new.

        A block once given stays the same for the readers after, so that all go by the same steps.
        """
        if cached := self._cached(offset):
            return cached
        version = self.version
        data = await self._read(offset)
        if cached := self._cached(offset):  # another reader was first while this one waited for the disk
            return cached
        block = format_block(data, offset)
        if not block.count and len(data) == BLOCK_BYTES:  # not in our form: no line is that long
            block = format_block(data, offset, final=True)
        if block.count:
            self._blocks[offset] = block
            self._cached_bytes += len(block.events)
            while self._cached_bytes > CACHE_BYTES and len(self._blocks) > 1:
                _, old = self._blocks.popitem(last=False)
                self._cached_bytes -= len(old.events)
        else:
            self._nothing_new = (version, block)
        return block

    async def last_block(self, offset: int) -> Block:
        """Events for what stands after the last whole line of an ended log."""
        return format_block(await self._read(offset), offset, final=True)

    async def changed(self, version: int, seconds: float) -> bool:
        """Wait until there is a later version than `version`; False when `seconds` passed before that."""
        if self.version != version:
            return True
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        timer = asyncio.get_running_loop().call_later(seconds, _resolve, future)
        try:
            await future
        finally:
            timer.cancel()
            woken = future not in self._waiting
            self._waiting.discard(future)
        return woken

    def raise_failure(self) -> None:
        """Raise what made the wait for the end impossible (the run was deleted), if anything did."""
        if self._end_task is not None and self._end_task.done() and not self._end_task.cancelled():
            self._end_task.result()

    def _cached(self, offset: int) -> Block | None:
        if block := self._blocks.get(offset):
            self._blocks.move_to_end(offset)
            return block
        version, nothing = self._nothing_new
        return nothing if version == self.version and nothing.start == offset else None

    async def _read(self, offset: int) -> bytes:
        self._open()
        if self._descriptor < 0:
            return b""
        wanted = min(BLOCK_BYTES, max(0, self.size - offset))
        try:  # what is in memory is read at once; a slow disk must not stop the other streams
            count = os.preadv(self._descriptor, [self._buffer], offset, os.RWF_NOWAIT)
            if count >= wanted:
                return bytes(memoryview(self._buffer)[:count])
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
        return await self._read_from_disk(offset)

    async def _read_from_disk(self, offset: int) -> bytes:
        read = self._reads.get(offset)
        if read is None:
            # The read has a descriptor of its own: the log may be closed while a thread is still in it.
            read = asyncio.create_task(  # noqa: TID251  # kept and awaited below
                asyncio.to_thread(_pread_and_close, os.dup(self._descriptor), offset)
            )
            self._reads[offset] = read
            read.add_done_callback(lambda _: self._reads.pop(offset, None))
        return await asyncio.shield(read)

    def _open(self) -> None:
        if self._descriptor < 0 and not self.closed:
            with suppress(FileNotFoundError):  # a run that waits in the queue has no log yet
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def _on_change(self) -> None:
        size = self.size
        if size != self._size:
            self._size = size
            self._wake()

    def _wake(self) -> None:
        self.version += 1
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            _resolve(future)

    async def _await_end(self, wait_ended: WaitEnded, run_id: str) -> None:
        try:
            self.ended = await wait_ended(run_id)
        finally:
            self._wake()


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _pread_and_close(descriptor: int, offset: int) -> bytes:
    try:
        return os.pread(descriptor, BLOCK_BYTES, offset)
    finally:
        os.close(descriptor)


class _Reader:
    """One reader's way through a log."""

    def __init__(self, log: _FollowedLog, hub: LogFollower, offset: int, unfinished: bool) -> None:
        self._log = log
        self._offset = offset
        self._clock = hub.clock
        self._budget = LineBudget(hub.rate, hub.clock()) if hub.rate else None
        self._keep_alive = hub.keep_alive
        self._unfinished = unfinished
        self._told_unfinished = offset

    async def events(self) -> AsyncGenerator[bytes, None]:
        log = self._log
        while not log.closed:
            ended, version = log.ended, log.version  # asked before reading, so that nothing written later is missed
            block = await log.block_at(self._offset)
            if block.count:
                if events := await self._paced(block):
                    yield events
                continue
            if ended is not None:
                last = await log.last_block(self._offset)
                self._offset = last.end
                yield last.events + format_end(ended.status, ended.reason, ended.exit_code)
                return
            if self._unfinished and (events := self._new_unfinished(block)):
                yield events
            log.raise_failure()
            if not await log.changed(version, self._keep_alive):
                yield KEEP_ALIVE

    def _new_unfinished(self, block: Block) -> bytes:
        new = [part for part in block.unfinished if part.end > self._told_unfinished]
        if new:
            self._told_unfinished = new[-1].end
        return b"".join(part.event for part in new)

    async def _paced(self, block: Block) -> bytes:
        """The block, or as much as the reader's budget allows; what is far too much is skipped, and said so."""
        budget = self._budget
        if budget is None:
            return self._take(block)
        available = budget.available(self._clock())
        if block.count <= available:
            budget.spend(block.count)
            return self._take(block)
        if self._is_hopeless(block, available):
            await self._pause(budget, max(1, budget.rate // 4))
            return self._skip(budget.available(self._clock()))
        if available:
            budget.spend(available)
            return self._take(split_block(block, available))
        await self._pause(budget, min(block.count, max(1, budget.rate // 10)))
        return b""

    def _is_hopeless(self, block: Block, available: int) -> bool:
        """Whether the lines that wait are more than may be sent now and within the next second."""
        assert self._budget is not None
        allowed = available + self._budget.rate
        if block.count > allowed:
            return True
        size = self._log.size
        if size - block.end > NEWEST_BYTES:
            return True
        newlines, position = block.count, block.end
        while position < size and newlines <= allowed:
            data = os.pread(self._log.descriptor, BLOCK_BYTES, position)
            if not data:
                break
            newlines += data.count(b"\n")
            position += len(data)
        return newlines > allowed

    def _skip(self, lines: int) -> bytes:
        """Jump to where the newest `lines` lines begin."""
        size = self._log.size
        floor = max(self._offset, _line_after(self._log.descriptor, size))
        cut = find_tail(self._log.descriptor, floor, size, lines)
        goal = cut.start if cut.first_end - cut.start <= MAX_SPAN_BYTES else cut.first_end
        if goal <= self._offset:
            return b""
        start, self._offset = self._offset, goal
        return format_skipped(start, goal)

    def _take(self, block: Block) -> bytes:
        self._offset = block.end
        return block.events

    async def _pause(self, budget: LineBudget, lines: int) -> None:
        """Wait until the budget allows `lines` lines: a second at most, so a closing server waits no longer."""
        await asyncio.sleep(budget.seconds_until(lines, self._clock()))


def _line_after(descriptor: int, size: int) -> int:
    """The first line start within the last `NEWEST_BYTES` of the file."""
    if size <= NEWEST_BYTES:
        return 0
    begin = size - NEWEST_BYTES
    return begin + os.pread(descriptor, BLOCK_BYTES, begin).find(b"\n") + 1
