"""What schedules need of others: the due-table and its ledger, pauses, the runs and pipelines below, and the wake-up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.scheduled import Scheduled
from fastflow.kernel.schedules.domain.deciding import Decision
from fastflow.kernel.schedules.domain.schedule import Occurrence, Origin, Outcome, Pause, Schedule, Scope
from fastflow.kit.identity import Actor

Decide = Callable[[Schedule, Sequence[Pause]], Decision]
"""Decides the due times of a schedule that have come."""


@dataclass(frozen=True, kw_only=True)
class ScheduleFilter:
    """Which schedules a list shows; None means any.

    Attributes:
        pipelines: names and patterns of the only pipelines the asker may see.
    """

    pipeline_name: str | None = None
    name: str | None = None
    origin: Origin | None = None
    pipelines: Sequence[str] | None = None


class ScheduleStore(Protocol):
    """Schedules as people make and change them; each change is one transaction with its audit entry."""

    def add(self, schedule: Schedule, pause: Pause | None, *, actor: Actor) -> Schedule:
        """Keep a new schedule, paused if a pause is given. An empty name is replaced by the first free one.

        Raises:
            ScheduleNameTaken: the pipeline has a schedule of that name and origin.
        """
        ...

    def change(
        self, schedule_id: str, apply: Callable[[Schedule], Schedule], decide: Decide, *, actor: Actor, at: datetime
    ) -> Schedule | None:
        """Decide what has come by the schedule's present form, then give it the form that `apply` makes of it.

        Returns:
            The schedule afterwards; None when there is none.

        Raises:
            ScheduleNameTaken: the new name is taken.
        """
        ...

    def delete(self, schedule_id: str, *, actor: Actor, at: datetime) -> bool:
        """Remove the schedule with its ledger; whether it was there."""
        ...

    def find(self, schedule_id: str) -> Schedule | None:
        """The schedule; None when there is none."""
        ...

    def load_page(self, wanted: ScheduleFilter, *, after_id: str, limit: int) -> Sequence[Schedule]:
        """At most `limit` schedules in the order of their ids, after the given one."""
        ...

    def load_declared(self) -> Sequence[Schedule]:
        """Every schedule declared in code."""
        ...

    def load_names(self) -> tuple[Sequence[str], Sequence[str]]:
        """The pipelines and the time zones that schedules name."""
        ...

    def load_troubled(
        self,
        *,
        pipelines: Sequence[str],
        timezones: Sequence[str],
        decided_after: datetime,
        within: Sequence[str] | None,
        limit: int,
    ) -> Sequence[Schedule]:
        """At most `limit` schedules of one of these pipelines or zones, or with a row later than an instant.

        Args:
            pipelines: that cannot run.
            timezones: that are none.
            decided_after: the instant.
            within: the only pipelines the asker may see; None means all.
            limit: so many.
        """
        ...

    def count(self) -> "Counts":
        """How many there are, and where the due-table stands."""
        ...


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The due-table in numbers.

    Attributes:
        schedules: how many there are.
        due: how many have a due time ahead.
        next_fire_at: the earliest start; None: none is ahead.
        starting: due times whose run is being submitted.
    """

    schedules: int
    due: int
    next_fire_at: datetime | None
    starting: int


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A due time that is this scheduler's to start."""

    schedule: Schedule
    occurrence: Occurrence


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of a claimed due time.

    Attributes:
        retry_at: set: nothing yet; somebody tries again then.
    """

    occurrence: Occurrence
    retry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """What one look at the due-table did.

    Attributes:
        claimed: due times to start, under a lease.
        decided: rows written.
        has_more: more has come than one look takes.
    """

    claimed: Sequence[Claimed]
    decided: int
    has_more: bool


class Ledger(Protocol):
    """Due times and what became of them. Any number of schedulers may use it at once: none decides or starts what
    another one has."""

    def advance(self, now: datetime, decide: Decide, *, limit: int) -> Advanced:
        """Take at most `limit` schedules whose start has come, write the rows that `decide` gives and move the schedules
        on, in one transaction."""
        ...

    def claim_left(self, now: datetime, *, limit: int) -> Sequence[Claimed]:
        """Take due times that were decided to start and that nobody is starting: left by a crash, or to be tried again."""
        ...

    def settle(self, settled: Sequence[Settled]) -> None:
        """Write the outcomes of claimed due times. One that was settled by somebody else stays as it is."""
        ...

    def next_fire(self) -> datetime | None:
        """When the scheduler has something to do next; None: nothing is ahead."""
        ...

    def load_page(
        self, schedule_id: str, wanted: "LedgerFilter", *, before: datetime | None, limit: int
    ) -> Sequence[Occurrence]:
        """At most `limit` due times of the schedule, latest first, earlier than `before`."""
        ...

    def load_last(self, schedules: Sequence[Schedule]) -> Mapping[str, Occurrence]:
        """The latest row of each schedule that has one, by its id."""
        ...

    def forget(self, before: datetime, *, after_id: str, limit: int) -> str | None:
        """Remove the rows of due times before an instant, of at most `limit` schedules in the order of their ids, after
        the given one. Returns the id to go on after; None when that was all."""
        ...


@dataclass(frozen=True, kw_only=True)
class LedgerFilter:
    """Which due times a page shows; None means any.

    Attributes:
        since: due at or after.
        until: due before.
    """

    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None


class PauseStore(Protocol):
    """Pauses; each change is one transaction with its audit entry."""

    def begin(self, pause: Pause, *, actor: Actor) -> Pause:
        """Pause; one that is in force stays as it is. Returns the one in force."""
        ...

    def lift(self, scope: Scope, subject: str, *, at: datetime, actor: Actor) -> bool:
        """End the pause in force; whether there was one."""
        ...

    def load_open(self) -> Sequence[Pause]:
        """The pauses in force."""
        ...


class Runs(Protocol):
    """Submitting runs."""

    def submit(
        self,
        pipeline_name: str,
        params: Mapping[str, Any] | None = None,
        *,
        actor: Actor,
        trigger: str = "api",
        priority: int = 0,
        idempotency_key: str | None = None,
        schedule: Scheduled | None = None,
    ) -> Run:
        """See `RunService.submit`."""
        ...


class Pipelines(Protocol):
    """What can be run."""

    def get(self, name: str) -> Pipeline:
        """The pipeline, perhaps with faults; raises NotFound with near names."""
        ...

    def list(self) -> Sequence[Pipeline]:
        """Every pipeline."""
        ...


class WakeUp(Protocol):
    """Tells the runner that schedules changed; a lost message is made good by polling."""

    def wake_runner(self, message: str) -> None:
        """`schedules`: look at the due-table."""
        ...


WAKE_MESSAGE = "schedules"
DECLARED_MESSAGE = "schedules declared"
"""The code changed: look at what is declared in it as well."""
