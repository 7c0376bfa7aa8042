"""Due times as instants: changes of the clocks, intervals, one-shots, windows, jitter."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflow.kernel.schedules.domain.cron import read_cron
from fastflow.kernel.schedules.domain.due_times import (
    due_after,
    due_times,
    end_of_gap,
    fire_time,
    next_due_times,
)
from fastflow.kernel.schedules.domain.schedule import Timing, Trigger
from fastflow.kernel.schedules.domain.zones import instants_of, transitions_of, zone_names
from fastflow.testing.schedule_doubles import instant, wall

ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/New_York", "America/Santiago",
    "America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Jerusalem", "Asia/Kathmandu", "Atlantic/Azores",
    "Australia/Adelaide", "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin", "Pacific/Auckland", "Pacific/Chatham",
    "Pacific/Easter", "UTC",
]  # fmt: skip
LINES = [
    "30 2 * * *", "0 0 * * *", "0,30 1-3 * * *", "59 23 * * *", "15 */2 * * *", "*/10 * * * *", "*/7 0-5 * * *",
    "30 * * * *", "*/15 23,0 * * 0", "* 0 * * *", "30 23 L * *", "0 12 * * 1#2",
]  # fmt: skip


def timing(expression: str, zone: str = "UTC", **values: Any) -> Timing:
    trigger: Trigger = "cron" if " " in expression else "once" if "T" in expression else "interval"
    return Timing(
        trigger=trigger, expression=expression, timezone=zone, **{"anchor_at": instant("2026-01-01T00:00"), **values}
    )


def local(expression: str, zone: str, since: str, count: int, **values: Any) -> list[str]:
    found = next_due_times(timing(expression, zone, **values), instant(since), count)
    return [due.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for due in found]


# -- changes of the clocks ----------------------------------------------------------------------------------------------


def test_time_of_day_when_left_out_in_spring_then_due_when_the_clocks_have_moved_on() -> None:
    assert local("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00", 2) == [
        "2027-03-28T03:00+02:00",
        "2027-03-29T02:30+02:00",
    ]


def test_time_of_day_when_it_comes_twice_in_autumn_then_due_the_first_time_alone() -> None:
    assert local("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00", 2) == [
        "2027-10-31T02:30+02:00",
        "2027-11-01T02:30+01:00",
    ]


def test_times_of_day_when_several_are_left_out_then_due_once() -> None:
    assert local("0,20,40 2 * * *", "Europe/Berlin", "2027-03-28T00:00", 2) == [
        "2027-03-28T03:00+02:00",
        "2027-03-29T02:00+02:00",
    ]
    assert local("0 2,3 * * *", "Europe/Berlin", "2027-03-28T00:00", 2) == [
        "2027-03-28T03:00+02:00",
        "2027-03-29T02:00+02:00",
    ]


def test_hourly_line_when_the_clocks_change_then_follows_the_hours_that_pass() -> None:
    spring = local("0 * * * *", "Europe/Berlin", "2027-03-27T23:30", 4)
    assert spring == [f"2027-03-28T{time}" for time in ("01:00+01:00", "03:00+02:00", "04:00+02:00", "05:00+02:00")]
    autumn = local("0 * * * *", "Europe/Berlin", "2027-10-30T23:30", 4)
    assert autumn == [f"2027-10-31T{time}" for time in ("02:00+02:00", "02:00+01:00", "03:00+01:00", "04:00+01:00")]


def test_line_with_a_star_when_its_hour_is_left_out_then_is_not_due_that_day() -> None:
    assert local("*/30 2 * * *", "Europe/Berlin", "2027-03-27T12:00", 1) == ["2027-03-29T02:00+02:00"]
    assert len(local("*/30 2 * * *", "Europe/Berlin", "2027-10-30T12:00", 4)) == 4  # 02:00, 02:30, and both again


def test_midnight_when_the_clocks_leave_it_out_then_due_at_one() -> None:
    spring = next(one for one in transitions_of("America/Santiago", 2027) if one.is_gap)
    assert spring.walls[0].hour == 0
    (due,) = next_due_times(timing("0 0 * * *", "America/Santiago"), spring.at - timedelta(hours=2), 1)
    assert due == spring.at


def test_minutes_when_a_zone_moves_by_half_an_hour_then_none_is_lost() -> None:
    """Found in the library itself, which asks for whole hours: it is asked about wall-clock times alone."""
    for transition in transitions_of("Australia/Lord_Howe", 2027):
        found = next_due_times(timing("*/10 3 * * *", "Australia/Lord_Howe"), transition.at - timedelta(hours=3), 6)
        walls = [due.astimezone(ZoneInfo("Australia/Lord_Howe")).strftime("%H:%M") for due in found]
        assert walls == ["03:00", "03:10", "03:20", "03:30", "03:40", "03:50"]


def by_brute_force(expression: str, zone_name: str, since: datetime, until: datetime) -> list[datetime]:
    """The due times, by looking at every minute, or at every wall-clock time, in turn."""
    zone, line = ZoneInfo(zone_name), read_cron(expression)
    margin = timedelta(days=2)
    walls = set(
        takewhile(
            lambda wall: wall < (until + margin).replace(tzinfo=None), line.walk((since - margin).replace(tzinfo=None))
        )
    )
    if line.is_fixed:
        found = {(instants_of(zone, wall) or (end_of_gap(zone_name, wall),))[0] for wall in walls}
        return sorted(due for due in found if since < due <= until)
    minutes = (since.replace(second=0) + timedelta(minutes=1) * number for number in range(1, 10**6))
    return [
        minute
        for minute in takewhile(lambda minute: minute <= until, minutes)
        if minute.astimezone(zone).replace(tzinfo=None, fold=0) in walls
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_due_times_when_looked_at_around_every_change_of_clocks_then_brute_force_finds_the_same(zone: str) -> None:
    changes = [*transitions_of(zone, 2026), *transitions_of(zone, 2027)]
    for at in [change.at for change in changes] or [instant("2026-12-31T20:00")]:
        since, until = at - timedelta(hours=4, minutes=7), at + timedelta(hours=4)
        for expression in LINES:
            expected = by_brute_force(expression, zone, since, until)
            assert within(due_times(timing(expression, zone), since), until) == expected, (zone, expression, at)
            assert list(one_by_one(timing(expression, zone), since, until)) == expected, (zone, expression, at)


def within(found: Iterator[datetime], until: datetime) -> list[datetime]:
    return list(takewhile(lambda due: due <= until, found))


def one_by_one(given_timing: Timing, since: datetime, until: datetime) -> Iterator[datetime]:
    """As a schedule goes: from each due time to the next, with nothing else remembered."""
    due = due_after(given_timing, since)
    while due is not None and due <= until:
        yield due
        due = due_after(given_timing, due)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(sorted(zone_names())),
    line=st.sampled_from(LINES),
    since=st.datetimes(wall(1999, 1, 1), wall(2090, 1, 1), timezones=st.just(UTC)),
)
def test_due_times_when_of_any_zone_and_instant_then_strictly_increase_and_need_no_memory(
    zone: str, line: str, since: datetime
) -> None:
    found = next_due_times(timing(line, zone), since, 12)
    assert len(found) == 12
    assert since < found[0]
    assert all(earlier < later for earlier, later in pairwise(found))
    assert [due_after(timing(line, zone), due) for due in found[:-1]] == found[1:]
    middle = found[0] + (found[1] - found[0]) / 2
    assert due_after(timing(line, zone), middle) == found[1]


def test_due_times_when_the_calendar_ends_then_end() -> None:
    assert due_after(timing("0 0 * * *"), instant("9990-12-30T00:00")) == instant("9990-12-31T00:00")
    for expression in ("0 0 * * *", "*/5 * * * *", "1h"):
        assert len(list(islice(due_times(timing(expression, "Europe/Berlin"), instant("9990-12-31T22:30")), 50))) < 50


# -- February, weekdays ---------------------------------------------------------------------------------------------------


def test_leap_day_when_asked_for_then_due_every_fourth_year() -> None:
    assert local("0 12 29 2 *", "America/New_York", "2027-01-01T00:00", 2) == [
        "2028-02-29T12:00-05:00",
        "2032-02-29T12:00-05:00",
    ]


def test_leap_day_when_the_century_has_none_then_is_not_due() -> None:
    assert local("0 0 29 2 *", "UTC", "2096-03-01T00:00", 1) == ["2104-02-29T00:00+00:00"]


# -- intervals --------------------------------------------------------------------------------------------------------------


def test_interval_when_anchored_then_counts_from_there_whatever_the_instant() -> None:
    every = timing("7m", anchor_at=instant("2026-01-01T00:03"))
    assert due_after(every, instant("2026-01-01T00:00")) == instant("2026-01-01T00:03")
    assert due_after(every, instant("2026-01-01T00:03")) == instant("2026-01-01T00:10")
    assert due_after(every, instant("2026-01-01T00:09")) == instant("2026-01-01T00:10")
    assert due_after(every, instant("2027-01-01T00:00")) == instant("2027-01-01T00:05")


def test_interval_when_the_clocks_change_then_does_not_see_it() -> None:
    found = next_due_times(
        timing("1d", "Europe/Berlin", anchor_at=instant("2027-03-27T01:30")), instant("2027-03-27T02:00"), 2
    )
    assert [due.isoformat() for due in found] == ["2027-03-28T01:30:00+00:00", "2027-03-29T01:30:00+00:00"]


@given(
    seconds=st.integers(1, 10**6),
    anchor=st.datetimes(wall(2020, 1, 1), wall(2030, 1, 1), timezones=st.just(UTC)),
    since=st.datetimes(wall(2020, 1, 1), wall(2030, 1, 1), timezones=st.just(UTC)),
)
def test_interval_when_of_any_length_then_due_on_its_grid_and_next(
    seconds: int, anchor: datetime, since: datetime
) -> None:
    due = due_after(timing(f"{seconds}s", anchor_at=anchor), since)
    period = timedelta(seconds=seconds)
    assert due is not None and due > since and due >= anchor
    assert (due - anchor) % period == timedelta(0)
    assert due == anchor or due - since <= period


# -- one-shots, windows ------------------------------------------------------------------------------------------------------


def test_one_shot_when_asked_before_and_after_then_due_once() -> None:
    once = timing("2026-11-21T04:35:00+01:00")
    assert list(due_times(once, instant("2026-01-01T00:00"))) == [instant("2026-11-21T03:35")]
    assert due_after(once, instant("2026-11-21T03:35")) is None


def test_window_when_set_then_starts_with_its_start_and_ends_before_its_end() -> None:
    daily = timing("0 0 * * *", start_at=instant("2026-02-01T00:00"), end_at=instant("2026-02-04T00:00"))
    assert [due.day for due in due_times(daily, instant("2026-01-01T00:00"))] == [1, 2, 3]
    assert [due.day for due in due_times(daily, instant("2026-02-02T12:00"))] == [3]


def test_interval_when_its_window_has_a_start_then_is_first_due_there() -> None:
    start = instant("2026-02-01T00:10")
    assert due_after(timing("1h", anchor_at=start, start_at=start), instant("2026-01-01T00:00")) == start


# -- jitter -------------------------------------------------------------------------------------------------------------------


@given(key=st.text(min_size=1, max_size=40), seconds=st.floats(0, 86_400), day=st.integers(0, 3650))
def test_jitter_when_computed_then_within_its_bounds_and_always_the_same(key: str, seconds: float, day: int) -> None:
    due = instant("2026-01-01T00:00") + timedelta(days=day)
    fire = fire_time(key, due, seconds)
    assert due <= fire <= due + timedelta(seconds=seconds, milliseconds=1)
    assert fire_time(key, due, seconds) == fire


def test_jitter_when_of_many_schedules_then_spreads_them() -> None:
    due = instant("2026-01-01T00:00")
    offsets = sorted((fire_time(f"schedule-{number}", due, 600) - due).total_seconds() for number in range(500))
    assert offsets[0] < 30 and offsets[-1] > 570
    assert max(later - earlier for earlier, later in pairwise(offsets)) < 20


def test_jitter_when_none_then_on_the_instant() -> None:
    assert fire_time("any", instant("2026-01-01T00:00"), 0) == instant("2026-01-01T00:00")
