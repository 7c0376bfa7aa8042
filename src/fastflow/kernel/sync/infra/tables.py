"""Tables of syncing: repositories, what they have active, syncs and what they tell, webhooks' deliveries."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class RepositoryRow(SQLModel, table=True):
    """A repository that pipelines are synced from."""

    __tablename__ = "repository"

    name: str = Field(primary_key=True, max_length=63)
    url: str = Field(max_length=1000)
    branch: str = Field(max_length=200)
    subfolder: str = Field(max_length=500)
    prefix: str = Field(max_length=100)
    auth: str = Field(max_length=12)
    """none, password, ssh or github-app."""
    username: str = Field(max_length=200)
    secret: str | None = Field(default=None, max_length=128)
    """Key of a secret; never its value."""
    app_id: str | None = Field(default=None, max_length=100)
    installation_id: str | None = Field(default=None, max_length=100)
    host_keys: str | None = Field(default=None, sa_type=Text)
    webhook_secret: str | None = Field(default=None, max_length=128)
    """Key of a secret."""
    interval: float | None = None
    """Seconds; null: the installation's; 0: never."""
    origin: str = Field(max_length=10)
    """user or settings."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=200)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    updated_by: str = Field(max_length=200)
    next_sync_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When it is looked at by itself next; moved on in the transaction that takes it."""
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    remote_commit: str | None = Field(default=None, max_length=64)
    problem: str | None = Field(default=None, sa_type=Text)
    held_commit: str | None = Field(default=None, max_length=64)
    """Was rolled back from."""


class ActiveCodeRow(SQLModel, table=True):
    """The version of a repository whose pipelines are in the catalogue: this one row is what an activation writes."""

    __tablename__ = "active_code"

    repository: str = Field(primary_key=True, max_length=63)
    commit: str = Field(max_length=64)
    tree_hash: str = Field(max_length=64)
    prefix: str = Field(max_length=100)
    subfolder: str = Field(max_length=500)
    sync_id: str = Field(max_length=36)
    activated_at: datetime = Field(sa_type=UtcDateTime)
    activated_by: str = Field(max_length=200)


class SyncRow(SQLModel, table=True):
    """One sync."""

    __tablename__ = "sync"
    __table_args__ = (
        Index("ix_sync_repository", "repository", "id"),
        Index("ix_sync_open", "id", **_only("state IN ('queued', 'running')")),
        Index("ix_sync_unsettled", "id", **_only("state = 'activated' AND settled_at IS NULL")),
    )

    id: str = Field(primary_key=True, max_length=36)
    repository: str = Field(max_length=63)
    action: str = Field(max_length=10)
    """sync, plan, rollback or remove."""
    trigger: str = Field(max_length=10)
    requested_by: str = Field(max_length=200)
    requested_at: datetime = Field(sa_type=UtcDateTime)
    reason: str | None = Field(default=None, sa_type=Text)
    force: bool
    state: str = Field(max_length=10)
    commit_before: str | None = Field(default=None, max_length=64)
    commit: str | None = Field(default=None, max_length=64)
    subject: str | None = Field(default=None, max_length=500)
    author: str | None = Field(default=None, max_length=300)
    tree_hash: str | None = Field(default=None, max_length=64)
    prefix: str = Field(max_length=100)
    subfolder: str = Field(max_length=500)
    plan: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    why: str = Field(sa_type=Text)
    code: str | None = Field(default=None, max_length=100)
    """Of the problem of one that was refused or failed."""
    fields: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    """Of the problem; null: there are none."""
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Of an activation: when runs were stopped and schedules had gone."""
    lease_owner: str | None = Field(default=None, max_length=100)
    lease_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SyncEventRow(SQLModel, table=True):
    """Something that a sync told."""

    __tablename__ = "sync_event"
    __table_args__ = (
        Index("ix_sync_event_sync_id", "sync_id", "id"),
        # A stream's cursor is an id: one given out again after its row was deleted would be taken for seen.
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    sync_id: str = Field(max_length=36, foreign_key="sync.id", ondelete="CASCADE")
    at: datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(max_length=10)
    data: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))


class SyncDeliveryRow(SQLModel, table=True):
    """A signed delivery that was taken; the same one is not taken twice."""

    __tablename__ = "sync_delivery"

    repository: str = Field(primary_key=True, max_length=63)
    digest: str = Field(primary_key=True, max_length=64)
    received_at: datetime = Field(sa_type=UtcDateTime)
