"""Sends the traces of ended runs, beside the dispatcher and never in its way."""

import asyncio
import logging

from fastflow.kernel.tracing.domain.spans import spans_of
from fastflow.kernel.tracing.ports import SpanSender, TraceStore
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError

logger = logging.getLogger(__name__)

_BATCH = 128
_LOOK_SECONDS = 2.0
_LONGEST_PAUSE = 60.0
MOST_WAITING = 10_000
"""Ends that wait for a collector that is away; the oldest are forgotten beyond."""


class TraceKeeper:
    """Looks for ended runs and sends their spans. What was sent and not noted, for this process was killed, is sent
    again with the same ids.

    Args:
        store: which are due; None: tracing is off.
        sender: the collector.
        share: of the traces that begin here, how many are sent: 0 to 1.
        clock: the machine's.
    """

    def __init__(self, store: TraceStore | None, sender: SpanSender | None, share: float, clock: Clock) -> None:
        self._store = store
        self._sender = sender
        self._share = share
        self._clock = clock

    async def run(self) -> None:
        """Until it is cancelled; at once over when tracing is off."""
        if self._store is None or self._sender is None:
            return
        pause = _LOOK_SECONDS
        try:
            while True:
                try:
                    sent = await asyncio.to_thread(self.send_some)
                except FastFlowError as error:
                    logger.warning("traces.not_looked_for", extra={"fields": {"error": error.message}})
                    sent = None
                pause = min(_LONGEST_PAUSE, pause * 2) if sent is None else _LOOK_SECONDS
                if sent != _BATCH:
                    await asyncio.sleep(pause)
        finally:
            self._sender.close()

    def send_some(self) -> int | None:
        """Send what is due, some of it; how many runs that were, None when the collector did not take them."""
        assert self._store is not None
        assert self._sender is not None
        due = self._store.take(self._clock.now(), _BATCH)
        if not due:
            return 0
        numbers = [number for number, _ in due]
        spans = [span for _, ended in due if ended is not None for span in spans_of(ended, self._share)]
        if spans and not self._sender.send(spans):
            self._store.give_back(numbers)
            dropped = self._store.trim(MOST_WAITING)
            logger.warning("traces.not_sent", extra={"fields": {"runs": len(numbers), "forgotten": dropped}})
            return None
        self._store.forget(numbers)
        return len(numbers)
