"""The table of webhooks. That a delivery starts one run is kept by the runs' idempotency keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime


class WebhookRow(SQLModel, table=True):
    """An address at which another system starts a pipeline's run."""

    __tablename__ = "webhook"
    __table_args__ = (
        Index("uq_webhook_name", "pipeline_name", "name", unique=True),
        Index("uq_webhook_key_hash", "key_hash", unique=True),
        Index("ix_webhook_former_key_hash", "former_key_hash"),
    )

    id: str = Field(primary_key=True, max_length=36)
    pipeline_name: str = Field(max_length=200)
    name: str = Field(max_length=100)
    is_enabled: bool
    key_hash: str = Field(max_length=64)
    """SHA-256 of its key, which is nowhere else."""
    key_hint: str = Field(max_length=8)
    former_key_hash: str | None = Field(default=None, max_length=64)
    former_key_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    scheme: str = Field(max_length=10)
    ciphertext: str | None = Field(default=None, sa_type=Text)
    """Its signing secret, encrypted."""
    tolerance: float
    mapping: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))
    whole_body: bool
    addresses: list[str] = Field(sa_column=Column(JsonColumn, nullable=False))
    rate_per_minute: int
    calls: int = 0
    refused: int = 0
    last_call_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_refusal: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=200)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    updated_by: str = Field(max_length=200)
