"""Rows of the schedule tables and the domain records they become."""

from typing import Any, Final, cast

from sqlalchemy import Row, Table

from fastflow.kernel.schedules.domain.schedule import Occurrence, Outcome, Pause, Schedule
from fastflow.kernel.schedules.infra.tables import OccurrenceRow, SchedulePauseRow, ScheduleRow

SCHEDULE: Final = cast("Table", ScheduleRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
OCCURRENCE: Final = cast("Table", OccurrenceRow.__table__)  # type: ignore[attr-defined]
PAUSE: Final = cast("Table", SchedulePauseRow.__table__)  # type: ignore[attr-defined]

_SCHEDULE_FIELDS: Final = tuple(Schedule.__dataclass_fields__)
_OCCURRENCE_FIELDS: Final = tuple(Occurrence.__dataclass_fields__)
_PAUSE_FIELDS: Final = tuple(Pause.__dataclass_fields__)
SCHEDULE_COLUMNS: Final = tuple(SCHEDULE.c[name] for name in _SCHEDULE_FIELDS)
OCCURRENCE_COLUMNS: Final = tuple(OCCURRENCE.c[name] for name in _OCCURRENCE_FIELDS)
PAUSE_COLUMNS: Final = tuple(PAUSE.c[name] for name in _PAUSE_FIELDS)


def schedule_of(row: Row[Any]) -> Schedule:
    """The record of a row that was selected with `SCHEDULE_COLUMNS`."""
    return Schedule(**dict(zip(_SCHEDULE_FIELDS, row, strict=True)))


def values_of_schedule(schedule: Schedule) -> dict[str, Any]:
    """The row of a schedule."""
    return {name: getattr(schedule, name) for name in _SCHEDULE_FIELDS} | {"params": dict(schedule.params)}


def occurrence_of(row: Row[Any]) -> Occurrence:
    """The record of a row that was selected with `OCCURRENCE_COLUMNS`."""
    values = dict(zip(_OCCURRENCE_FIELDS, row, strict=True))
    values["outcome"] = Outcome(values["outcome"])
    return Occurrence(**values)


def pause_of(row: Row[Any]) -> Pause:
    """The record of a row that was selected with `PAUSE_COLUMNS`."""
    return Pause(**dict(zip(_PAUSE_FIELDS, row, strict=True)))
