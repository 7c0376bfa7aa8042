"""Tables of schedules: the due-table, the ledger of due times, and pauses."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class ScheduleRow(SQLModel, table=True):
    """A schedule and where it stands."""

    __tablename__ = "schedule"
    __table_args__ = (
        Index("uq_schedule_name", "pipeline_name", "origin", "name", unique=True),
        Index("ix_schedule_next_fire_at", "next_fire_at", **_only("next_fire_at IS NOT NULL")),
    )

    id: str = Field(primary_key=True, max_length=36)
    pipeline_name: str = Field(max_length=200)
    name: str = Field(max_length=100)
    origin: str = Field(max_length=10)
    """user or code."""
    trigger: str = Field(max_length=10)
    """cron, interval or once."""
    expression: str = Field(max_length=200)
    timezone: str = Field(max_length=100)
    anchor_at: datetime = Field(sa_type=UtcDateTime)
    """What intervals are counted from."""
    start_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    end_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    jitter: float
    params: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))
    overlap: str = Field(max_length=12)
    missed: str = Field(max_length=8)
    catch_up_window: float | None = None
    """Seconds; null: no limit."""
    priority: int
    next_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The first due time that has no row in the ledger; moved on in the transaction that writes the row."""
    next_fire_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The same with its jitter: what the scheduler sleeps until."""
    last_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=200)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    updated_by: str = Field(max_length=200)


class OccurrenceRow(SQLModel, table=True):
    """One due time of a schedule and what became of it: the ledger."""

    __tablename__ = "occurrence"
    __table_args__ = (
        Index("ix_occurrence_starting", "due_at", **_only("outcome = 'starting'")),
        Index("ix_occurrence_missed", "due_at", **_only("outcome = 'missed'")),
        # the primary key is all that is looked up: without a second tree a row costs half
        {"sqlite_with_rowid": False},
    )

    schedule_id: str = Field(primary_key=True, max_length=36, foreign_key="schedule.id", ondelete="CASCADE")
    due_at: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    fire_at: datetime = Field(sa_type=UtcDateTime)
    outcome: str = Field(max_length=10)
    """starting, started, skipped, coalesced, missed or paused."""
    why: str = Field(sa_type=Text)
    run_id: str | None = Field(default=None, max_length=36)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    lease_owner: str | None = Field(default=None, max_length=100)
    """Of a starting one: the scheduler that submits its run."""
    lease_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When anybody may submit it."""


class SchedulePauseRow(SQLModel, table=True):
    """A time in which due times start nothing, of one schedule, one pipeline or the system."""

    __tablename__ = "schedule_pause"
    __table_args__ = (
        Index("uq_schedule_pause_open", "scope", "subject", unique=True, **_only("until IS NULL")),
        Index("ix_schedule_pause_until", "until"),
    )

    id: str = Field(primary_key=True, max_length=36)
    scope: str = Field(max_length=10)
    """schedule, pipeline or system."""
    subject: str = Field(max_length=200)
    """The schedule's id, the pipeline's name, or `*`."""
    since: datetime = Field(sa_type=UtcDateTime)
    by: str = Field(max_length=200)
    reason: str | None = Field(default=None, sa_type=Text)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When it was lifted; null: it lasts."""
    lifted_by: str | None = Field(default=None, max_length=200)
