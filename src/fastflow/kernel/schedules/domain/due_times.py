"""From a timing to its due times, as instants.

A cron line names wall-clock times of its zone. Where clocks change, cron's own rule decides. A line of times of day
(neither minute nor hour begins with `*`) is due once on every day: a time that is left out is due when the clocks have
moved on, and one that comes twice is due the first time. Every other line follows the hours that really pass: what is left
out is not due, what comes twice is due twice. Intervals are elapsed time and do not see clocks change.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from fastflow.kernel.schedules.domain.cron import CronLine, find_problem, read_cron
from fastflow.kernel.schedules.domain.schedule import Timing
from fastflow.kernel.schedules.domain.zones import (
    instants_of,
    load_zone,
    offset_at,
    transitions_between,
    transitions_of,
    wall_at,
    zone_problem,
)
from fastflow.kit.durations import parse_duration

_SECOND = timedelta(seconds=1)
_LAST_YEAR = 9990
"""No due time later: a margin for offsets within the years that Python knows."""


def due_after(timing: Timing, instant: datetime) -> datetime | None:
    """The first due time after an instant; None when there is none (for cron lines: within 50 years)."""
    return next(due_times(timing, instant), None)


def next_due_times(timing: Timing, instant: datetime, count: int) -> list[datetime]:
    """The first due times after an instant, at most `count`."""
    return list(islice(due_times(timing, instant), count))


def due_times(timing: Timing, after: datetime) -> Iterator[datetime]:
    """Every due time after an instant, strictly increasing, in UTC, within the timing's window. May have no end."""
    if timing.start_at is not None:
        after = max(after, timing.start_at - timedelta(microseconds=1))
    for due in _unbounded(timing, after.astimezone(UTC)):
        if timing.end_at is not None and due >= timing.end_at:
            return
        yield due


def fire_time(key: str, due: datetime, jitter: float) -> datetime:
    """When a due time is to be started: put off by 0 to `jitter` seconds, always the same for a schedule and due time.

    Args:
        key: the schedule's id, so that schedules with the same due time spread.
        due: the due time.
        jitter: seconds.
    """
    if jitter <= 0:
        return due
    digest = hashlib.sha256(f"{key}:{due.isoformat()}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return due + timedelta(milliseconds=int(share * (jitter * 1000 + 1)))


def period_of(expression: str) -> timedelta:
    """The period of an interval; raises InvalidInput."""
    return timedelta(seconds=parse_duration(expression, "expression"))


def timing_problem(timing: Timing) -> str | None:
    """Why due times cannot be worked out, although they could when the timing was made; None when they can."""
    problem = zone_problem(timing.timezone)
    if problem is None and timing.trigger == "cron":
        problem = find_problem(timing.expression)
    return problem


def _unbounded(timing: Timing, after: datetime) -> Iterator[datetime]:
    if timing.trigger == "cron":
        line = read_cron(timing.expression)
        return (_times_of_day if line.is_fixed else _times_that_pass)(line, timing.timezone, after)
    if timing.trigger == "interval":
        return _every(period_of(timing.expression), timing.anchor_at.astimezone(UTC), after)
    due = datetime.fromisoformat(timing.expression).astimezone(UTC)
    return iter((due,) if due > after else ())


def _every(period: timedelta, anchor: datetime, after: datetime) -> Iterator[datetime]:
    number = max(0, (after - anchor) // period + 1)
    try:
        while (due := anchor + number * period).year <= _LAST_YEAR:
            yield due
            number += 1
    except OverflowError:
        return


def _times_of_day(line: CronLine, zone_name: str, after: datetime) -> Iterator[datetime]:
    zone = load_zone(zone_name)
    last = after
    for wall in line.walk(wall_at(zone, after)):
        if wall.year > _LAST_YEAR:
            return
        found = instants_of(zone, wall)
        due = found[0] if found else end_of_gap(zone_name, wall)
        if due > last:
            yield due
            last = due


def _times_that_pass(line: CronLine, zone_name: str, after: datetime) -> Iterator[datetime]:
    """Between two changes of the clocks, instants and wall-clock times differ by a constant."""
    zone = load_zone(zone_name)
    position, walked = after, wall_at(zone, after)
    while position.year <= _LAST_YEAR:
        offset, border = offset_at(zone, position), _next_border(zone_name, position)
        wall = None
        for wall in line.walk(walked):
            due = _instant(wall, offset)
            if due is None or due >= border:
                break
            yield due
        if wall is None:  # the line names no time any more
            return
        position, walked = border, wall_at(zone, border) - _SECOND


def _instant(wall: datetime, offset: timedelta) -> datetime | None:
    return None if wall.year > _LAST_YEAR else (wall - offset).replace(tzinfo=UTC)


def _next_border(zone_name: str, after: datetime) -> datetime:
    """The next change of the clocks, or a new year by then: up to it the offset is the same."""
    year = after.year
    for transition in transitions_of(zone_name, year):
        if transition.at > after:
            return transition.at
    return datetime(year + 1, 1, 1, tzinfo=UTC)


def end_of_gap(zone_name: str, wall: datetime) -> datetime:
    """The instant at which the clocks moved on, for a wall-clock time that was left out."""
    zone = load_zone(zone_name)
    first, last = sorted(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return next(transition.at for transition in transitions_between(zone_name, first - _SECOND, last))
