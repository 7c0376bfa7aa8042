"""What people choose in the editor, as a trigger and an expression, and back; shapes of cron lines that have a name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import product

from fastflow.kernel.schedules.domain.cron import ALIASES
from fastflow.kernel.schedules.domain.schedule import Trigger
from fastflow.kernel.schedules.domain.zones import load_zone, zone_problem

STEPS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
"""Minutes that an hour is a multiple of: other steps would leave a shorter one at its end."""
HOURS = (1, 2, 3, 4, 6, 8, 12)
_MOST_TIMES = 6
_DAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class Kind(StrEnum):
    """How the editor is filled in."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    LINE = "line"
    """A cron line, as it is."""
    INTERVAL = "interval"
    """Elapsed time, whatever the clocks do."""
    ONCE = "once"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A cron line that has a name.

    Attributes:
        every: minutes or hours.
        minute: of the hour.
        times: of the day, as `08:30`.
        weekdays: 1 is Monday, 7 is Sunday.
        day: of the month; `L` is the last.
    """

    kind: Kind
    every: int = 1
    minute: int = 0
    times: Sequence[str] = ()
    weekdays: Sequence[int] = ()
    day: str = ""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What the editor holds, in the words of its fields."""

    kind: Kind = Kind.DAILY
    step: str = "15"
    hours: str = "1"
    minute: str = "0"
    time: str = "02:30"
    weekdays: Sequence[int] = (1, 2, 3, 4, 5)
    day: str = "1"
    line: str = "30 2 * * *"
    length: str = "10m"
    instant: str = ""


def shape_of(line: str) -> Shape | None:
    """The shape of a cron line; None: it has no name.

    >>> shape_of("0 8,17 * * MON-FRI")
    Shape(kind=<Kind.WEEKLY: 'weekly'>, every=1, minute=0, times=('08:00', '17:00'), weekdays=(1, 2, 3, 4, 5), day='')
    """
    fields = ALIASES.get(line.strip().lower(), line).upper().split()
    if len(fields) != 5 or fields[3] != "*":
        return None
    minute, hour, day, _, weekday = fields
    if (day, weekday) == ("*", "*"):
        passing = _passing(minute, hour)
        if passing is not None:
            return passing
    times = _times(minute, hour)
    if times is None:
        return None
    if day == "*" and weekday == "*":
        return Shape(kind=Kind.DAILY, times=times)
    if day == "*":
        days = _weekdays(weekday)
        return None if days is None else Shape(kind=Kind.WEEKLY, times=times, weekdays=days)
    is_plain = day == "L" or (day.isdigit() and 1 <= int(day) <= 31)
    return Shape(kind=Kind.MONTHLY, times=times, day=day) if is_plain and weekday == "*" else None


def timing_of(chosen: Chosen) -> tuple[Trigger, str]:
    """What the service is asked for.

    >>> timing_of(Chosen(kind=Kind.WEEKLY, time="08:30", weekdays=(7, 1)))
    ('cron', '30 8 * * 1,7')
    """
    if chosen.kind is Kind.LINE:
        return "cron", chosen.line.strip()
    if chosen.kind is Kind.INTERVAL:
        return "interval", chosen.length.strip()
    if chosen.kind is Kind.ONCE:
        return "once", chosen.instant.strip()
    if chosen.kind is Kind.MINUTES:
        return "cron", f"*/{chosen.step} * * * *" if chosen.step != "1" else "* * * * *"
    if chosen.kind is Kind.HOURS:
        return "cron", f"{chosen.minute.strip() or '0'} {'*' if chosen.hours == '1' else f'*/{chosen.hours}'} * * *"
    hour, _, minute = chosen.time.partition(":")
    at = f"{int(minute)} {int(hour)}" if hour.isdigit() and minute.isdigit() else "- -"
    if chosen.kind is Kind.WEEKLY:
        return "cron", f"{at} * * {','.join(map(str, sorted(chosen.weekdays))) or '-'}"
    return "cron", f"{at} {chosen.day if chosen.kind is Kind.MONTHLY else '*'} * *"


def chosen_of(trigger: Trigger, expression: str, timezone: str) -> Chosen:
    """What the editor holds for a schedule there is; a line without a name stays a line."""
    if trigger == "interval":
        return Chosen(kind=Kind.INTERVAL, length=expression)
    if trigger == "once":
        return Chosen(kind=Kind.ONCE, instant=_wall(expression, timezone))
    shape = shape_of(expression)
    if shape is None or len(shape.times) > 1 or (shape.kind is Kind.MINUTES and shape.every not in STEPS):
        return Chosen(kind=Kind.LINE, line=expression)
    if shape.kind is Kind.HOURS and shape.every not in HOURS:
        return Chosen(kind=Kind.LINE, line=expression)
    time = shape.times[0] if shape.times else "02:30"
    return Chosen(
        kind=shape.kind,
        step=str(shape.every) if shape.kind is Kind.MINUTES else "15",
        hours=str(shape.every) if shape.kind is Kind.HOURS else "1",
        minute=str(shape.minute),
        time=time,
        weekdays=shape.weekdays or (1, 2, 3, 4, 5),
        day=shape.day or "1",
        line=expression,
    )


def _passing(minute: str, hour: str) -> Shape | None:
    """Lines that come again within the day."""
    if hour == "*" and (minute == "*" or re.fullmatch(r"\*/[1-9]\d?", minute)):
        return Shape(kind=Kind.MINUTES, every=int(minute[2:] or 1))
    if minute.isdigit() and int(minute) < 60 and (hour == "*" or re.fullmatch(r"\*/[1-9]\d?", hour)):
        return Shape(kind=Kind.HOURS, every=int(hour[2:] or 1), minute=int(minute))
    return None


def _times(minute: str, hour: str) -> tuple[str, ...] | None:
    minutes, hours = _numbers(minute, 59), _numbers(hour, 23)
    if not minutes or not hours or len(minutes) * len(hours) > _MOST_TIMES:
        return None
    return tuple(f"{each[0]:02d}:{each[1]:02d}" for each in product(hours, minutes))


def _numbers(field: str, highest: int) -> list[int] | None:
    parts = field.split(",")
    if not all(part.isdigit() and int(part) <= highest for part in parts):
        return None
    return sorted({int(part) for part in parts})


def _weekdays(field: str) -> tuple[int, ...] | None:
    """Monday first, whatever number or name Sunday has."""
    found: set[int] = set()
    for part in field.split(","):
        first, _, last = part.partition("-")
        numbers = [_weekday(each) for each in (first, last or first)]
        if None in numbers:
            return None
        start, end = (number or 0 for number in numbers)
        found |= {day or 7 for day in range(start, end + 1)}
    return tuple(sorted(found)) or None


def _weekday(text: str) -> int | None:
    if text in _DAY_NAMES:
        return _DAY_NAMES.index(text)
    return int(text) if text.isdigit() and int(text) <= 7 else None


def _wall(expression: str, timezone: str) -> str:
    """An instant on the clocks of the zone, as the browser's field takes it."""
    instant = datetime.fromisoformat(expression)
    if instant.tzinfo is not None and zone_problem(timezone) is None:
        instant = instant.astimezone(load_zone(timezone))
    return f"{instant:%Y-%m-%dT%H:%M}"
