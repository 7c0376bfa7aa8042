"""Tables of notifications: channels, rules, how pipelines fare, alerts and the outbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class ChannelRow(SQLModel, table=True):
    """A place messages go to."""

    __tablename__ = "channel"

    name: str = Field(primary_key=True, max_length=100)
    kinds: list[str] = Field(sa_column=Column(JsonColumn, nullable=False))
    """Schemes of its addresses."""
    ciphertext: str = Field(sa_type=Text)
    """Its addresses: a JSON list, encrypted."""
    description: str = Field(max_length=500)
    quiet: list[dict[str, Any]] = Field(sa_column=Column(JsonColumn, nullable=False))
    breaks_quiet: str | None = Field(default=None, max_length=10)
    group_window: float
    is_enabled: bool
    failures: int = 0
    last_error: str | None = Field(default=None, sa_type=Text)
    last_sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_failed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=200)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    updated_by: str = Field(max_length=200)


class AlertRuleRow(SQLModel, table=True):
    """What is worth a message, and to whom it goes."""

    __tablename__ = "alert_rule"
    __table_args__ = (Index("uq_alert_rule_name", "pipeline_name", "origin", "name", unique=True),)

    id: str = Field(primary_key=True, max_length=36)
    pipeline_name: str = Field(max_length=200)
    """Empty: every pipeline."""
    name: str = Field(max_length=100)
    origin: str = Field(max_length=10)
    """user or code."""
    is_enabled: bool
    settings: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))
    """The other fields of its definition."""
    watched_until: datetime = Field(sa_type=UtcDateTime)
    next_check_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=200)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    updated_by: str = Field(max_length=200)


class PipelineTroubleRow(SQLModel, table=True):
    """A pipeline that was told of and has not succeeded since; a success removes the row."""

    __tablename__ = "pipeline_trouble"

    pipeline_name: str = Field(primary_key=True, max_length=200)
    failing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """None: it has not failed, but an alert of another kind is open."""
    failures: int


class AlertRow(SQLModel, table=True):
    """Something a rule told of."""

    __tablename__ = "alert"
    __table_args__ = (
        Index("uq_alert_rule_id_key", "rule_id", "key", unique=True),
        Index("ix_alert_pipeline_name_id", "pipeline_name", "id"),
        Index("ix_alert_at", "at"),
        Index("ix_alert_next_repeat_at", "next_repeat_at", **_only("next_repeat_at IS NOT NULL")),
        Index(
            "ix_alert_open",
            "pipeline_name",
            **_only("resolved_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True, max_length=36)
    rule_id: str = Field(max_length=36)
    """Also of a rule that was removed since."""
    rule_name: str = Field(max_length=100)
    key: str = Field(max_length=300)
    """The same for the same thing: it is told once."""
    event: str = Field(max_length=10)
    severity: int
    pipeline_name: str | None = Field(default=None, max_length=200)
    run_id: str | None = Field(default=None, max_length=36)
    schedule_id: str | None = Field(default=None, max_length=36)
    facts: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledged_by: str | None = Field(default=None, max_length=200)
    resolved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    next_repeat_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    repeats: int = 0


class NotificationRow(SQLModel, table=True):
    """The outbox: an alert on its way to one channel, and later the history of what was sent."""

    __tablename__ = "notification"
    __table_args__ = (
        Index("uq_notification_alert_id_channel_repeat", "alert_id", "channel", "repeat", unique=True),
        Index("ix_notification_waiting", "not_before", **_only("state = 'waiting'")),
        Index("ix_notification_channel_id", "channel", "id"),
        Index("ix_notification_channel_group_key_sent_at", "channel", "group_key", "sent_at"),
    )

    id: str = Field(primary_key=True, max_length=36)
    alert_id: str = Field(max_length=36, foreign_key="alert.id", ondelete="CASCADE")
    channel: str = Field(max_length=100)
    """By name: the channel may be gone."""
    severity: int
    group_key: str = Field(max_length=300)
    state: str = Field(max_length=8)
    """waiting, sent, failed or dropped."""
    why: str = Field(sa_type=Text)
    held: bool
    attempts: int
    not_before: datetime = Field(sa_type=UtcDateTime)
    delivered: list[str] = Field(sa_column=Column(JsonColumn, nullable=False))
    """Fingerprints of the channel's addresses that took it."""
    message_id: str | None = Field(default=None, max_length=36)
    title: str | None = Field(default=None, max_length=300)
    repeat: int
    created_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    lease_owner: str | None = Field(default=None, max_length=100)
    lease_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
