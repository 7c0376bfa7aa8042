"""Tables of failures: what groups have in common, where they were seen, and dead letters."""

from datetime import datetime

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime

_OPEN = "state = 'open'"


class FailureGroupRow(SQLModel, table=True):
    """What the failures of a group have in common."""

    __tablename__ = "failure_group"

    id: str = Field(primary_key=True, max_length=16)
    """The fingerprint."""
    title: str = Field(sa_type=Text)
    exception: str | None = Field(default=None, max_length=200)
    frames: list[str] = Field(sa_column=Column(JsonColumn, nullable=False))


class FailureSightRow(SQLModel, table=True):
    """A group as one pipeline has it."""

    __tablename__ = "failure_sight"
    __table_args__ = (
        Index("ix_failure_sight_last_run_id", "last_run_id"),
        Index("ix_failure_sight_pipeline_name", "pipeline_name", "last_run_id"),
    )

    group_id: str = Field(primary_key=True, max_length=16, foreign_key="failure_group.id", ondelete="CASCADE")
    pipeline_name: str = Field(primary_key=True, max_length=200)
    runs: int
    first_seen_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime = Field(sa_type=UtcDateTime)
    last_run_id: str = Field(max_length=36)


class DeadLetterRow(SQLModel, table=True):
    """A run that failed for good."""

    __tablename__ = "dead_letter"
    __table_args__ = (
        Index("ix_dead_letter_open", "run_id", sqlite_where=text(_OPEN), postgresql_where=text(_OPEN)),
        Index("ix_dead_letter_pipeline_name", "pipeline_name", "state", "run_id"),
    )

    run_id: str = Field(primary_key=True, max_length=36, foreign_key="run.id", ondelete="CASCADE")
    pipeline_name: str = Field(max_length=200)
    state: str = Field(max_length=10)
    """open, replayed or dismissed."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settled_by: str | None = Field(default=None, max_length=200)
    note: str | None = Field(default=None, sa_type=Text)
    replayed_by: str | None = Field(default=None, max_length=36)
