"""Time zones by name, and their changes of clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fastflow.kernel.schedules.domain.zones import (
    instants_of,
    load_zone,
    offset_at,
    transitions_between,
    transitions_of,
    wall_at,
    zone_names,
    zone_problem,
)
from fastflow.testing.schedule_doubles import wall


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_zone_when_it_exists_then_has_no_problem(name: str) -> None:
    assert zone_problem(name) is None
    assert load_zone(name).key == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Europe/Berlni", "Did you mean 'Europe/Berlin'"),
        ("europe/berlin", "Did you mean 'Europe/Berlin'?"),
        ("Berlin", "Did you mean 'Europe/Berlin'?"),
        ("New York", "Did you mean 'America/New_York'?"),
        ("", "Zones are named like Europe/Berlin or UTC"),
        ("../../etc/passwd", "Zones are named like"),
        ("localtime", "is no time zone"),
        ("+02:00", "is no time zone"),
        ("x" * 5000, "is no time zone"),
    ],
)
def test_zone_when_unknown_then_near_ones_are_named(name: str, said: str) -> None:
    problem = zone_problem(name)
    assert problem is not None and said in problem and len(problem) < 400
    with pytest.raises(ValueError, match="is no time zone"):
        load_zone(name)


def test_transitions_when_asked_of_a_year_then_are_its_changes() -> None:
    spring, autumn = transitions_of("Europe/Berlin", 2027)
    assert (spring.at, spring.is_gap) == (datetime(2027, 3, 28, 1, tzinfo=UTC), True)
    assert spring.walls == (wall(2027, 3, 28, 2), wall(2027, 3, 28, 3))
    assert (autumn.at, autumn.is_gap) == (datetime(2027, 10, 31, 1, tzinfo=UTC), False)
    assert autumn.walls == (wall(2027, 10, 31, 2), wall(2027, 10, 31, 3))
    assert transitions_of("UTC", 2027) == transitions_of("Asia/Kolkata", 2027) == ()


def test_transitions_when_a_zone_moves_by_half_an_hour_then_that_is_told() -> None:
    back, forward = transitions_of("Australia/Lord_Howe", 2027)
    assert forward.walls[1] - forward.walls[0] == back.walls[1] - back.walls[0] == timedelta(minutes=30)


def test_transitions_when_between_two_instants_then_the_first_is_left_out_and_the_last_is_not() -> None:
    spring = transitions_of("Europe/Berlin", 2027)[0]
    assert list(transitions_between("Europe/Berlin", spring.at - timedelta(seconds=1), spring.at)) == [spring]
    assert list(transitions_between("Europe/Berlin", spring.at, spring.at + timedelta(days=1))) == []


@pytest.mark.parametrize("name", sorted(zone_names())[::7])
def test_transitions_when_of_any_zone_then_offsets_differ_just_there(name: str) -> None:
    zone = ZoneInfo(name)
    for transition in transitions_of(name, 2026):
        assert offset_at(zone, transition.at - timedelta(seconds=1)) == transition.before != transition.after
        assert offset_at(zone, transition.at) == transition.after


def test_instants_when_the_wall_clock_skips_repeats_or_goes_on_then_there_are_none_two_or_one() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert instants_of(berlin, wall(2027, 3, 28, 2, 30)) == ()
    assert instants_of(berlin, wall(2027, 10, 31, 2, 30)) == (
        datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
        datetime(2027, 10, 31, 1, 30, tzinfo=UTC),
    )
    (once,) = instants_of(berlin, wall(2027, 7, 1, 12))
    assert wall_at(berlin, once) == wall(2027, 7, 1, 12)
