"""The records of schedules."""

from datetime import timedelta

import pytest

from fastflow.kernel.schedules.domain.schedule import Occurrence, Outcome, Pause, in_words
from fastflow.testing.clock import START
from fastflow.testing.schedule_doubles import make_definition, make_demo_schedule


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (3661, "1 h 1 min"), (90_061, "1 d 1 h")],
)
def test_length_of_time_when_told_then_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_schedule_when_asked_for_its_definition_then_is_what_it_was_made_of() -> None:
    definition = make_definition("1h", name="demo", params={"CITY": "Ulm"}, jitter=5.0)
    assert make_demo_schedule("1h", params={"CITY": "Ulm"}, jitter=5.0).definition == definition


def test_occurrence_when_asked_for_its_key_then_names_schedule_and_due_time() -> None:
    one = Occurrence(schedule_id="s", due_at=START, fire_at=START, outcome=Outcome.STARTING, why="", recorded_at=START)
    assert one.idempotency_key == "schedule:s:2026-01-15T12:00:00+00:00"


def test_pause_when_asked_then_covers_its_beginning_and_not_its_end() -> None:
    pause = Pause(scope="system", subject="*", since=START, by="user:olga", until=START + timedelta(hours=1))
    assert [pause.covers(START + timedelta(minutes=minutes)) for minutes in (-1, 0, 59, 60)] == [
        False,
        True,
        True,
        False,
    ]
