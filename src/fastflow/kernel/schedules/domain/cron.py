"""Cron lines: which wall-clock times they name, and what is wrong with one that cannot be read.

cronsim, which follows Debian's cron, reads the line and knows its days; it is asked about wall-clock times alone (naive, no
zone), and `due_times` makes instants of them. This is the one module that knows cronsim: a pure function of its arguments,
so it may live in the domain.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError

from fastflow.kit.words import did_you_mean

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = ("second", "minute", "hour", "day of month", "month", "day of week")
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_DAY, _MONTH, _WEEKDAY = 3, 4, 5
_ANY = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall-clock time has no zone
_NO_NUMBER = re.compile(r"[^0-9]")
_BEFORE_MIDNIGHT = (-1, -1, -1)
_PATIENCE_YEARS = 50
_A_DAY = timedelta(days=1)
_A_MONTH = timedelta(days=32)


class CronLine:
    """A readable cron line.

    Args:
        text: five fields, six with seconds in front, or an alias such as `@daily`.

    Raises:
        ValueError: it cannot be read; the message names the field and says why.

    >>> from datetime import datetime
    >>> next(CronLine("0 9 * * MON#1").walk(datetime(2026, 1, 1))).isoformat()
    '2026-01-05T09:00:00'
    """

    def __init__(self, text: str) -> None:
        problem = find_problem(text)
        if problem is not None:
            raise ValueError(problem)
        self.text = text
        fields = _fields(text)
        found = CronSim(" ".join(fields), _ANY)
        self._is_day, self._months = found.match_day, found.months
        self._hours, self._minutes, self._seconds = map(sorted, (found.hours, found.minutes, found.seconds))
        self.is_fixed = not fields[-5].startswith("*") and not fields[-4].startswith("*")
        """Whether it names times of day: neither minute nor hour begins with `*`. Such a time comes once on every day,
        also when the clocks change; any other line follows the hours that really pass."""

    def walk(self, after: datetime) -> Iterator[datetime]:
        """The wall-clock times it names after `after` (naive), in order; ends when none comes for 50 years."""
        first = after.date()
        for day in self._days(first):
            started = (after.hour, after.minute, after.second) if day == first else _BEFORE_MIDNIGHT
            for hour, minute, second in self._times(started):
                yield datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001 - a wall-clock time

    def _days(self, day: date) -> Iterator[date]:
        """The days it names, from this one on. The library's own walk looks at every hour of every day, which takes ten
        times as long."""
        last = day
        try:
            while day.year - last.year <= _PATIENCE_YEARS:
                if day.month not in self._months:
                    day = (day.replace(day=1) + _A_MONTH).replace(day=1)
                    continue
                if self._is_day(day):
                    yield day
                    last = day
                day += _A_DAY
        except OverflowError:  # the year 9999 is over
            return

    def _times(self, after: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
        """The times of day it names, later than one."""
        for hour in self._hours[bisect_left(self._hours, after[0]) :]:
            for minute in self._minutes:
                if (hour, minute) < after[:2]:
                    continue
                for second in self._seconds:
                    if (hour, minute, second) > after:
                        yield hour, minute, second


@lru_cache(maxsize=4096)
def read_cron(text: str) -> CronLine:
    """The line, remembered; raises as `CronLine`."""
    return CronLine(text)


def find_problem(text: str) -> str | None:
    """What is wrong with a cron line; None when it can be read.

    >>> find_problem("0 25 * * *")
    'the hour field "25": 25 is out of range, 0 to 23'
    >>> find_problem("30 2 * * *") is None
    True
    """
    if text.strip().startswith("@") and text.strip().lower() not in ALIASES:
        return _guessed(f"{text.strip()[:40]!r} is no known shorthand", text.strip(), ALIASES)
    fields = _fields(text)
    if len(fields) not in (5, 6):
        return (
            f"{len(fields)} fields instead of 5 (minute, hour, day of month, month, day of week; "
            "6 with the second in front)"
        )
    placed = list(enumerate(fields, start=6 - len(fields)))
    found = [(place, field, problem) for place, field in placed if (problem := _field_problem(place, field))]
    if found:
        return "; ".join(f'the {FIELDS[place]} field "{field[:40]}": {problem}' for place, field, problem in found)
    if not _can_be_read(" ".join(fields)):  # each field is right, together they are not
        return (
            f'the day of month field "{fields[-3]}": no month that the month field "{fields[-2]}" names has such a day'
        )
    return None


def _fields(text: str) -> list[str]:
    return ALIASES.get(text.strip().lower(), text).upper().split()


def _can_be_read(line: str) -> bool:
    try:
        CronSim(line, _ANY)
    except CronSimError:
        return False
    return True


def _reads_field(place: int, field: str) -> bool:
    fields = ["0", "*", "*", "*", "*", "*"]
    fields[place] = field
    if place == _DAY:
        fields[_WEEKDAY] = "1"  # else a day that only some months have is refused for every month's sake
    return _can_be_read(" ".join(fields))


def _field_problem(place: int, field: str) -> str | None:
    if _reads_field(place, field):
        return None
    for term in field.split(","):
        if not term:
            return "a part between commas is empty"
        if not _reads_field(place, term):
            return _term_problem(place, term)
    return "it cannot be read"


def _term_problem(place: int, term: str) -> str:
    if "?" in term:
        return "? is not known here; write *"
    if place == _DAY and "W" in term and term != "LW":
        return f"{term} is not known here; of the days nearest to a weekday there is LW alone, the month's last weekday"
    if place == _DAY and "L" in term:
        return f"{term} is not known here; L stands alone for the month's last day, LW for its last weekday"
    if place == _WEEKDAY and "#" in term:
        day, _, number = term.partition("#")
        return _value_problem(place, day) or f"{number!r} does not say which one of the month: 1 to 5"
    if place == _WEEKDAY and term.endswith("L"):
        return f"{term} is not known here; the last Friday of a month is 5L"
    if "/" in term:
        inner, _, step = term.partition("/")
        if _NO_NUMBER.search(step) or not step or int(step) == 0:
            return f"the step {step!r} is not a whole number above 0"
        return _term_problem(place, inner)
    if "-" in term:
        return _range_problem(place, term)
    return _value_problem(place, term) or f"{term} cannot be read"


def _range_problem(place: int, term: str) -> str:
    start, _, end = term.partition("-")
    problem = _value_problem(place, start) or _value_problem(place, end)
    if problem is not None:
        return problem
    note = "; Sunday at the end of a range is 7" if place == _WEEKDAY and end in ("0", "SUN") else ""
    return f"the range {term} ends before it starts{note}"


def _value_problem(place: int, value: str) -> str | None:
    """What is wrong with a single value of the field."""
    names = {_MONTH: _MONTHS, _WEEKDAY: _DAYS}.get(place, ())
    if value in names:
        return None
    if not value:
        return "a value is missing"
    low, high = _RANGES[place]
    if _NO_NUMBER.search(value):
        known = f"a number from {low} to {high}" + (f" or one of {', '.join(names)}" if names else "")
        return _guessed(f"{value[:40]!r} is not {known}", value, names)
    if not low <= int(value[:10]) <= high:
        return f"{value} is out of range, {low} to {high}"
    return None


def _guessed(sentence: str, word: str, known: Iterable[str]) -> str:
    near = did_you_mean(word[:40], known)
    return f"{sentence}.{near}" if near else sentence
