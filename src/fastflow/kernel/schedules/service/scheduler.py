"""What runs in the runner process: sleeps until the earliest due time, decides what has come, starts what is to be started.

Any number of servers may do so at once. Everything is in the database: a scheduler that is killed between deciding and
starting leaves a row that says so, and the next one starts it, once.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from fastflow.kernel.schedules.ports import DECLARED_MESSAGE, WAKE_MESSAGE, Claimed, Ledger, Runs
from fastflow.kernel.schedules.service.declared import DeclaredSchedules
from fastflow.kernel.schedules.service.rules import SchedulerRules
from fastflow.kernel.schedules.service.starting import Starter
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Unavailable

logger = logging.getLogger(__name__)

SCHEDULES_AT_ONCE = 200
_STARTS_AT_ONCE = 20
_LATEST_START = timedelta(seconds=15)
"""Half of a lease: what was not begun by then is claimed anew."""
_SHORTEST_SLEEP = 0.01
_LONGEST_SLEEP = 5.0
"""So soon a jump of the clock, or a change whose message was lost, is noticed."""
_PAUSE_AFTER_ERROR = 1.0
_DECLARED_EVERY = timedelta(seconds=5)
_FORGET_EVERY = timedelta(hours=1)
_FORGOTTEN_AT_ONCE = 200


class Scheduler:
    """One server's scheduler.

    Args:
        ledger: the due-table.
        runs: where runs are submitted.
        declared: keeps schedules in step with the code; None: that is done elsewhere.
        rules: the installation's.
        clock: tells the time.
    """

    def __init__(
        self, *, ledger: Ledger, runs: Runs, declared: DeclaredSchedules | None, rules: SchedulerRules, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._starter = Starter(runs, rules)
        self._declared = declared
        self._rules = rules
        self._clock = clock
        self._declared_at = self._forgotten_at = clock.now() - _FORGET_EVERY
        self._signal = asyncio.Event()
        self._stopping = threading.Event()

    # -- the loop -----------------------------------------------------------------------------------------------------

    def notify(self, message: str) -> None:
        """Take a wake-up message; an `OnMessage`. Those that concern no schedule are for others."""
        if message == DECLARED_MESSAGE:
            self._declared_at -= _DECLARED_EVERY
        if message in (WAKE_MESSAGE, DECLARED_MESSAGE):
            self._signal.set()

    def stop(self) -> None:
        """End `run` soon. Idempotent."""
        self._stopping.set()
        self._signal.set()

    async def run(self) -> None:
        """Serve the due-table until `stop`; an error is logged and does not end it."""
        while not self._stopping.is_set():
            seconds = await self._work()
            try:
                async with asyncio.timeout(seconds):
                    await self._signal.wait()
            except TimeoutError:
                continue
            self._signal.clear()

    async def _work(self) -> float:
        """One round in a thread; how long to sleep then."""
        try:
            return await asyncio.to_thread(self._round)
        except Unavailable as error:
            logger.warning("scheduler.waits", extra={"fields": {"error": error.message}})
        except Exception:
            logger.exception("scheduler.failed")
        return _PAUSE_AFTER_ERROR

    def _round(self) -> float:
        self._keep_in_step()
        self.tick()
        self._forget()
        following = self._ledger.next_fire()
        if following is None:
            return _LONGEST_SLEEP
        return min(_LONGEST_SLEEP, max(_SHORTEST_SLEEP, (following - self._clock.now()).total_seconds()))

    # -- the work -----------------------------------------------------------------------------------------------------

    def tick(self) -> int:
        """Decide and start everything that has come. Returns how many due times were decided."""
        decided, has_more = 0, True
        while has_more and not self._stopping.is_set():
            now = self._clock.now()
            left = self._ledger.claim_left(now, limit=SCHEDULES_AT_ONCE)
            is_done = self._start(left, now) and len(left) < SCHEDULES_AT_ONCE
            now = self._clock.now()
            advanced = self._ledger.advance(now, self._rules.decide(now), limit=SCHEDULES_AT_ONCE)
            is_done = self._start(advanced.claimed, now) and is_done
            decided, has_more = decided + advanced.decided, advanced.has_more or not is_done
        return decided

    def _start(self, claimed: Sequence[Claimed], claimed_at: datetime) -> bool:
        """Start what was claimed; False: some was left, because the lease would not have lasted."""
        for first in range(0, len(claimed), _STARTS_AT_ONCE):
            now = self._clock.now()
            if self._stopping.is_set() or now - claimed_at > _LATEST_START:
                return False
            some = claimed[first : first + _STARTS_AT_ONCE]
            self._ledger.settle([self._starter.start(one, now) for one in some])
        return True

    def _keep_in_step(self) -> None:
        """Look at what is declared in code, once in a while; trouble with the code keeps no due time waiting."""
        now = self._clock.now()
        if self._declared is None or abs(now - self._declared_at) < _DECLARED_EVERY:
            return
        self._declared_at = now
        try:
            self._declared.keep_in_step()
        except FastFlowError as error:
            logger.warning("schedules.not_followed", extra={"fields": {"error": error.message}})
        except Exception:
            logger.exception("schedules.not_followed")

    def _forget(self) -> None:
        """Once an hour: remove rows of the ledger that have outlived their time."""
        now = self._clock.now()
        days = self._rules.ledger_days
        if days is None or abs(now - self._forgotten_at) < _FORGET_EVERY:
            return
        self._forgotten_at = now
        after: str | None = ""
        while after is not None and not self._stopping.is_set():
            after = self._ledger.forget(now - timedelta(days=days), after_id=after, limit=_FORGOTTEN_AT_ONCE)
