"""How much history an installation keeps."""

from dataclasses import dataclass
from datetime import datetime, timedelta

SYNCS_KEPT = 50
"""Newest syncs of each repository that stay whatever their age: a rollback goes back to one of them."""
_UNTOLD = timedelta(days=1)
"""Age from which a group of failures without runs is removed, when no age of runs is set."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What may go, and when.

    Attributes:
        run_days: days after its end when a run may be removed; None: never.
        run_count: newest ended runs of each pipeline that stay; None: all.
        environment_days: days after its last use when an environment may go.
    """

    run_days: float | None
    run_count: int | None
    environment_days: float

    @property
    def has_history(self) -> bool:
        """Whether any run is ever removed."""
        return self.run_days is not None or self.run_count is not None

    def ended_before(self, now: datetime) -> datetime | None:
        """Runs that ended earlier may be removed."""
        return None if self.run_days is None else now - timedelta(days=self.run_days)

    def unseen_since(self, now: datetime) -> datetime:
        """Groups of failures that were last seen earlier, and have no runs, may be removed."""
        return self.ended_before(now) or now - _UNTOLD
