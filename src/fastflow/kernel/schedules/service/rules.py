"""The installation's own rules for schedules, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from fastflow.kernel.schedules.domain.deciding import Decision, decide
from fastflow.kernel.schedules.domain.schedule import Pause, Schedule
from fastflow.kernel.schedules.ports import Decide


@dataclass(frozen=True, kw_only=True)
class SchedulerRules:
    """What holds for all schedules.

    Attributes:
        grace: how late a due time may be noticed without counting as missed.
        ledger_days: days a row of the ledger is kept; None: for ever.
        batch: due times of one schedule that one transaction decides.
    """

    grace: timedelta = timedelta(seconds=60)
    ledger_days: float | None = None
    batch: int = 1000

    def decide(self, now: datetime) -> Decide:
        """How due times are decided at an instant."""
        return partial(_decide, now, self)


def _decide(now: datetime, rules: SchedulerRules, schedule: Schedule, pauses: Sequence[Pause]) -> Decision:
    return decide(schedule, pauses, now, grace=rules.grace, limit=rules.batch)
