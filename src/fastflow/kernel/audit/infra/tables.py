"""The table of the audit log."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime


class AuditRow(SQLModel, table=True):
    """One change somebody made."""

    __tablename__ = "audit"

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
