"""The times of a backfill, and the parameters of each: `2026-01-01` to `2026-01-31` in steps of `1d`, or by a cron line."""

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any, Final, Literal

from fastflow.kernel.flows.domain.errors import InvalidBackfill
from fastflow.kernel.schedules.domain.cron import find_problem
from fastflow.kernel.schedules.domain.due_times import due_times
from fastflow.kernel.schedules.domain.schedule import Timing
from fastflow.kernel.schedules.domain.zones import load_zone, zone_problem
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import InvalidInput

Order = Literal["oldest", "newest"]
Already = Literal["done", "under_way"]

DEFAULT_MAX = 10_000
DEFAULT_THROTTLE = 2
DEFAULT_PRIORITY = -100
"""Below ordinary runs, which are 0: they go first whatever waits of a backfill."""
PLACEHOLDERS: Final = ("date", "time", "start", "end", "year", "month", "day", "hour", "number")
_DAY = timedelta(days=1)
_JUST_BEFORE = timedelta(microseconds=1)
_CRON_LIKE = " @"


@dataclass(frozen=True, kw_only=True)
class BackfillRequest:
    """What is asked for.

    Attributes:
        since: the first time; a date, or an instant.
        until: the last one, itself included.
        step: a length of time such as `1d`, or a cron line.
        timezone: in which dates and cron lines are read.
        params: of every run; texts may hold placeholders such as `{date}`.
        order: which time goes first.
        throttle: runs that may be under way at once.
        max_failures: failed ones after which no more are started: a number, or a share such as `10%`.
        priority: of every run.
        maximum: more runs are refused.
        again: True: also what an earlier backfill has done.
    """

    pipeline_name: str
    since: str
    until: str
    step: str = "1d"
    timezone: str = "UTC"
    params: Mapping[str, Any] = field(default_factory=dict)
    order: Order = "oldest"
    throttle: int = DEFAULT_THROTTLE
    max_failures: int | str = 0
    priority: int = DEFAULT_PRIORITY
    maximum: int = DEFAULT_MAX
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One time of a backfill.

    Attributes:
        key: what tells it from the others, for people.
        params: placeholders filled.
        already: whether an earlier backfill has done the same, or is doing it; None: it is to run.
    """

    key: str
    params: Mapping[str, Any]
    already: Already | None = None


def plan_backfill(request: BackfillRequest) -> Sequence[Slot]:
    """The slots in the order in which they run.

    Raises:
        InvalidBackfill: names every field that is wrong; too many slots are counted as far as that is quick.
    """
    zone = zone_problem(request.timezone)
    if zone is not None:
        raise InvalidBackfill({"timezone": zone})
    since, until, is_dates = _range(request)
    starts = list(islice(_starts(request, since, until, is_dates=is_dates), request.maximum + 1))
    if len(starts) > request.maximum:
        raise _too_many(request, since, until)
    if not starts:
        raise InvalidBackfill({"step": f"{request.step} is due at no time from {request.since} to {request.until}"})
    is_daily = is_dates and all(start.time() == time() for start in starts)
    ends = [*starts[1:], _following(request, starts[-1], is_dates=is_dates)]
    slots = [
        _slot(request, place, start, end, is_daily=is_daily)
        for place, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    return slots if request.order == "oldest" else slots[::-1]


def check_placeholders(params: Mapping[str, Any]) -> Mapping[str, str]:
    """What is wrong with the templates, by parameter."""
    problems: dict[str, str] = {}
    for name, value in params.items():
        if not isinstance(value, str):
            continue
        try:
            odd = [
                hole
                for _, hole, form, conversion in string.Formatter().parse(value)
                if hole is not None and (hole not in PLACEHOLDERS or form or conversion)
            ]
        except ValueError as error:
            problems[f"params.{name}"] = f"{value!r} is no template: {error}; a brace itself is written twice"
            continue
        if odd:
            problems[f"params.{name}"] = f"{{{odd[0]}}} is no placeholder; known are {', '.join(PLACEHOLDERS)}"
    return problems


def _range(request: BackfillRequest) -> tuple[datetime, datetime, bool]:
    """The first and the last time in the zone, and whether both were given as dates."""
    problems: dict[str, str] = {}
    found: list[tuple[datetime, bool]] = []
    for name, text in (("since", request.since), ("until", request.until)):
        try:
            found.append(_read(text, request.timezone))
        except ValueError:
            problems[name] = f"{text[:60]!r} is no date or instant, such as 2026-01-31 or 2026-01-31T06:00"
    problems.update(check_placeholders(request.params))
    if problems:
        raise InvalidBackfill(problems)
    (since, first_is_date), (until, last_is_date) = found
    if until < since:
        raise InvalidBackfill({"until": f"{request.until} is before {request.since}, the first time"})
    if since.year < 1970 or until.year > 9990:
        raise InvalidBackfill({"since": "years before 1970 and after 9990 are not supported"})
    return since, until, first_is_date and last_is_date


def _read(text: str, timezone: str) -> tuple[datetime, bool]:
    text = text.strip()
    zone = load_zone(timezone)
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), time(), zone), True
    instant = datetime.fromisoformat(text)
    return (instant.replace(tzinfo=zone) if instant.tzinfo is None else instant.astimezone(zone)), False


def _starts(request: BackfillRequest, since: datetime, until: datetime, *, is_dates: bool) -> Iterator[datetime]:
    """The times in the zone; of two dates, the last day to its end."""
    last = _day_end(until) if is_dates else until
    if any(mark in request.step.strip() for mark in _CRON_LIKE):
        problem = find_problem(request.step)
        if problem is not None:
            raise InvalidBackfill({"step": problem})
        timing = Timing(
            trigger="cron", expression=request.step.strip(), timezone=request.timezone, anchor_at=since.astimezone(UTC)
        )
        for due in due_times(timing, since.astimezone(UTC) - _JUST_BEFORE):
            if due > last.astimezone(UTC):
                return
            yield due.astimezone(since.tzinfo)
        return
    step = _period(request)
    at, place = since, 0
    while at <= last:
        yield at
        place += 1
        at = _shifted(since, step, place)


def _shifted(since: datetime, step: timedelta, places: int) -> datetime:
    """Whole days are counted on the calendar, whatever the clocks do; everything else in time that passes."""
    if step % _DAY == timedelta():
        return since + step * places  # wall time: the zone finds the offset anew
    return (since.astimezone(UTC) + step * places).astimezone(since.tzinfo)


def _day_end(day: datetime) -> datetime:
    return day + _DAY - _JUST_BEFORE


def _period(request: BackfillRequest) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(request.step, "step"))
    except InvalidInput as error:
        raise InvalidBackfill(
            {"step": f"{request.step[:60]!r} is neither a length of time such as 1d or 6h nor a cron line"}
        ) from error


def _following(request: BackfillRequest, last: datetime, *, is_dates: bool) -> datetime:
    """The end of the last slot."""
    if any(mark in request.step.strip() for mark in _CRON_LIKE):
        beyond = last + timedelta(days=366)
        return next(islice(_starts(request, last + _JUST_BEFORE, beyond, is_dates=is_dates), 1), beyond)
    return _shifted(last, _period(request), 1)


def _slot(request: BackfillRequest, place: int, start: datetime, end: datetime, *, is_daily: bool) -> Slot:
    values = {
        "date": start.date().isoformat(),
        "time": start.strftime("%H:%M:%S"),
        "start": start.isoformat(),
        "end": end.isoformat(),
        "year": f"{start:%Y}",
        "month": f"{start:%m}",
        "day": f"{start:%d}",
        "hour": f"{start:%H}",
        "number": str(place + 1),
    }
    params = {
        name: value.format_map(values) if isinstance(value, str) else value for name, value in request.params.items()
    }
    return Slot(key=values["date"] if is_daily else values["start"], params=params)


def _too_many(request: BackfillRequest, since: datetime, until: datetime) -> InvalidBackfill:
    count = f"more than {request.maximum:,}"
    if not any(mark in request.step.strip() for mark in _CRON_LIKE):
        last = _day_end(until) if len(request.until.strip()) == len("2026-01-31") else until
        count = f"{(last - since) // _period(request) + 1:,}"
    return InvalidBackfill(
        {"until": f"this would make {count} runs; at most {request.maximum:,} are allowed"},
        hint="Make it several smaller backfills, take a longer step, or raise the limit: `maximum` may be up to 100,000.",
    )
