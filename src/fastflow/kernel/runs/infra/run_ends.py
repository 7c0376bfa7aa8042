"""Waits for runs to end: woken by the runner's signal, with a slow look at the database beside it."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from fastflow.kernel.runs.domain.logged_run import LoggedRun
from fastflow.kit.errors import NotFound, Unavailable

_log = logging.getLogger("fastflow.logs")

POLL_SECONDS = 0.5
MAX_IDS = 500
"""Runs asked for in one query; SQLite takes no more than 32,766 values."""


class RunEnds:
    """Everybody in this process who waits for a run to end; one query serves them all.

    Args:
        find_ended: those of the given runs that have ended.
        find: the run, or None when there is no such run.
        poll: seconds between looks when no signal comes.
    """

    def __init__(
        self,
        find_ended: Callable[[Collection[str]], Sequence[LoggedRun]],
        find: Callable[[str], LoggedRun | None],
        *,
        poll: float = POLL_SECONDS,
    ) -> None:
        self._find_ended = find_ended
        self._find = find
        self._poll = poll
        self._waiting: defaultdict[str, set[asyncio.Future[LoggedRun]]] = defaultdict(set)
        self._signal = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def wait_ended(self, run_id: str) -> LoggedRun:
        """The run, once it has ended; at once when it has already.

        Raises:
            NotFound: there is no such run (any more).
        """
        future: asyncio.Future[LoggedRun] = asyncio.get_running_loop().create_future()
        self._waiting[run_id].add(future)
        if self._task is None or self._task.done():
            self._signal = asyncio.Event()  # of this event loop
            self._task = asyncio.create_task(self._look_while_waited())  # noqa: TID251  # kept; logs its errors itself
        self._signal.set()
        try:
            return await future
        finally:
            self._waiting[run_id].discard(future)
            if not self._waiting[run_id]:
                del self._waiting[run_id]
            if not self._waiting and self._task is not None:
                self._task.cancel()
                self._task = None

    def notify(self) -> None:
        """Look now: a run has changed."""
        self._signal.set()

    async def _look_while_waited(self) -> None:
        rounds = 0
        while self._waiting:
            self._signal.clear()
            try:
                await self._look(check_existence=rounds % 20 == 0)
            except Unavailable as error:  # the database is away: those who wait go on waiting
                _log.warning("run_ends_unknown", extra={"fields": {"code": error.code, "error": error.message}})
            except Exception:  # noqa: BLE001  # the top of a background loop: it must stay alive
                _log.exception("run_ends_failed")
            rounds += 1
            try:
                await asyncio.wait_for(self._signal.wait(), self._poll)
            except TimeoutError:
                continue

    async def _look(self, *, check_existence: bool) -> None:
        run_ids = sorted(self._waiting)
        for first in range(0, len(run_ids), MAX_IDS):
            some = run_ids[first : first + MAX_IDS]
            for run in await asyncio.to_thread(self._find_ended, some):
                self._resolve(run.id, run)
        if check_existence:  # a deleted run will never end
            for run_id in run_ids:
                if run_id in self._waiting and await asyncio.to_thread(self._find, run_id) is None:
                    self._resolve(run_id, NotFound(f"The run {run_id} was deleted.", code="unknown_run"))

    def _resolve(self, run_id: str, outcome: LoggedRun | NotFound) -> None:
        for future in self._waiting.get(run_id, ()):
            if future.done():
                continue
            if isinstance(outcome, NotFound):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
