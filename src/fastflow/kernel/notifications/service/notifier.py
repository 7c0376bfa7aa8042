"""The loop of the runner process: follow what the code declares, watch, deliver."""

import asyncio
import logging
import threading
from dataclasses import dataclass
from datetime import timedelta

from fastflow.kernel.notifications.domain.dispatching import Batch
from fastflow.kernel.notifications.ports import Sights
from fastflow.kernel.notifications.service.declared import DeclaredRules
from fastflow.kernel.notifications.service.delivering import Deliverer
from fastflow.kernel.notifications.service.watching import Watcher
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Unavailable

logger = logging.getLogger(__name__)

_POLL_SECONDS = 2.0
_WATCH_EVERY = timedelta(seconds=10)
_DECLARED_EVERY = timedelta(seconds=5)
_FORGET_EVERY = timedelta(hours=1)
_PAUSE_AFTER_ERROR = 5.0
_SENDS_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class NotifierRules:
    """The installation's own rules.

    Attributes:
        alert_days: days an alert and what was sent of it is kept; None: for ever.
    """

    alert_days: float | None = 90.0


class Notifier:
    """One server's worker; any number of servers may have one."""

    def __init__(
        self,
        *,
        deliverer: Deliverer,
        watcher: Watcher,
        declared: DeclaredRules,
        sights: Sights,
        rules: NotifierRules,
        clock: Clock,
    ) -> None:
        self._deliverer = deliverer
        self._watcher = watcher
        self._declared = declared
        self._sights = sights
        self._rules = rules
        self._clock = clock
        start = clock.now() - _FORGET_EVERY
        self._watched_at = self._declared_at = self._forgotten_at = start
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End `run` soon, and what is being sent with it: it is sent again later. Idempotent."""
        self._stopping.set()
        self._deliverer.close()

    async def run(self) -> None:
        """Work until `stop` or cancelled; an error is logged and does not end it."""
        try:
            while not self._stopping.is_set():  # noqa: ASYNC110  other processes fill the outbox
                await asyncio.sleep(await self.work())
        finally:
            self.stop()

    async def work(self) -> float:
        """One round; how long to sleep then."""
        try:
            await asyncio.to_thread(self._look_around)
            batches = await asyncio.to_thread(self._deliverer.claim)
            limit = asyncio.Semaphore(_SENDS_AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for batch in batches:
                    group.create_task(self._send(batch, limit))
        except Unavailable as error:
            logger.warning("notifier.waits", extra={"fields": {"error": error.message}})
            return _PAUSE_AFTER_ERROR
        except Exception:
            logger.exception("notifier.failed")
            return _PAUSE_AFTER_ERROR
        return _POLL_SECONDS

    async def _send(self, batch: Batch, limit: asyncio.Semaphore) -> None:
        async with limit:
            try:
                await asyncio.to_thread(self._deliverer.deliver, batch)
            except Exception:  # the others are sent all the same; this one again after its lease
                logger.exception("notification.failed", extra={"fields": {"channel": batch.channel.name}})

    def _look_around(self) -> None:
        """What is done once in a while, each in its own rhythm; a clock that jumps only changes when."""
        now = self._clock.now()
        if abs(now - self._declared_at) >= _DECLARED_EVERY:
            self._declared_at = now
            self._follow_code()
        if abs(now - self._watched_at) >= _WATCH_EVERY:
            self._watched_at = now
            self._watcher.look()
        if abs(now - self._forgotten_at) >= _FORGET_EVERY and self._rules.alert_days is not None:
            self._forgotten_at = now
            while not self._stopping.is_set() and self._sights.forget(now - timedelta(days=self._rules.alert_days)):
                continue

    def _follow_code(self) -> None:
        try:
            self._declared.keep_in_step()
        except Unavailable:
            raise
        except FastFlowError as error:
            logger.warning("alert_rules.not_followed", extra={"fields": {"error": error.message}})
