"""The table of the audit log."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime


class AuditRow(SQLModel, table=True):
    """One change somebody made."""

    __tablename__ = "audit"
    __table_args__ = (Index("uq_audit_lane", "lane", "seq", unique=True),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str = Field(max_length=200)
    """`user:NAME`, `token:NAME`, `cli:OSUSER` or `system`."""
    action: str = Field(max_length=60)
    """Such as `run.submit`, `secret.set`, `user.create`."""
    subject: str = Field(max_length=300)
    """The thing changed: a run id, a secret's key …"""
    detail: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))
    """What changed; never a secret's value."""
    address: str | None = Field(default=None, max_length=60)
    lane: int = Field(sa_type=BigInteger)
    """Which of the chains side by side it belongs to."""
    seq: int = Field(sa_type=BigInteger)
    """Its number in the lane, without gaps."""
    previous: str = Field(max_length=64)
    """Hash of the entry before it in the lane."""
    hash: str = Field(max_length=64)


class AuditHeadRow(SQLModel, table=True):
    """The end of each lane: locked by whoever adds to it, until their transaction ends."""

    __tablename__ = "audit_head"

    lane: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(sa_type=BigInteger)
    hash: str = Field(max_length=64)
