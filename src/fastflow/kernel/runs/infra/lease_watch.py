"""Which runs of other servers are lost: their leases are past by the clock, and were seen not to be renewed.

The clock alone does not decide: one that steps forwards makes every other server look silent at once, and one that
steps backwards makes none look so for as long. What this process has watched, by a clock that never steps, does.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from fastflow.kernel.runs.domain import commands as command


class LeaseWatch:
    """Remembers since when each lease of another server is as it is.

    Args:
        lost_after: seconds of silence after which a run is given up.
        watch_seconds: how long its lease must have been seen unchanged besides.
        monotonic: seconds that never step.
    """

    def __init__(
        self, *, lost_after: float, watch_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._silence = max(0.0, lost_after - command.LEASE_SECONDS)
        self._silence_stopped = max(self._silence, command.STOPPED_LOST_AFTER_SECONDS)
        self._watch_seconds = watch_seconds
        self._monotonic = monotonic
        self._seen: dict[str, tuple[datetime, float]] = {}

    def find_lost(self, rows: Sequence[Any], now: datetime) -> Sequence[Any]:
        """Those of the rows whose runs are lost.

        Args:
            rows: all running runs of other servers: `id`, `lease_expires_at`, and when their runner was stopped in order,
                `stopped_at`.
            now: by the machine's clock.
        """
        moment = self._monotonic()
        before, self._seen = self._seen, {}
        for row in rows:
            expires, since = before.get(row.id, (None, moment))
            self._seen[row.id] = (row.lease_expires_at, since if expires == row.lease_expires_at else moment)
        return [row for row in rows if self._is_lost(row, moment - self._seen[row.id][1], now)]

    def _is_lost(self, row: Any, unchanged: float, now: datetime) -> bool:
        silence = self._silence if row.stopped_at is None else self._silence_stopped
        is_past = row.lease_expires_at < now - timedelta(seconds=silence)
        return unchanged >= (self._watch_seconds if is_past else silence + command.LEASE_SECONDS)
