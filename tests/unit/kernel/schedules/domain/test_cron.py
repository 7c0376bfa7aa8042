"""Cron lines: which wall-clock times they name, and what is said of one that cannot be read."""

from datetime import datetime, timedelta
from itertools import islice, pairwise

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflow.kernel.schedules.domain.cron import ALIASES, CronLine, find_problem, read_cron
from fastflow.testing.schedule_doubles import wall

START = wall(2026, 1, 1)


def first(text: str, count: int, after: datetime = START) -> list[str]:
    return [wall.strftime("%Y-%m-%d %H:%M:%S") for wall in islice(CronLine(text).walk(after), count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * 0", ["2026-01-04 09:00:00", "2026-01-11 09:00:00"]),  # 0 is Sunday
        ("0 9 * * 7", ["2026-01-04 09:00:00", "2026-01-11 09:00:00"]),  # and so is 7
        ("0 9 * * SUN", ["2026-01-04 09:00:00", "2026-01-11 09:00:00"]),
        ("0 9 * * 1", ["2026-01-05 09:00:00", "2026-01-12 09:00:00"]),
        ("0 0 L * *", ["2026-01-31 00:00:00", "2026-02-28 00:00:00"]),
        ("0 0 LW * *", ["2026-01-30 00:00:00", "2026-02-27 00:00:00"]),
        ("0 0 * * 5L", ["2026-01-30 00:00:00", "2026-02-27 00:00:00"]),
        ("0 9 * * MON#1", ["2026-01-05 09:00:00", "2026-02-02 09:00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("0 0 29 2 MON#5", ["2028-02-29 00:00:00"]),
        ("0 0 13 * 5", ["2026-01-02 00:00:00", "2026-01-09 00:00:00", "2026-01-13 00:00:00"]),
        ("*/20 5 * jan-feb *", ["2026-01-01 05:00:00", "2026-01-01 05:20:00", "2026-01-01 05:40:00"]),
        ("30 0 0 1 1 *", ["2026-01-01 00:00:30", "2027-01-01 00:00:30"]),  # six fields: seconds in front
        ("@weekly", ["2026-01-04 00:00:00"]),
        ("@Daily", ["2026-01-02 00:00:00"]),
    ],
)
def test_line_when_walked_then_names_the_times_that_cron_names(text: str, expected: list[str]) -> None:
    assert first(text, len(expected)) == expected


def test_line_when_two_readers_walk_at_once_then_neither_moves_the_other() -> None:
    line = CronLine("0 * * * *")
    one, other = line.walk(START), line.walk(START)
    assert [next(one), next(one), next(other), next(one), next(other)] == [
        START + timedelta(hours=hours) for hours in (1, 2, 1, 3, 2)
    ]


def test_line_when_no_such_day_comes_within_50_years_then_ends() -> None:
    assert first("0 0 * 2 MON#5", 1, wall(2030, 1, 1)) == ["2044-02-29 00:00:00"]
    assert first("0 0 */31 * MON#2", 1) == []  # the first of a month is never its second Monday


def test_line_when_the_calendar_ends_then_ends() -> None:
    assert [wall.year for wall in CronLine("0 0 1 1 *").walk(wall(9997, 6, 1))] == [9998, 9999]


@pytest.mark.parametrize(
    ("text", "is_fixed"),
    [
        ("30 2 * * *", True),
        ("0,30 1-3 * * *", True),
        ("*/30 2 * * *", False),
        ("0 */2 * * *", False),
        ("@hourly", False),
    ],
)
def test_line_when_it_names_times_of_day_then_it_is_fixed(text: str, is_fixed: bool) -> None:
    assert CronLine(text).is_fixed is is_fixed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 fields instead of 5"),
        ("* * * *", "4 fields instead of 5"),
        ("* * * * * * *", "7 fields instead of 5"),
        ("61 * * * *", 'the minute field "61": 61 is out of range, 0 to 59'),
        ("0 24 * * *", 'the hour field "24": 24 is out of range, 0 to 23'),
        ("0 0 0 * *", 'the day of month field "0": 0 is out of range, 1 to 31'),
        ("0 0 32 * *", 'the day of month field "32": 32 is out of range, 1 to 31'),
        ("0 0 * 13 *", 'the month field "13": 13 is out of range, 1 to 12'),
        ("0 0 * * 8", 'the day of week field "8": 8 is out of range, 0 to 7'),
        ("60 * * * * *", 'the second field "60": 60 is out of range, 0 to 59'),
        ("0 0 * * MOND", "Did you mean 'MON'?"),
        ("0 0 * JANU *", "Did you mean 'JAN'?"),
        ("abc 0 * * *", "'ABC' is not a number from 0 to 59"),
        ("5-1 * * * *", "the range 5-1 ends before it starts"),
        ("5- * * * *", "a value is missing"),
        ("0 0 * * FRI-SUN", "Sunday at the end of a range is 7"),
        ("*/0 * * * *", "the step '0' is not a whole number above 0"),
        ("*/x * * * *", "the step 'X' is not a whole number above 0"),
        ("99/5 * * * *", "99 is out of range"),
        ("1,,2 * * * *", "a part between commas is empty"),
        ("0 0 ? * *", "? is not known here; write *"),
        ("0 0 15W * *", "LW alone"),
        ("0 0 L-3 * *", "L stands alone"),
        ("0 0 * * L", "the last Friday of a month is 5L"),
        ("0 0 * * 5#6", "'6' does not say which one of the month: 1 to 5"),
        ("0 0 * * FRY#1", "Did you mean 'FRI'?"),
        ("0 0 30 2 *", 'no month that the month field "2" names has such a day'),
        ("@dayly", "Did you mean '@daily' or"),
        ("@never", "is no known shorthand"),
    ],
)
def test_problem_when_a_line_cannot_be_read_then_names_the_field_and_says_why(text: str, said: str) -> None:
    problem = find_problem(text)
    assert problem is not None
    assert said in problem
    with pytest.raises(ValueError, match=r"field|shorthand"):
        CronLine(text)


