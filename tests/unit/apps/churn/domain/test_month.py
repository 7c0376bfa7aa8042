from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.apps.churn.domain.month import FIRST_YEAR, LAST_YEAR, Month, MonthError, Window, is_yyyymm

years = st.integers(FIRST_YEAR + 10, LAST_YEAR - 10)
months = st.builds(Month.of, years, st.integers(1, 12))


@given(years, st.integers(1, 12))
def test_month_when_written_and_read_again_then_it_is_the_same(year: int, number: int) -> None:
    month = Month.of(year, number)
    assert Month.parse(month.yyyymm) == month == Month.parse(str(month))
    assert (month.year, month.number) == (year, number) and is_yyyymm(month.yyyymm)


@given(months, st.integers(-100, 100))
def test_month_when_moved_then_the_difference_is_that_many_months(month: Month, count: int) -> None:
    moved = month + count
    assert moved - month == count and moved.minus(count) == month
    assert is_yyyymm(moved.yyyymm) and (moved > month) == (count > 0)


def test_month_when_reckoned_over_a_year_then_no_digit_arithmetic_shows() -> None:
    assert (Month.parse(202501).minus(60)).yyyymm == 202001
    assert (Month.parse(202501).minus(1)).yyyymm == 202412
    assert (Month.parse(199712) + 1).yyyymm == 199801


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (202513, "13 is not in 01-12"),
        (202500, "00 is not in 01-12"),
        ("202513", "13 is not in 01-12"),
        (120501, "year 1205"),
        (20251, "YYYYMM"),
        (20250101, "YYYYMM"),
        (-202501, "YYYYMM"),
        ("2025-01", "YYYYMM"),
        ("", "YYYYMM"),
        ("٢٠٢٥٠١", "YYYYMM"),
        (202501.0, "YYYYMM"),
        (True, "YYYYMM"),
        (None, "YYYYMM"),
        ("9" * 1_000_000, "..."),
    ],
)
def test_month_when_the_value_is_none_then_the_error_says_what_is_wrong(value: Any, told: str) -> None:
    with pytest.raises(MonthError) as caught:
        Month.parse(value)
    assert told in str(caught.value) and len(str(caught.value)) < 200
    if isinstance(value, int):
        assert not is_yyyymm(value)


def test_window_when_made_then_it_counts_both_ends() -> None:
    window = Window(Month.parse(199707), Month.parse(199712))
    assert len(window) == 6 and window.end == Month.parse(199801)
    assert [month.yyyymm for month in window][:2] == [199707, 199708]
    assert Month.parse(199712) in window and Month.parse(199801) not in window and 199707 not in window
    assert str(window) == "199707-199712"


def test_window_when_reversed_then_it_is_refused() -> None:
    with pytest.raises(MonthError, match="reversed"):
        Window(Month.parse(199801), Month.parse(199712))


@pytest.mark.parametrize(
    ("other", "expected"), [((199712, 199801), True), ((199801, 199806), False), ((199701, 199912), True)]
)
def test_windows_when_compared_then_a_shared_month_counts(other: tuple[int, int], expected: bool) -> None:
    window = Window(Month.parse(199707), Month.parse(199712))
    second = Window(Month.parse(other[0]), Month.parse(other[1]))
    assert window.overlaps(second) is expected is second.overlaps(window)
