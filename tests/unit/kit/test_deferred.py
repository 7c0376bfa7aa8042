"""Deferred things are made once, at their first use."""

from fastflow.kit.deferred import deferred


def test_deferred_when_nothing_is_asked_of_it_then_it_is_not_made() -> None:
    made: list[str] = []

    def make() -> list[str]:
        made.append("made")
        return made

    deferred(make)
    assert made == []


def test_deferred_when_asked_twice_then_it_is_made_once() -> None:
    made: list[list[int]] = []

    def make() -> list[int]:
        made.append([3, 1])
        return made[-1]

    thing = deferred(make)
    assert (thing.count(3), list(thing), len(made)) == (1, [3, 1], 1)