def test_problem_when_several_fields_are_wrong_then_names_each() -> None:
    problem = find_problem("61 25 * * *")
    assert problem is not None
    assert "the minute field" in problem and "the hour field" in problem


def test_cron_when_read_twice_then_parsed_once() -> None:
    assert read_cron("5 4 * * *") is read_cron("5 4 * * *")


@settings(max_examples=60, deadline=None)
@given(
    line=st.sampled_from(
        [
            "*/7 3-5 * * *", "0 0 L * *", "0 0 LW 2-11 *", "15 8,20 1,15 * MON", "30 4 * */3 5#2", "0 12 * * 5L",
            "*/30 * 29 2 *", "5 0 13 * 5", "0 0 */10 * *", "59 23 31 * *", "15,45 */3 5 * * SUN", "0 6 * 1,12 1-5",
        ]
    ),
    after=st.datetimes(wall(1990, 1, 1), wall(2060, 1, 1)),
)  # fmt: skip
def test_line_when_walked_from_any_time_then_the_librarys_own_walk_gives_the_same(line: str, after: datetime) -> None:
    assert list(islice(CronLine(line).walk(after), 20)) == list(islice(CronSim(line, after), 20))


_TERMS = st.text(alphabet="0123456789*/-,L#W?JANMO ", max_size=12)


@given(st.lists(_TERMS, min_size=4, max_size=6).map(" ".join))
def test_problem_when_given_anything_then_tells_or_the_line_can_be_walked(text: str) -> None:
    if find_problem(text) is None:
        assert all(earlier < later for earlier, later in pairwise(islice(CronLine(text).walk(START), 3)))


@given(st.text(max_size=60))
def test_problem_when_given_any_text_then_never_raises(text: str) -> None:
    problem = find_problem(text)
    assert problem is None or (problem and len(problem) < 2000)


@pytest.mark.parametrize("alias", ALIASES)
def test_alias_when_read_then_it_is_its_line(alias: str) -> None:
    assert first(alias, 3) == first(ALIASES[alias], 3)
