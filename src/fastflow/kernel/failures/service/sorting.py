"""Puts failed runs into groups, beside everything else: an end is written first, and its log is read here later."""

import asyncio
import logging

from fastflow.kernel.failures.domain.fingerprint import describe
from fastflow.kernel.failures.ports import GroupStore, LogTails
from fastflow.kit.errors import Unavailable

logger = logging.getLogger(__name__)

AT_ONCE = 50
_EVERY_SECONDS = 2.0
_PAUSE_AFTER_ERROR = 5.0


class FailureSorter:
    """One server's: it reads the logs that lie with it.

    Args:
        store: the groups.
        tails: the ends of logs.
        host: id of the data directory.
    """

    def __init__(self, *, store: GroupStore, tails: LogTails, host: str) -> None:
        self._store = store
        self._tails = tails
        self._host = host

    async def run(self) -> None:
        """Sort what comes, until cancelled; an error is logged and does not end it."""
        while True:
            pause = _EVERY_SECONDS
            try:
                if await asyncio.to_thread(self.sort) == AT_ONCE:
                    pause = 0.1  # a backlog, such as of an older release: the runner's own work goes between
            except Unavailable as error:
                logger.warning("failures.wait", extra={"fields": {"error": error.message}})
                pause = _PAUSE_AFTER_ERROR
            except Exception:
                logger.exception("failures.not_sorted")
                pause = _PAUSE_AFTER_ERROR
            await asyncio.sleep(pause)

    def sort(self) -> int:
        """One round. Returns how many runs were looked at."""
        runs = self._store.load_unsorted(self._host, limit=AT_ONCE)
        found = []
        for run in runs:
            reason = run.reason or "exit"
            lines = self._tails.read(run.id) if reason == "exit" else ()
            found.append((run, describe(reason, run.reason_text, run.exit_code, lines)))
        if found:
            self._store.sort(found)
        return len(runs)
