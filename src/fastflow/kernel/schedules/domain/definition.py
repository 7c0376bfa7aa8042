"""Whether a schedule that somebody asks for can be kept: every problem found, by field."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from fastflow.kernel.schedules.domain.cron import find_problem
from fastflow.kernel.schedules.domain.due_times import due_after, end_of_gap, next_due_times
from fastflow.kernel.schedules.domain.errors import InvalidSchedule
from fastflow.kernel.schedules.domain.schedule import Definition, Timing, in_words
from fastflow.kernel.schedules.domain.zones import instants_of, load_zone, zone_problem
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import InvalidInput

SHORTEST_INTERVAL = 1.0
LONGEST_JITTER = 86_400.0
_COMPARED_DUE_TIMES = 20
_FIRST_YEAR, _LAST_YEAR = 1970, 9990
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)

Problems = Iterator[tuple[str, str]]


def check(definition: Definition, now: datetime, *, is_past_allowed: bool = False) -> Definition:
    """The definition in the form it is kept in: of a one-shot, the instant with its offset.

    Args:
        definition: as asked for.
        now: aware.
        is_past_allowed: what is over may be kept: a schedule declared in code stays there when it is done.

    Raises:
        InvalidSchedule: names every field that is wrong, with its problem.
    """
    problems = dict(_problems_of_fields(definition))
    if problems:
        raise InvalidSchedule(problems)
    if definition.trigger == "once":
        definition = replace(definition, expression=_instant_of(definition).isoformat())
    problems = dict(_problems_together(definition, now, is_past_allowed=is_past_allowed))
    if problems:
        raise InvalidSchedule(problems)
    return definition


def timing_of(definition: Definition, anchor: datetime) -> Timing:
    """When the definition is due, counting intervals from `start_at`, else from `anchor`."""
    return Timing(
        trigger=definition.trigger,
        expression=definition.expression,
        timezone=definition.timezone,
        anchor_at=definition.start_at or anchor,
        start_at=definition.start_at,
        end_at=definition.end_at,
        jitter=definition.jitter,
    )


def _problems_of_fields(definition: Definition) -> Problems:
    if definition.name is not None and not _NAME.fullmatch(definition.name):
        yield "name", "is not made of letters, digits, `_`, `-` and `.`, beginning with a letter or digit, at most 100"
    zone = zone_problem(definition.timezone)
    if zone is not None:
        yield "timezone", zone
    problem = _expression_problem(definition, has_zone=zone is None)
    if problem is not None:
        yield "expression", problem
    if not 0 <= definition.jitter <= LONGEST_JITTER:
        yield "jitter", f"{definition.jitter:g} is not from 0 to {LONGEST_JITTER:g} seconds"
    if definition.catch_up_window is not None and definition.catch_up_window <= 0:
        yield "catch_up_window", f"{definition.catch_up_window:g} is not above 0; null means without limit"
    for name in ("start_at", "end_at"):
        instant: datetime | None = getattr(definition, name)
        if instant is not None and instant.tzinfo is None:
            yield name, "has no offset: write it as well, such as 2026-11-21T04:35:18Z"
        elif instant is not None and not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
            yield name, f"its year is not from {_FIRST_YEAR} to {_LAST_YEAR}"


def _expression_problem(definition: Definition, *, has_zone: bool) -> str | None:
    if definition.trigger == "cron":
        return find_problem(definition.expression)
    if definition.trigger == "interval":
        return _interval_problem(definition.expression)
    return _instant_problem(definition.expression, load_zone(definition.timezone) if has_zone else None)


def _interval_problem(text: str) -> str | None:
    try:
        seconds = parse_duration(text, "expression")
    except InvalidInput:
        if re.fullmatch(r"\s*[-+]?0*\.?0*\s*(ms|s|m|h|d)?\s*", text) and "0" in text:
            return f"{text!r} is no time at all: the shortest interval is {SHORTEST_INTERVAL:g} s"
        return f"{text[:40]!r} is no length of time; write seconds, or text such as 90s, 10m, 1h30m, 7d"
    if seconds < SHORTEST_INTERVAL:
        return f"{text!r} is too short: the shortest interval is {SHORTEST_INTERVAL:g} s"
    return None


def _instant_problem(text: str, zone: ZoneInfo | None) -> str | None:
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        return f"{text[:40]!r} is no instant; write it as 2026-11-21T04:35 or 2026-11-21T04:35:00+01:00"
    if ":" not in text:
        return f"{text[:40]!r} has no time of day; write it as 2026-11-21T04:35"
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        return f"its year is not from {_FIRST_YEAR} to {_LAST_YEAR}"
    if instant.tzinfo is not None or zone is None:
        return None
    found = instants_of(zone, instant)
    if not found:
        moved = end_of_gap(zone.key, instant).astimezone(zone)
        return f"{instant:%H:%M} does not exist on {instant:%Y-%m-%d} in {zone.key}: the clocks go on to {moved:%H:%M} then"
    if len(found) > 1:
        offsets = " or ".join(f"{each.astimezone(zone):%z}" for each in found)
        return f"{instant:%H:%M} comes twice on {instant:%Y-%m-%d} in {zone.key}: write the offset as well, {offsets}"
    return None


def _instant_of(definition: Definition) -> datetime:
    zone = load_zone(definition.timezone)
    instant = datetime.fromisoformat(definition.expression.strip())
    return (instant if instant.tzinfo is not None else instants_of(zone, instant)[0]).astimezone(zone)


def _problems_together(definition: Definition, now: datetime, *, is_past_allowed: bool) -> Problems:
    start, end = definition.start_at, definition.end_at
    if start is not None and end is not None and end <= start:
        yield "end_at", f"{end.isoformat()} is not after start_at, {start.isoformat()}"
        return
    timing = timing_of(definition, now)
    if definition.jitter > 0:
        gap = _shortest_gap(timing, now)
        if gap is not None and definition.jitter > gap.total_seconds():
            told = f"{definition.jitter:g} s is more than the {in_words(gap.total_seconds())} between two due times"
            yield "jitter", told
    if is_past_allowed:
        return
    if definition.trigger == "once":
        due = _instant_of(definition)
        if due <= now:
            yield "expression", f"{definition.expression} is in the past: it is {_shown(now, definition)} now"
            return
    if end is not None and end <= now:
        yield "end_at", f"{end.isoformat()} is in the past: it is {_shown(now, definition)} now"
    elif due_after(timing, now) is None:
        yield "expression", _never(definition)


def _never(definition: Definition) -> str:
    if definition.trigger == "cron" and definition.end_at is None:
        return f"{definition.expression!r} is never due: no such day comes within 50 years"
    return f"{definition.expression!r} is never due between start_at and end_at"


def _shown(now: datetime, definition: Definition) -> str:
    zone = load_zone(definition.timezone)
    return now.astimezone(zone).isoformat(timespec="seconds")


def _shortest_gap(timing: Timing, now: datetime) -> timedelta | None:
    due = next_due_times(timing, now, _COMPARED_DUE_TIMES)
    return min((later - earlier for earlier, later in pairwise(due)), default=None)
