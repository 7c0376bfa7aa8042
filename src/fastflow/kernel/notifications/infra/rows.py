"""Rows of the notification tables and the domain records they become."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import RowMapping, Table

from fastflow.kernel.notifications.domain.channel import Channel, QuietHours
from fastflow.kernel.notifications.domain.outbox import Alert, Notification, State
from fastflow.kernel.notifications.domain.rule import Rule, RuleDefinition, Severity
from fastflow.kernel.notifications.infra.tables import (
    AlertRow,
    AlertRuleRow,
    ChannelRow,
    NotificationRow,
    PipelineTroubleRow,
)

CHANNEL: Final = cast("Table", ChannelRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
RULE: Final = cast("Table", AlertRuleRow.__table__)  # type: ignore[attr-defined]
TROUBLE: Final = cast("Table", PipelineTroubleRow.__table__)  # type: ignore[attr-defined]
ALERT: Final = cast("Table", AlertRow.__table__)  # type: ignore[attr-defined]
NOTIFICATION: Final = cast("Table", NotificationRow.__table__)  # type: ignore[attr-defined]

_SETTINGS: Final = tuple(name for name in RuleDefinition.__dataclass_fields__ if name not in ("pipeline_name", "name"))
_OWN: Final = ("id", "name", "origin", "is_enabled", "watched_until", "next_check_at")
_MARKS: Final = ("created_at", "created_by", "updated_at", "updated_by")
_LISTS: Final = ("events", "channels", "reasons", "days")
_CHANNEL_FIELDS: Final = tuple(Channel.__dataclass_fields__)
_ALERT_FIELDS: Final = tuple(Alert.__dataclass_fields__)


def channel_of(row: RowMapping) -> Channel:
    """The record of a channel's row."""
    values = {name: row[name] for name in _CHANNEL_FIELDS}
    quiet = tuple(QuietHours(**{**hours, "days": tuple(hours["days"])}) for hours in row["quiet"])
    return Channel(**{**values, "kinds": tuple(row["kinds"]), "quiet": quiet})


def values_of_channel(channel: Channel) -> dict[str, Any]:
    """The row of a channel, without its addresses."""
    values = {name: getattr(channel, name) for name in _CHANNEL_FIELDS}
    quiet = [{**asdict(hours), "days": list(hours.days)} for hours in channel.quiet]
    return {**values, "kinds": list(channel.kinds), "quiet": quiet}


def rule_of(row: RowMapping) -> Rule:
    """The record of a rule's row."""
    settings: Mapping[str, Any] = row["settings"]
    given: dict[str, Any] = {name: settings[name] for name in _SETTINGS if name in settings}
    given |= {name: tuple(given[name]) for name in _LISTS if name in given}
    given |= {name: row[name] for name in (*_OWN, *_MARKS)}
    return Rule(**{**given, "pipeline_name": row["pipeline_name"] or None})


def values_of_rule(rule: Rule) -> dict[str, Any]:
    """The row of a rule."""
    settings = {name: getattr(rule, name) for name in _SETTINGS}
    return {
        "pipeline_name": rule.pipeline_name or "",
        "settings": {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()},
        **{name: getattr(rule, name) for name in (*_OWN, *_MARKS)},
    }


def alert_of(row: RowMapping) -> Alert:
    """The record of an alert's row."""
    values = {name: row[name] for name in _ALERT_FIELDS}
    return Alert(**{**values, "severity": Severity(row["severity"])})


def notification_of(row: RowMapping) -> Notification:
    """The record of a row of the outbox."""
    values = {name: row[name] for name in Notification.__dataclass_fields__ if name != "group"}
    return Notification(
        **{
            **values,
            "group": row["group_key"],
            "severity": Severity(row["severity"]),
            "state": State(row["state"]),
            "delivered": tuple(row["delivered"]),
        }
    )


def json_time(moment: datetime | None) -> str | None:
    """An instant in facts."""
    return None if moment is None else moment.isoformat()
