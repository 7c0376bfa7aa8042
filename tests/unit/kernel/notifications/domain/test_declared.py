"""`[[notify]]` entries, with every problem by entry and key."""

from typing import Any

import pytest

from fastflow.kernel.notifications.domain.declared import read_declared


def test_entries_when_right_then_they_become_rules() -> None:
    value = [
        {"channels": ["ops"]},
        {
            "on": "deadline",
            "channels": "ops",
            "by": "08:00",
            "timezone": "Europe/Berlin",
            "days": ["mon"],
            "within": "8h",
        },
        {"name": "slow", "on": ["slow"], "channels": ["ops"], "mad": 4, "repeat_every": "1h"},
    ]
    entries = read_declared("demo", value)
    assert [entry.problems for entry in entries] == [{}, {}, {}]
    first, second, third = (entry.definition for entry in entries)
    assert first is not None and second is not None and third is not None
    assert (first.name, first.events, first.factor) == ("notify-1", ("failure",), 2.0)
    assert (second.by, second.within, second.days) == ("08:00", 28_800.0, ("mon",))
    assert (third.mad, third.factor, third.repeat_every) == (4.0, None, 3600.0)


@pytest.mark.parametrize(
    ("entry", "key", "told"),
    [
        ({"channels": ["ops"], "chanels": 1}, "chanels", "Did you mean 'channels'?"),
        ({}, "channels", "names nobody"),
        ({"channels": ["ops"], "on": ["failed"]}, "on", "none of failure"),
        ({"channels": ["ops"], "after": "soon"}, "after", "no length of time"),
        ({"channels": ["ops"], "factor": "2"}, "factor", "no number"),
        ({"channels": ["ops"], "min_history": 2.5}, "min_history", "no whole number"),
        ({"channels": 7}, "channels", "no list of words"),
        ("x", "", "no table"),
    ],
)
def test_entry_when_wrong_then_the_key_is_named(entry: Any, key: str, told: str) -> None:
    (found,) = read_declared("demo", [entry])
    assert found.definition is None
    assert told in found.problems[key]


def test_entries_when_of_one_name_or_in_single_brackets_then_it_is_said() -> None:
    twice = read_declared("demo", [{"name": "a", "channels": ["x"]}, {"name": "a", "channels": ["x"]}])
    assert "taken by an earlier rule" in twice[1].problems["name"]
    assert "double brackets" in read_declared("demo", {"channels": ["x"]})[0].problems[""]
