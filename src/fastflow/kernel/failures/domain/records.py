"""Groups of failures, and dead letters: runs that failed for good and wait for somebody to decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fastflow.kernel.failures.domain.fingerprint import Failure
from fastflow.kernel.runs.domain.run import Run


class LetterState(StrEnum):
    """Where a dead letter stands."""

    OPEN = "open"
    """Nobody has decided yet."""
    REPLAYED = "replayed"
    """Submitted again; final. Should the replay fail for good, it is a dead letter of its own."""
    DISMISSED = "dismissed"
    """Put aside; final."""


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A run that failed for good.

    Attributes:
        run: its last attempt.
        created_at: when it failed.
        settled_at: when it was replayed or dismissed.
        settled_by: who did.
        note: why, in words.
        replayed_by: the run that was submitted in its place.
    """

    run: Run
    state: LetterState
    created_at: datetime
    settled_at: datetime | None = None
    settled_by: str | None = None
    note: str | None = None
    replayed_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class LetterFilter:
    """Which dead letters; None means any.

    Attributes:
        since: failed at or after.
        until: failed before.
        pipelines: names and patterns of the only pipelines the asker may see; None means all.
    """

    pipeline_name: str | None = None
    failure_group: str | None = None
    state: LetterState | None = LetterState.OPEN
    since: datetime | None = None
    until: datetime | None = None
    pipelines: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Failures that have their fingerprint in common, as far as the asker may see them.

    Attributes:
        runs: how many there were.
        pipelines: of which pipelines.
        last_run_id: the latest.
        trend: how many on each of the last days, the latest last.
    """

    failure: Failure
    runs: int
    pipelines: Sequence[str]
    first_seen_at: datetime
    last_seen_at: datetime
    last_run_id: str
    trend: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class GroupFilter:
    """Which groups; None means any.

    Attributes:
        since: seen at or after.
        new_since: seen for the first time at or after.
        pipelines: names and patterns of the only pipelines the asker may see; None means all.
    """

    pipeline_name: str | None = None
    since: datetime | None = None
    new_since: datetime | None = None
    pipelines: Sequence[str] | None = None
