"""What is accepted as a schedule, and what is said of what is not: by field."""

from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflow.kernel.schedules.domain.definition import check, timing_of
from fastflow.kernel.schedules.domain.due_times import due_after
from fastflow.kernel.schedules.domain.errors import InvalidSchedule
from fastflow.kernel.schedules.domain.schedule import Definition
from fastflow.testing.clock import START
from fastflow.testing.schedule_doubles import instant, make_definition


def problems(expression: str = "1h", **values: Any) -> dict[str, str]:
    with pytest.raises(InvalidSchedule) as caught:
        check(make_definition(expression, **values), START)
    return caught.value.fields


@pytest.mark.parametrize(
    "expression", ["30 2 * * *", "@daily", "5m", "1", "1s", "1h30m", "2027-01-01T04:35", "2027-01-01T04:35:00+05:30"]
)
def test_definition_when_right_then_kept(expression: str) -> None:
    definition = make_definition(
        expression, trigger="interval" if expression == "1" else make_definition(expression).trigger
    )
    assert check(definition, START).pipeline_name == "demo"


def test_one_shot_when_checked_then_kept_with_the_offset_of_its_zone() -> None:
    assert (
        check(make_definition("2027-07-01T04:35", timezone="Europe/Berlin"), START).expression
        == "2027-07-01T04:35:00+02:00"
    )
    assert (
        check(make_definition("2027-07-01T04:35Z", timezone="Europe/Berlin"), START).expression
        == "2027-07-01T06:35:00+02:00"
    )


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("0", "no time at all: the shortest interval is 1 s"),
        ("0s", "no time at all"),
        ("0.0m", "no time at all"),
        ("-0", "no time at all"),
        ("500ms", "is too short: the shortest interval is 1 s"),
        ("-5m", "is no length of time"),
        ("soon", "is no length of time"),
        ("99999d", "is no length of time"),
    ],
)
def test_interval_when_it_is_none_then_says_so(expression: str, said: str) -> None:
    assert said in problems(expression, trigger="interval")["expression"]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("2020-01-01T04:00", "is in the past: it is 2026-01-15T12:00:00+00:00 now"),
        ("2026-01-15T12:00Z", "is in the past"),
        ("2027-03-28T02:30", "02:30 does not exist on 2027-03-28 in Europe/Berlin: the clocks go on to 03:00 then"),
        ("2027-10-31T02:30", "comes twice on 2027-10-31 in Europe/Berlin: write the offset as well, +0200 or +0100"),
        ("2027-01-01", "has no time of day"),
        ("tomorrow T", "is no instant"),
        ("9999-01-01T00:00", "its year is not from 1970 to 9990"),
    ],
)
def test_one_shot_when_it_cannot_be_then_says_why(expression: str, said: str) -> None:
    zone = "Europe/Berlin" if "2027-" in expression else "UTC"
    assert said in problems(expression, trigger="once", timezone=zone)["expression"]


def test_cron_when_never_due_then_says_so() -> None:
    assert "is never due: no such day comes within 50 years" in problems("0 0 */31 * MON#2")["expression"]


def test_fields_when_several_are_wrong_then_all_are_named() -> None:
    found = problems("0 25 * * *", name="a b", timezone="Berlin", jitter=-1.0, catch_up_window=0.0)
    assert set(found) == {"expression", "name", "timezone", "jitter", "catch_up_window"}
    assert "Did you mean 'Europe/Berlin'?" in found["timezone"]


def test_window_when_it_ends_before_it_starts_then_says_so() -> None:
    found = problems("1h", start_at=instant("2027-01-02T00:00"), end_at=instant("2027-01-01T00:00"))
    assert "is not after start_at" in found["end_at"]
    same = instant("2027-01-02T00:00")
    assert "end_at" in problems("1h", start_at=same, end_at=same)


def test_window_when_over_then_says_so() -> None:
    assert "is in the past" in problems("1h", end_at=instant("2026-01-01T00:00"))["end_at"]


def test_window_when_nothing_is_due_in_it_then_says_so() -> None:
    found = problems("0 0 1 7 *", start_at=instant("2027-01-01T00:00"), end_at=instant("2027-02-01T00:00"))
    assert "is never due between start_at and end_at" in found["expression"]


def test_window_when_naive_then_asks_for_the_offset() -> None:
    assert "has no offset" in problems("1h", start_at=instant("2027-01-01T00:00").replace(tzinfo=None))["start_at"]


def test_jitter_when_longer_than_the_time_between_due_times_then_says_so() -> None:
    assert problems("*/10 * * * *", jitter=900.0)["jitter"] == "900 s is more than the 10 min between two due times"
    assert check(make_definition("*/10 * * * *", jitter=600.0), START).jitter == 600.0
    assert "is not from 0 to 86400 seconds" in problems("7d", jitter=90_000.0)["jitter"]


def test_past_when_allowed_then_what_is_over_is_kept() -> None:
    for definition in (
        make_definition("2020-01-01T04:00"),
        make_definition("1h", end_at=instant("2020-01-01T00:00")),
        make_definition("0 0 1 7 *", start_at=instant("2025-01-01T00:00"), end_at=instant("2025-02-01T00:00")),
    ):
        assert check(definition, START, is_past_allowed=True).pipeline_name == "demo"


def test_timing_when_the_window_has_a_start_then_intervals_count_from_it() -> None:
    start = START + timedelta(days=1)
    assert timing_of(make_definition("1h", start_at=start), START).anchor_at == start
    assert timing_of(make_definition("1h"), START).anchor_at == START


@settings(max_examples=300, deadline=None)
@given(
    trigger=st.sampled_from(["cron", "interval", "once"]),
    expression=st.one_of(
        st.text(max_size=30),
        st.text(alphabet="0123456789*/-,L#W @msdhT:.+Z", max_size=24),
        st.datetimes().map(lambda moment: moment.isoformat()),
        st.floats().map(str),
        st.integers().map(str),
    ),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/Santiago", "Nowhere", ""]),
    start=st.none() | st.datetimes(timezones=st.just(UTC)),
    end=st.none() | st.datetimes(timezones=st.just(UTC)),
    jitter=st.floats(-1, 90_000),
    window=st.none() | st.floats(-1, 1e9),
)
def test_definition_when_given_anything_then_is_kept_or_its_problems_are_named(
    trigger: Any, expression: str, timezone: str, start: Any, end: Any, jitter: float, window: float | None
) -> None:
    definition = Definition(
        pipeline_name="demo",
        trigger=trigger,
        expression=expression,
        timezone=timezone,
        start_at=start,
        end_at=end,
        jitter=jitter,
        catch_up_window=window,
    )
    problems: dict[str, str] = {}
    due = None
    try:
        due = due_after(timing_of(check(definition, START), START), START)
    except InvalidSchedule as error:
        problems = error.fields
    assert all(0 < len(problem) < 1000 for problem in problems.values())
    assert (due is not None and due > START) != bool(problems)
