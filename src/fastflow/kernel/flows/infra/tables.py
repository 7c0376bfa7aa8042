"""Tables of flows."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime

OPEN = "state IN ('WAITING', 'APPROVAL', 'RUNNING')"
"""Of a step that may still make runs; a query must say it in these words for the index to be used."""


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class FlowRow(SQLModel, table=True):
    """Runs that follow from one another."""

    __tablename__ = "flow"
    __table_args__ = (
        Index("ix_flow_kind_id", "kind", "id"),
        Index("ix_flow_kind_status_id", "kind", "status", "id"),
        Index("ix_flow_due_at", "due_at", **_only("due_at IS NOT NULL")),
        Index("uq_flow_idempotency_key", "idempotency_key", unique=True, **_only("idempotency_key IS NOT NULL")),
    )

    id: str = Field(primary_key=True, max_length=36)
    kind: str = Field(max_length=10)
    """flow or backfill."""
    name: str = Field(max_length=300)
    status: str = Field(max_length=10)
    """RUNNING, SUCCESS or FAILED."""
    reason_text: str | None = Field(default=None, sa_type=Text)
    trigger: str = Field(max_length=20)
    submitted_by: str = Field(max_length=200)
    params: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))
    priority: int
    attempt: int
    created_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the keeper of flows has to look at it; null: its runs move it on."""
    cancel_requested_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cancel_requested_by: str | None = Field(default=None, max_length=200)
    cancel_reason: str | None = Field(default=None, sa_type=Text)
    idempotency_key: str | None = Field(default=None, max_length=200)
    detail: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))


class FlowStepRow(SQLModel, table=True):
    """A pipeline's place in a flow."""

    __tablename__ = "flow_step"
    __table_args__ = (
        Index("ix_flow_step_name_flow_id", "name", "flow_id"),
        Index("ix_flow_step_open", "tree_hash", **_only(OPEN)),
    )

    flow_id: str = Field(primary_key=True, max_length=36, foreign_key="flow.id", ondelete="CASCADE")
    name: str = Field(primary_key=True, max_length=200)
    """The pipeline."""
    position: int
    is_root: bool
    after: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    template: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    """What its runs are made of, frozen when the flow began; null: it could not be, and `problem` says why."""
    problem: str | None = Field(default=None, sa_type=Text)
    tree_hash: str | None = Field(default=None, max_length=64)
    """The template's copy of the code, in a column of its own so that it is not removed before it is used."""
    state: str = Field(max_length=10)
    """WAITING, APPROVAL, RUNNING, SUCCESS, FAILED or SKIPPED."""
    why: str = Field(sa_type=Text)
    attempt: int
    total: int | None = None
    run_limit: int
    allowed_failures: int
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    asked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When its approval was asked for."""
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decision: str | None = Field(default=None, max_length=10)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_by: str | None = Field(default=None, max_length=200)
    note: str | None = Field(default=None, sa_type=Text)


class FlowRunRow(SQLModel, table=True):
    """One run of a step: the only one for its flow, step, element and attempt, which the primary key sees to."""

    __tablename__ = "flow_run"
    __table_args__ = (
        Index("ix_flow_run_run_id", "run_id", **_only("run_id IS NOT NULL")),
        Index("ix_flow_run_state", "flow_id", "step", "is_current", "state", "element"),
        Index("ix_flow_run_running", "state", "flow_id", **_only("state = 'RUNNING'")),
    )

    flow_id: str = Field(primary_key=True, max_length=36, foreign_key="flow.id", ondelete="CASCADE")
    step: str = Field(primary_key=True, max_length=200)
    element: int = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    key: str = Field(max_length=300)
    item: Any = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    run_id: str | None = Field(default=None, max_length=36)
    state: str = Field(max_length=10)
    """WAITING, RUNNING, SUCCESS, FAILED or SKIPPED."""
    why: str = Field(sa_type=Text)
    is_current: bool
    """False: a later attempt took its place."""
