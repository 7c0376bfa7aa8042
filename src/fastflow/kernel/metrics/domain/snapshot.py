"""What the figures are made of: one look at the database, and one at this server's disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastflow.kernel.metrics.domain.totals import Total, TotalKey


@dataclass(frozen=True, kw_only=True)
class ActiveRuns:
    """Unfinished runs of a pipeline in one state: QUEUED, DELAYED (waits for a time) or RUNNING."""

    pipeline_name: str
    state: str
    runs: int


@dataclass(frozen=True, kw_only=True)
class SeenRunner:
    """A runner process and when it last told that it lives; `is_stopped`: in order."""

    host: str
    hostname: str
    seen_at: datetime
    is_stopped: bool


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The database at one moment.

    Attributes:
        totals: ended runs since the first one.
        places: pipelines in the order of their first ended run, see `PipelineLabels`.
        active: unfinished runs.
        oldest_queued_at: submission of the run that waits longest, those that wait for a time left aside.
        expired_leases: running runs whose runner has not renewed its claim in time.
        runners: seen in the last day.
        schedules: how many have a due time ahead.
        late_schedules: those whose due time passed longer ago than the grace, unhandled.
        earliest_fire_at: the next due time of all, or the oldest unhandled one.
        missed_due_times: in the last 24 hours.
        dead_letters: open ones.
        outbox_waiting: messages not sent yet.
        outbox_oldest_at: when the oldest of them was due to be sent.
        failing_channels: whose last message was not taken.
        environments: built ones.
        environment_bytes: their size when they were built.
        crash_loops: daemons that crash again and again.
        troubled_repositories: that could not be looked at or synced.
        running_flows: flows and backfills not over yet.
        waiting_approvals: steps that wait for a person.
    """

    totals: Mapping[TotalKey, Total]
    places: Mapping[str, int]
    active: Sequence[ActiveRuns]
    oldest_queued_at: datetime | None
    expired_leases: int
    runners: Sequence[SeenRunner]
    schedules: int
    late_schedules: int
    earliest_fire_at: datetime | None
    missed_due_times: int
    dead_letters: int
    outbox_waiting: int
    outbox_oldest_at: datetime | None
    failing_channels: int
    environments: int
    environment_bytes: int
    crash_loops: int
    troubled_repositories: int
    running_flows: int
    waiting_approvals: int


@dataclass(frozen=True, kw_only=True)
class DiskUse:
    """A folder's file system."""

    folder: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, kw_only=True)
class LogUse:
    """What the logs took when they were last counted."""

    bytes: int
    files: int
    counted_at: datetime


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All that `/metrics` tells.

    Attributes:
        snapshot: of the database.
        now: when it was taken.
        disks: of this server.
        logs: None: not counted yet.
    """

    snapshot: Snapshot
    now: datetime
    disks: Sequence[DiskUse]
    logs: LogUse | None
    is_sqlite: bool
