"""The events of all runs as one live sequence, read once for all who listen."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence

from fastflow.kernel.http.sse import KEEP_ALIVE, KEEP_ALIVE_SECONDS, RETRY, format_event
from fastflow.kernel.runs.domain.logged_run import FeedEvent
from fastflow.kit.errors import Unavailable

POLL_SECONDS = 0.5
BATCH = 500
GAP_SECONDS = 2.0
"""How long a missing id is waited for. PostgreSQL gives ids out before commit, so a lower id may become visible after a
higher one; an id that stays missing this long belongs to a transaction that was rolled back."""

LoadEvents = Callable[[int, int], Sequence[FeedEvent]]
"""Events after an id, at most so many, in order."""


class EventFeed:
    """Hands the events of all runs to any number of listeners.

    Args:
        load_events: reads them.
        last_event_id: the highest id there is.
        gap_seconds: how long a missing id is waited for; 0 where ids become visible in order (SQLite).
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        load_events: LoadEvents,
        last_event_id: Callable[[], int],
        *,
        gap_seconds: float = GAP_SECONDS,
        poll: float = POLL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load_events = load_events
        self._last_event_id = last_event_id
        self._gap_seconds = gap_seconds
        self._poll = poll
        self._clock = clock
        self._loads: dict[int, asyncio.Task[Sequence[FeedEvent]]] = {}
        self._wakeup = asyncio.Event()
        self._ticker: asyncio.TimerHandle | None = None
        self._listeners = 0
        self._closed = False

    def notify(self) -> None:
        """Look now: something was written."""
        wakeup, self._wakeup = self._wakeup, asyncio.Event()
        wakeup.set()

    def close(self) -> None:
        """Let every listener's stream stop."""
        self._closed = True
        self.notify()

    async def listen(self, since: int | None, wanted: Callable[[FeedEvent], bool]) -> AsyncGenerator[bytes, None]:
        """Events after the id `since` (None: from now on) that are `wanted`, without end."""
        newest = await asyncio.to_thread(self._last_event_id)
        position = newest if since is None else since
        gap = _Gap(self._gap_seconds, newest, self._clock())
        self._listeners += 1
        self._tick_later()
        try:
            yield RETRY
            quiet_since = self._clock()
            while not self._closed:
                wakeup = self._wakeup  # taken before looking, so that nothing written later is slept through
                events = gap.in_order(await self._load(position), position, self._clock())
                if events:
                    position = events[-1].id
                    told = b"".join(_format(event) for event in events if wanted(event))
                    if told:
                        quiet_since = self._clock()
                        yield told
                    continue
                if self._clock() - quiet_since >= KEEP_ALIVE_SECONDS:
                    quiet_since = self._clock()
                    yield KEEP_ALIVE
                await wakeup.wait()
        finally:
            self._listeners -= 1

    def _tick_later(self) -> None:
        """While anybody listens, wake all at once every `poll` seconds: then they share one query."""
        if self._ticker is None and self._listeners:
            self._ticker = asyncio.get_running_loop().call_later(self._poll, self._tick)

    def _tick(self) -> None:
        self._ticker = None
        self._tick_later()
        self.notify()

    async def _load(self, after_id: int) -> Sequence[FeedEvent]:
        """What comes after the id; those who ask for the same at the same time share one query."""
        load = self._loads.get(after_id)
        if load is None:
            load = asyncio.create_task(asyncio.to_thread(self._load_events, after_id, BATCH))  # noqa: TID251  # awaited below
            self._loads[after_id] = load
            load.add_done_callback(lambda _: self._loads.pop(after_id, None))
        try:
            return await asyncio.shield(load)
        except Unavailable:  # the database is away: keep the stream, look again
            return ()


class _Gap:
    """Holds back what follows a missing id until that id has had its time to appear.

    Args:
        patience: seconds it has; 0 holds nothing back.
        newest: the highest id when the listener came: gaps below it have been there since then at least.
        now: when that was.
    """

    def __init__(self, patience: float, newest: int, now: float) -> None:
        self._patience = patience
        self._newest = newest
        self._came_at = now
        self._missing: tuple[int, float] | None = None

    def in_order(self, events: Sequence[FeedEvent], position: int, now: float) -> Sequence[FeedEvent]:
        """The events up to the first gap that is not old enough."""
        if not self._patience:
            return events
        expected = position + 1
        for number, event in enumerate(events):
            if event.id > expected and not self._is_settled(event.id, now):
                return events[:number]
            expected = event.id + 1
        return events

    def _is_settled(self, event_id: int, now: float) -> bool:
        if event_id <= self._newest:
            return now - self._came_at >= self._patience
        if self._missing is None or self._missing[0] != event_id:
            self._missing = (event_id, now)
        return now - self._missing[1] >= self._patience


def _format(event: FeedEvent) -> bytes:
    data = {
        "run_id": event.run_id,
        "pipeline_name": event.pipeline_name,
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "kind": event.kind,
        "data": event.data,
    }
    return format_event(event.kind, data, event.id)
