"""The fake clock moves only when told to, and never loses its zone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fastflow.testing.clock import START, FakeClock


def test_now_when_nothing_moved_the_clock_then_it_stands_still(clock: FakeClock) -> None:
    assert clock.now() == clock.now() == START


def test_advance_when_given_seconds_or_a_timedelta_then_it_moves_by_as_much(clock: FakeClock) -> None:
    clock.advance(1.5)
    clock.advance(timedelta(minutes=1))
    assert clock.now() - START == timedelta(seconds=61.5)


def test_advance_when_negative_then_it_refuses(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_set_when_given_another_zone_then_it_is_told_in_utc(clock: FakeClock) -> None:
    clock.set(datetime(2026, 7, 1, 2, 0, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == datetime(2026, 7, 1, tzinfo=UTC)
    assert clock.now().tzinfo is UTC


def test_clock_when_started_at_a_naive_time_then_it_refuses() -> None:
    with pytest.raises(ValueError, match="naive"):
        FakeClock(datetime(2026, 1, 1))  # noqa: DTZ001  that is the point
