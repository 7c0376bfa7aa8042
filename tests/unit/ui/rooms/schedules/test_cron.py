import pytest

from fastflow.kernel.schedules.domain.cron import find_problem
from fastflow.ui.rooms.schedules.cron import HOURS, STEPS, Chosen, Kind, chosen_of, shape_of, timing_of


@pytest.mark.parametrize(
    "chosen",
    [
        Chosen(kind=Kind.MINUTES, step="1"),
        Chosen(kind=Kind.MINUTES, step="20"),
        Chosen(kind=Kind.HOURS, hours="1", minute="5"),
        Chosen(kind=Kind.HOURS, hours="6", minute="0"),
        Chosen(kind=Kind.DAILY, time="23:05"),
        Chosen(kind=Kind.WEEKLY, time="08:30", weekdays=(1, 7)),
        Chosen(kind=Kind.MONTHLY, time="00:00", day="31"),
        Chosen(kind=Kind.MONTHLY, time="06:15", day="L"),
    ],
)
def test_timing_when_chosen_in_words_then_the_line_is_readable_and_read_back_as_it_was(chosen: Chosen) -> None:
    trigger, line = timing_of(chosen)
    assert trigger == "cron"
    assert find_problem(line) is None
    again = chosen_of(trigger, line, "UTC")
    assert timing_of(again) == (trigger, line)
    assert again.kind is chosen.kind


@pytest.mark.parametrize(
    "line", ["*/7 3-9 * 2 *", "0 0 * * FRI#2", "0 0 1 * MON", "*/45 * * * *", "0 0 0 * * *", "0 8,17 * * *"]
)
def test_chosen_when_a_line_has_no_fields_of_its_own_then_it_stays_a_line(line: str) -> None:
    assert chosen_of("cron", line, "UTC") == Chosen(kind=Kind.LINE, line=line)


def test_timing_when_a_field_is_empty_then_the_service_has_something_to_say() -> None:
    for chosen in (Chosen(kind=Kind.DAILY, time=""), Chosen(kind=Kind.WEEKLY, weekdays=())):
        assert find_problem(timing_of(chosen)[1]) is not None


def test_shape_when_sunday_has_another_number_then_it_is_the_same_day() -> None:
    for days in ("0", "7", "SUN"):
        shape = shape_of(f"0 9 * * {days}")
        assert shape is not None
        assert shape.weekdays == (7,)
    assert shape_of("@daily") == shape_of("0 0 * * *")


def test_chosen_when_a_one_shot_is_changed_then_the_field_shows_the_zones_clock() -> None:
    assert chosen_of("once", "2027-01-05T08:00:00+00:00", "Europe/Berlin").instant == "2027-01-05T09:00"


def test_steps_when_offered_then_an_hour_or_a_day_is_a_multiple_of_them() -> None:
    assert all(60 % step == 0 for step in STEPS)
    assert all(24 % hours == 0 for hours in HOURS)
