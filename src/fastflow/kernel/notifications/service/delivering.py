"""Takes what is due out of the outbox and hands it to the channels."""

import logging
from collections.abc import Callable, Sequence

from fastflow.kernel.notifications.domain.channel import fingerprint
from fastflow.kernel.notifications.domain.dispatching import Batch
from fastflow.kernel.notifications.domain.message import MAX_LINES, Message, Surroundings, compose, summarise
from fastflow.kernel.notifications.domain.outbox import Alert
from fastflow.kernel.notifications.ports import Delivery, LogTail, Outbox, Sender
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError
from fastflow.kit.secret_text import SecretText

logger = logging.getLogger(__name__)

_AT_ONCE = 200
Reveal = Callable[[str], Sequence[SecretText]]
"""The addresses of a channel."""


class Deliverer:
    """One worker. What it claimed and did not settle, because it was killed, is sent by somebody after the lease."""

    def __init__(
        self, *, outbox: Outbox, sender: Sender, reveal: Reveal, logs: LogTail, clock: Clock, url: str | None
    ) -> None:
        self._outbox = outbox
        self._sender = sender
        self._reveal = reveal
        self._logs = logs
        self._clock = clock
        self._url = url

    def claim(self) -> Sequence[Batch]:
        """What is to be sent now."""
        return self._outbox.claim(self._clock.now(), limit=_AT_ONCE)

    def deliver(self, batch: Batch) -> None:
        """One attempt for a claimed batch, and its outcome in the outbox."""
        alerts = self._outbox.load_alerts(batch)
        message = self.compose(batch, alerts)
        delivery = self._attempt(batch, message)
        self._outbox.settle(batch, message, delivery, self._clock.now())
        fields = {"channel": batch.channel.name, "alerts": len(alerts)}
        if delivery.problem is None:
            logger.info("notification.sent", extra={"fields": fields})
        else:
            logger.warning("notification.not_sent", extra={"fields": {**fields, "problem": delivery.problem}})

    def compose(self, batch: Batch, alerts: Sequence[Alert]) -> Message:
        """What the channel is told."""
        if len(alerts) == 1:
            (alert,) = alerts
            lines: Sequence[str] = ()
            if alert.run_id is not None and alert.event in ("failure", "slow", "crash-loop"):
                lines = self._logs.last_lines(alert.run_id, MAX_LINES)
            repeat = max(one.repeat for one in batch.notifications)
            return compose(alert, Surroundings(lines=lines, url=self._url), repeat=repeat)
        held = any(one.held for one in batch.notifications)
        same = "of the same kind came" if len({alert.event for alert in alerts}) == 1 else "came"
        return summarise(alerts, "came in quiet hours" if held else f"{same} in a short time", url=self._url)

    def close(self) -> None:
        """End attempts that are going on."""
        self._sender.close()

    def _attempt(self, batch: Batch, message: Message) -> Delivery:
        taken = set.intersection(*(set(one.delivered) for one in batch.notifications))
        try:
            urls = [url for url in self._reveal(batch.channel.name) if fingerprint(url.reveal()) not in taken]
        except FastFlowError as error:
            return Delivery(delivered=(), problem=error.message)
        if not urls:
            return Delivery(delivered=(), problem=None)
        return self._sender.send(urls, message, batch.severity)
