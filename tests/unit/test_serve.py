"""What the parent process tells of its children and of the runs that go on."""

import json
import os
from pathlib import Path

import pytest

from fastflow.serve import Reporter, count_going_on, describe_end


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (1, "ended with exit code 1"),
        (-9, "was ended by SIGKILL"),
        (-99, "was ended by signal 99"),
    ],
)
def test_describe_end_when_given_a_return_code_then_it_is_in_words(code: int, words: str) -> None:
    assert describe_end(code) == words


def test_count_going_on_when_attempts_are_in_every_state_then_only_running_ones_count(tmp_path: Path) -> None:
    assert count_going_on(tmp_path) == 0
    for name, files in {
        "a.1": ["started"],
        "b.1": ["started", "exit.json"],
        "c.1": ["started", "sealed"],
        "d.1": [],
        "e.1": ["started"],
    }.items():
        control = tmp_path / "supervised" / name / "ctl"
        control.mkdir(parents=True)
        for file in files:
            (control / file).touch()
    (tmp_path / "supervised" / "f.1").mkdir()
    assert count_going_on(tmp_path) == 2


def test_reporter_when_it_has_a_pipe_then_everything_goes_there_and_it_closes_when_ready() -> None:
    read, write = os.pipe()
    reporter = Reporter(write)
    reporter.say("a line\nof two")
    reporter.fail("It is wrong.", "Correct it.", {"PORT": "taken"})
    reporter.ready()
    with os.fdopen(read) as pipe:
        told = [json.loads(line) for line in pipe]
    assert told == [
        {"say": "a line\nof two"},
        {"problem": "Error: It is wrong.\n  PORT: taken\nHint: Correct it."},
        {"ready": True},
    ]


def test_reporter_when_it_has_no_pipe_then_people_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(None)
    reporter.say("made")
    reporter.fail("It is wrong.", "", {})
    reporter.ready()
    assert capsys.readouterr() == ("made\n", "Error: It is wrong.\n")


def test_reporter_when_the_parent_has_gone_then_nothing_is_raised() -> None:
    read, write = os.pipe()
    os.close(read)
    Reporter(write).say("nobody hears it")
    os.close(write)
