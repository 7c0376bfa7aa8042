"""Tables of daemons: how each stands, its instances, what happened."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, Text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import UtcDateTime


class DaemonRow(SQLModel, table=True):
    """A pipeline that is a service."""

    __tablename__ = "daemon"

    pipeline_name: str = Field(primary_key=True, max_length=200)
    wish: str = Field(max_length=10)
    """running, stopped or paused."""
    code: str | None = Field(default=None, max_length=64)
    epoch: int
    started: int
    crashes: int
    next_start_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    crash_loop_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    failing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    trouble: str | None = Field(default=None, sa_type=Text)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    changed_by: str = Field(max_length=200)
    lease_owner: str | None = Field(default=None, max_length=36)
    """The server that looks after it now."""
    lease_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class DaemonInstanceRow(SQLModel, table=True):
    """A run that is an instance, from the decision to start it until its end was noticed."""

    __tablename__ = "daemon_instance"

    pipeline_name: str = Field(primary_key=True, max_length=200, foreign_key="daemon.pipeline_name", ondelete="CASCADE")
    number: int = Field(primary_key=True, sa_type=Integer)
    epoch: int
    tree_hash: str | None = Field(default=None, max_length=64)
    port: int | None = None
    run_id: str | None = Field(default=None, max_length=36)
    """None: decided, not submitted yet."""
    health: str = Field(max_length=10)
    health_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    misses: int
    stopping: str | None = Field(default=None, sa_type=Text)
    is_crash: bool


class DaemonEventRow(SQLModel, table=True):
    """Something that happened to a daemon."""

    __tablename__ = "daemon_event"
    __table_args__ = (Index("ix_daemon_event_pipeline_name", "pipeline_name", "id"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    pipeline_name: str = Field(max_length=200)
    at: datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(max_length=20)
    text: str = Field(sa_type=Text)
    run_id: str | None = Field(default=None, max_length=36)
