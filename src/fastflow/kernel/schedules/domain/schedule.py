"""The records of schedules: when they are due, what became of each due time, and what holds them back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, get_args

Trigger = Literal["cron", "interval", "once"]
"""A cron line in a zone; a period of elapsed time; one instant."""
Overlap = Literal["queue", "skip", "cancel-old"]
"""What happens at a due time while an earlier run of the schedule is not over: the new one waits as every run does, is
not made, or takes the place of the earlier ones."""
Missed = Literal["all", "last", "none"]
"""Which due times that nobody was there for are made up for."""
Origin = Literal["user", "code"]
"""Made through the API, or declared in the pipeline's settings."""
Scope = Literal["schedule", "pipeline", "system"]

TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
OVERLAPS: tuple[Overlap, ...] = get_args(Overlap)
MISSED: tuple[Missed, ...] = get_args(Missed)

DAY_SECONDS = 86_400.0


class Outcome(StrEnum):
    """What became of a due time."""

    STARTING = "starting"
    """Decided to start; its run is being submitted. Whoever holds its lease moves it on, anybody once that has run out."""
    STARTED = "started"
    """Its run is in the queue or further."""
    SKIPPED = "skipped"
    """A limit or an earlier run stood in the way."""
    COALESCED = "coalesced"
    """A later due time stands for it."""
    MISSED = "missed"
    """Nobody was there to start it, or it could not be started."""
    PAUSED = "paused"
    """The schedule, its pipeline or the whole system was paused."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When something is due.

    Attributes:
        expression: a cron line, a duration such as `5m`, or an instant.
        timezone: IANA name; cron lines are read in it.
        anchor_at: what intervals are counted from.
        start_at: no due time before; None: none is too early.
        end_at: no due time at or after it; None: for ever.
        jitter: seconds by which a start may be put off.
    """

    trigger: Trigger
    expression: str
    timezone: str
    anchor_at: datetime
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What somebody asks for, checked by `definition.check`.

    Attributes:
        name: unique among the pipeline's schedules of the same origin; None: one is found.
        params: of every run.
        catch_up_window: seconds after which a missed due time is no longer made up for; None: never.
        priority: of every run; higher goes first.
    """

    pipeline_name: str
    name: str | None = None
    trigger: Trigger
    expression: str
    timezone: str = "UTC"
    params: Mapping[str, Any] = field(default_factory=dict)
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: float = 0.0
    overlap: Overlap = "queue"
    missed: Missed = "last"
    catch_up_window: float | None = DAY_SECONDS
    priority: int = 0


@dataclass(frozen=True, kw_only=True)
class Schedule(Timing):
    """A schedule as the database holds it. What is not told here is as in `Definition`.

    Attributes:
        next_due_at: the first due time without a row in the ledger; None: there is none any more.
        next_fire_at: when that one is to be started; later than it by its jitter.
        last_due_at: the last due time with a row.
    """

    id: str
    pipeline_name: str
    name: str
    origin: Origin
    params: Mapping[str, Any]
    overlap: Overlap
    missed: Missed
    catch_up_window: float | None
    priority: int
    next_due_at: datetime | None
    next_fire_at: datetime | None
    last_due_at: datetime | None = None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @property
    def label(self) -> str:
        """`pipeline/name`, as people call it."""
        return f"{self.pipeline_name}/{self.name}"

    @property
    def definition(self) -> Definition:
        """What it was asked to be."""
        return Definition(**{name: getattr(self, name) for name in Definition.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """One due time and what became of it.

    Attributes:
        fire_at: when it was to be started: the due time and its jitter.
        why: the outcome in words.
        run_id: of a started one.
        recorded_at: when the outcome was decided.
    """

    schedule_id: str
    due_at: datetime
    fire_at: datetime
    outcome: Outcome
    why: str
    run_id: str | None = None
    recorded_at: datetime

    @property
    def idempotency_key(self) -> str:
        """Submitting with it twice gives one run."""
        return f"schedule:{self.schedule_id}:{self.due_at.isoformat()}"


@dataclass(frozen=True, kw_only=True)
class Pause:
    """A time in which due times start nothing.

    Attributes:
        subject: the schedule's id, the pipeline's name, or `*` for the system.
        until: when it was lifted; None: it lasts.
    """

    scope: Scope
    subject: str
    since: datetime
    by: str
    reason: str | None = None
    until: datetime | None = None

    def covers(self, instant: datetime) -> bool:
        """Whether the instant lies in it."""
        return self.since <= instant and (self.until is None or instant < self.until)

    def concerns(self, schedule: Schedule) -> bool:
        """Whether it holds the schedule back."""
        return self.subject == {"schedule": schedule.id, "pipeline": schedule.pipeline_name, "system": "*"}[self.scope]

    def describe(self) -> str:
        """Who paused what since when, in words."""
        what = {"schedule": "the schedule", "pipeline": f"pipeline {self.subject}", "system": "the whole system"}
        reason = f" ({self.reason})" if self.reason else ""
        return f"{what[self.scope]} was paused, by {self.by} at {self.since:%Y-%m-%d %H:%M:%S} UTC{reason}"


SYSTEM_SUBJECT = "*"


def in_words(seconds: float) -> str:
    """A length of time.

    >>> in_words(42), in_words(5400), in_words(90000)
    ('42 s', '1 h 30 min', '1 d 1 h')
    """
    whole = round(seconds)
    parts = [(whole // 86400, "d"), (whole % 86400 // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number) or "0 s"
