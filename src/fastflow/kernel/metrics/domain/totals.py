"""What is counted of ended runs, so that it only ever grows, whatever is removed of the runs themselves."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

WAIT_BOUNDS: Final = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0)
"""Seconds; upper bounds of the classes for time in the queue and for setting up. What is kept was counted by these: another
choice needs a migration."""
RUN_BOUNDS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0)
"""The same for the time the user's process took."""


@dataclass(kw_only=True)
class Histogram:
    """How often values of each class were seen.

    Attributes:
        bounds: upper bounds, the bound included; the last class has none.
        counts: one for each class.
        sum: of the values.
    """

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, seconds: float | None) -> None:
        """Count a value; None was not measured. A clock that was set back gives 0."""
        if seconds is not None:
            kept = max(0.0, seconds)
            self.counts[bisect_left(self.bounds, kept)] += 1
            self.sum += kept

    def merge(self, other: "Histogram") -> None:
        """Count what the other has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum

    def to_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        return {"counts": self.counts, "sum": self.sum}


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """An end that was not added to a total yet.

    Attributes:
        id: in the order of ends, roughly.
        reason: of a failure; empty for a success.
    """

    id: int
    pipeline_name: str
    status: str
    reason: str
    queued_at: datetime
    claimed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime

    @property
    def key(self) -> "TotalKey":
        """Which total it belongs to."""
        return TotalKey(pipeline_name=self.pipeline_name, status=self.status, reason=self.reason)


@dataclass(frozen=True, kw_only=True, order=True)
class TotalKey:
    """What is counted together."""

    pipeline_name: str
    status: str
    reason: str


@dataclass(kw_only=True)
class Total:
    """Ended runs of one key.

    Attributes:
        runs: how many.
        queue: from submission to claim.
        setup: from claim to the start of the user's process.
        run: from there to the end.
    """

    runs: int = 0
    queue: Histogram = field(default_factory=lambda: Histogram(bounds=WAIT_BOUNDS))
    setup: Histogram = field(default_factory=lambda: Histogram(bounds=WAIT_BOUNDS))
    run: Histogram = field(default_factory=lambda: Histogram(bounds=RUN_BOUNDS))

    def add(self, end: RunEnd) -> None:
        """Count an end."""
        self.runs += 1
        self.queue.add(_between(end.queued_at, end.claimed_at))
        self.setup.add(_between(end.claimed_at, end.started_at))
        self.run.add(_between(end.started_at, end.finished_at))

    def merge(self, other: "Total") -> None:
        """Count what the other has counted."""
        self.runs += other.runs
        self.queue.merge(other.queue)
        self.setup.merge(other.setup)
        self.run.merge(other.run)

    def to_json(self) -> dict[str, Any]:
        """The histograms, as the database keeps them."""
        return {"queue": self.queue.to_json(), "setup": self.setup.to_json(), "run": self.run.to_json()}

    @classmethod
    def from_json(cls, runs: int, data: Mapping[str, Any]) -> "Total":
        """As it was kept."""
        return cls(
            runs=runs,
            queue=Histogram(bounds=WAIT_BOUNDS, **data["queue"]),
            setup=Histogram(bounds=WAIT_BOUNDS, **data["setup"]),
            run=Histogram(bounds=RUN_BOUNDS, **data["run"]),
        )


def count_up(ends: Iterable[RunEnd]) -> dict[TotalKey, Total]:
    """The ends by key, in the order in which the keys were first seen."""
    totals: dict[TotalKey, Total] = {}
    for end in ends:
        totals.setdefault(end.key, Total()).add(end)
    return totals


def _between(since: datetime | None, until: datetime | None) -> float | None:
    return None if since is None or until is None else (until - since).total_seconds()
