"""What a run knows of the schedule that submitted it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

Overlap = Literal["queue", "skip", "cancel-old"]


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """The due time that a run stands for.

    Attributes:
        schedule_id: the schedule.
        name: its name.
        due_at: the due time itself, without jitter or delay.
        timezone: the zone in which the schedule is read.
        overlap: what happens while an earlier run of the schedule is not over; no part of the run, so not in its capsule.
    """

    schedule_id: str
    name: str
    due_at: datetime
    timezone: str
    overlap: Overlap = "queue"

    def to_json(self) -> dict[str, str]:
        """As the capsule keeps it."""
        return {
            "id": self.schedule_id,
            "name": self.name,
            "due_at": _utc(self.due_at),
            "local": self.due_at.astimezone(ZoneInfo(self.timezone)).isoformat(),
        }


def schedule_environment(kept: Mapping[str, str] | None) -> dict[str, str]:
    """The variables that tell a script its due time, from what the capsule keeps; none for a run without a schedule.

    >>> schedule_environment({"id": "1", "name": "n", "due_at": "2026-11-21T01:30:00Z", "local": "2026-11-21T02:30:00+01:00"})
    {'FASTFLOW_SCHEDULE_ID': '1', 'FASTFLOW_DUE_AT': '2026-11-21T01:30:00Z', 'FASTFLOW_SCHEDULED_AT': '2026-11-21T02:30:00+01:00'}
    """
    if not kept:
        return {}
    return {
        "FASTFLOW_SCHEDULE_ID": kept["id"],
        "FASTFLOW_DUE_AT": kept["due_at"],
        "FASTFLOW_SCHEDULED_AT": kept["local"],
    }


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
