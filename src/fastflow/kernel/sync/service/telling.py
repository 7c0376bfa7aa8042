"""What a sync tells while it is worked on: gathered, and written to the database a few times a second."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastflow.kernel.sync.domain.sync import EventKind, NewEvent
from fastflow.kernel.sync.ports import EVENT_MESSAGE, SyncStore, WakeUp
from fastflow.kit.clock import Clock
from fastflow.kit.errors import Unavailable

logger = logging.getLogger(__name__)

_WRITE_SECONDS = 0.3
_MOST_LINES = 5_000
"""Of what uv says; a sync says so when it leaves out the rest."""
_MAX_LINE = 500


class Teller:
    """Takes what is to be told; may be used from any thread."""

    def __init__(self, store: SyncStore, sync_id: str, wakeup: WakeUp, clock: Clock) -> None:
        self._store = store
        self._sync_id = sync_id
        self._wakeup = wakeup
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[NewEvent] = []
        self._lines = 0

    def step(self, step: str, text: str, **data: Any) -> None:
        """It goes on to a step: fetch, check, plan, preheat, activate."""
        self._add("step", {"step": step, "text": text, **data})

    def pipeline(self, name: str, state: str, **data: Any) -> None:
        """How far the environment of a pipeline is."""
        self._add("pipeline", {"pipeline": name, "state": state, **data})

    def line(self, pipeline: str, line: str) -> None:
        """What uv says."""
        self._lines += 1
        if self._lines == _MOST_LINES:
            self.note(f"uv said {_MOST_LINES} lines; the rest is left out.")
        elif self._lines < _MOST_LINES and line.strip():
            self._add("line", {"pipeline": pipeline, "line": line[:_MAX_LINE]})

    def note(self, text: str) -> None:
        """A sentence."""
        self._add("note", {"text": text})

    def write(self) -> None:
        """Write what waits."""
        with self._lock:
            events, self._waiting = self._waiting, []
        if events:
            self._store.add_events(self._sync_id, events)
            self._wakeup.tell_web(EVENT_MESSAGE.format(self._sync_id))

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write as it comes, for as long as the block lasts, and what is left at its end."""
        task = asyncio.create_task(self._keep_writing())  # noqa: TID251 - awaited below
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await asyncio.to_thread(self._try_writing)

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.to_thread(self._try_writing)
            await asyncio.sleep(_WRITE_SECONDS)

    def _try_writing(self) -> None:
        try:
            self.write()
        except Unavailable as error:  # what it tells is not worth failing for
            logger.warning("sync.not_told", extra={"fields": {"sync": self._sync_id, "error": error.message}})

    def _add(self, kind: EventKind, data: dict[str, Any]) -> None:
        with self._lock:
            self._waiting.append(NewEvent(at=self._clock.now(), kind=kind, data=data))
