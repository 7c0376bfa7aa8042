"""The status line never mixes with what the script writes."""

import io

import pytest

from fastflow.cli.status_line import StatusLine, draw_progress


def test_status_line_when_something_is_written_then_it_is_taken_away_first() -> None:
    terminal = io.StringIO()
    status = StatusLine(terminal)
    status.show("waiting")
    status.clear()
    assert terminal.getvalue() == "\r\x1b[K\x1b[2mwaiting\x1b[0m\r\x1b[K"


def test_status_line_when_an_unfinished_line_stands_there_then_nothing_is_drawn() -> None:
    terminal = io.StringIO()
    status = StatusLine(terminal)
    status.written(b"Name? ")
    status.show("waiting")
    assert terminal.getvalue() == ""
    status.written(b"Ada\n")
    status.show("waiting")
    assert "waiting" in terminal.getvalue()


def test_status_line_when_there_is_no_terminal_then_nothing_is_drawn() -> None:
    status = StatusLine(None)
    status.show("waiting")
    status.clear()


@pytest.mark.parametrize(
    ("told", "drawn"),
    [
        ({"progress": 0}, "[------------------------]   0 %"),
        ({"progress": 1.0, "step": "fit"}, "[########################] 100 %  fit"),
        ({"progress": 7}, "[########################] 100 %"),
        ({"step": "load\x1b[2J"}, "load[2J"),
        ({"progress": True}, ""),
        ({}, ""),
    ],
)
def test_draw_progress_when_told_anything_then_it_is_one_harmless_line(told: dict[str, object], drawn: str) -> None:
    assert draw_progress(told) == drawn
