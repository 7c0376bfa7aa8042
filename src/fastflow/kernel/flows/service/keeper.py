"""What runs in the runner process: looks at flows that are due: lists to be spread out, approvals whose time is over,
cancelled runs to be stopped; and, at its start and once a minute, at ends that a flow might have overlooked.

Any number of servers may do so at once: each look holds the flow's row.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from fastflow.kernel.flows.domain.flow import Flow
from fastflow.kernel.flows.ports import WAKE_MESSAGE, FlowStore, Runs, WakeUp
from fastflow.kernel.runs.domain.errors import RunEnded
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Unavailable
from fastflow.kit.identity import SYSTEM, Actor, Role

logger = logging.getLogger(__name__)

_AT_ONCE = 100
_CANCELLED_AT_ONCE = 200
_LONGEST_SLEEP = 1.0
"""So soon what another process left is noticed, should its message be lost."""
_SHORTEST_SLEEP = 0.01
_PAUSE_AFTER_ERROR = 1.0
_RECONCILE_EVERY = timedelta(minutes=1)


class FlowKeeper:
    """One server's keeper of flows.

    Args:
        store: the flows.
        runs: ends those of cancelled flows.
        wakeup: wakes the runner when runs were submitted.
        clock: tells the time.
        has_work: whether a transaction of this process left work; None: look at every message.
    """

    def __init__(
        self, store: FlowStore, runs: Runs, wakeup: WakeUp, clock: Clock, has_work: Callable[[], bool] | None = None
    ) -> None:
        self._store = store
        self._runs = runs
        self._wakeup = wakeup
        self._clock = clock
        self._has_work = has_work
        self._reconciled_at: datetime | None = None
        self._signal = asyncio.Event()
        self._stopping = threading.Event()

    # -- the loop -------------------------------------------------------------------------------------------------------

    def notify(self, message: str) -> None:
        """Take a wake-up message; an `OnMessage`. `wake` concerns flows when a run's end left them work."""
        if message == WAKE_MESSAGE or (message == "wake" and (self._has_work is None or self._has_work())):
            self._signal.set()

    def stop(self) -> None:
        """End `run` soon. Idempotent."""
        self._stopping.set()
        self._signal.set()

    async def run(self) -> None:
        """Keep flows until `stop`; an error is logged and does not end it."""
        while not self._stopping.is_set():
            self._signal.clear()
            seconds = await self._work()
            try:
                async with asyncio.timeout(seconds):
                    await self._signal.wait()
            except TimeoutError:
                continue

    async def _work(self) -> float:
        """One round in a thread; how long to sleep then."""
        try:
            return await asyncio.to_thread(self._round)
        except Unavailable as error:
            logger.warning("flows.wait", extra={"fields": {"error": error.message}})
        except Exception:
            logger.exception("flows.failed")
        return _PAUSE_AFTER_ERROR

    def _round(self) -> float:
        self._reconcile()
        self.tick()
        following = self._store.next_due()
        if following is None:
            return _LONGEST_SLEEP
        return min(_LONGEST_SLEEP, max(_SHORTEST_SLEEP, (following - self._clock.now()).total_seconds()))

    # -- the work -------------------------------------------------------------------------------------------------------

    def tick(self) -> int:
        """Look at every flow that is due now. Returns how many looks that took."""
        looks = 0
        for flow_id in self._store.find_due(self._clock.now(), limit=_AT_ONCE):
            try:
                looks += self._look(flow_id)
            except Unavailable:
                raise
            except Exception:  # the others are looked at all the same
                logger.exception("flow.not_moved", extra={"fields": {"flow": flow_id}})
        return looks

    def reconcile(self) -> int:
        """Take ends that flows have overlooked; how many flows that concerned. There should be none."""
        found = self._store.reconcile(self._clock.now(), limit=_AT_ONCE)
        if found:
            logger.warning("flows.overlooked", extra={"fields": {"flows": found}})
            self._wakeup.wake_runner("wake")
        return found

    def _look(self, flow_id: str) -> int:
        looks, has_more = 0, True
        while has_more and not self._stopping.is_set():
            looked = self._store.look(flow_id, self._clock.now())
            looks, has_more = looks + 1, looked.has_more
            if looked.queued:
                self._wakeup.wake_runner("wake")
            if looked.flow is not None and looked.flow.cancel_requested_at is not None:
                self._stop_runs(looked.flow)
        return looks

    def _stop_runs(self, flow: Flow) -> None:
        """Stop what runs of a cancelled flow; an adopted run is another one's to stop."""
        by = Actor(name=flow.cancel_requested_by or SYSTEM.name, role=Role.OPERATOR)
        why = f"its {flow.kind} was cancelled" + (f": {flow.cancel_reason}" if flow.cancel_reason else "")
        for run_id in self._store.load_running(flow.id, limit=_CANCELLED_AT_ONCE):
            try:
                run = self._runs.get(run_id, actor=SYSTEM)
                if (run.capsule.get("flow") or {}).get("id", flow.id) == flow.id:
                    self._runs.cancel(run_id, actor=by, reason=why)
            except RunEnded:
                continue
            except Unavailable:
                raise
            except FastFlowError as error:
                logger.warning("flow.run_not_stopped", extra={"fields": {"run_id": run_id, "error": error.message}})

    def _reconcile(self) -> None:
        now = self._clock.now()
        if self._reconciled_at is None or abs(now - self._reconciled_at) >= _RECONCILE_EVERY:
            self._reconciled_at = now
            self.reconcile()
