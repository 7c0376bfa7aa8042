"""What changes of the clocks do to schedules, told in a sentence."""

from typing import Any

from fastflow.kernel.schedules.domain.clock_changes import ClockChange, clock_changes, note_on
from fastflow.kernel.schedules.domain.schedule import Timing, Trigger
from fastflow.testing.schedule_doubles import instant, wall

SPRING = instant("2027-03-28T01:00")
AUTUMN = instant("2027-10-31T01:00")


def changes(expression: str, zone: str = "Europe/Berlin", **values: Any) -> list[ClockChange]:
    trigger: Trigger = "cron" if " " in expression else "interval"
    anchor = instant("2027-01-01T00:00")
    timing = Timing(trigger=trigger, expression=expression, timezone=zone, anchor_at=anchor, **values)
    return list(clock_changes(timing, instant("2027-01-01T00:00"), instant("2028-01-01T00:00")))


def test_time_of_day_when_left_out_and_repeated_then_both_are_told() -> None:
    spring, autumn = changes("30 2 * * *")
    assert spring.text == (
        "On 2027-03-28 the clocks in Europe/Berlin go from 02:00 to 03:00; 02:30 does not exist: due at 03:00 instead."
    )
    assert autumn.text == (
        "On 2027-10-31 the clocks in Europe/Berlin go back from 03:00 to 02:00; 02:30 comes twice: due the first time only."
    )
    assert (spring.kind, spring.at, spring.times) == ("gap", SPRING, (wall(2027, 3, 28, 2, 30),))
    assert (autumn.kind, autumn.at) == ("overlap", AUTUMN)


def test_line_with_a_star_when_its_times_are_left_out_and_repeated_then_both_are_told() -> None:
    spring, autumn = changes("*/20 2 * * *")
    assert spring.text.endswith("02:00, 02:20, 02:40 do not exist, and nothing is due then.")
    assert autumn.text.endswith("02:00, 02:20, 02:40 come twice, and are due both times.")


def test_times_when_many_are_left_out_then_a_few_are_named() -> None:
    spring, _ = changes("* 2 * * *")
    assert "02:00, 02:01, 02:02, 02:03, 02:04 … do not exist" in spring.text
    assert len(spring.times) == 5


def test_schedule_when_the_change_does_not_concern_it_then_nothing_is_told() -> None:
    assert changes("30 4 * * *") == []
    assert changes("30 2 * * 1") == []  # both changes are on Sundays
    assert changes("1h") == []
    assert changes("30 2 * * *", "UTC") == []


def test_schedule_when_its_window_ends_before_the_change_then_nothing_is_told() -> None:
    assert [one.kind for one in changes("30 2 * * *", end_at=instant("2027-06-01T00:00"))] == ["gap"]
    assert [one.kind for one in changes("30 2 * * *", start_at=instant("2027-06-01T00:00"))] == ["overlap"]


def test_note_when_a_due_time_is_moved_or_repeated_then_it_is_told_and_on_others_it_is_not() -> None:
    found = changes("30 2 * * *")
    assert "due at 03:00 instead" in str(note_on(SPRING, found))
    assert "due the first time only" in str(note_on(instant("2027-10-31T00:30"), found))
    assert note_on(instant("2027-03-29T00:30"), found) is None
