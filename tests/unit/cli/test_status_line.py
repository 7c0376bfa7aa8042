"""The status line never mixes with what the script writes."""

import io
from collections.abc import Iterator
from typing import Any, cast

import pytest

from fastflow.cli import status_line
from fastflow.cli.client import Api
from fastflow.cli.status_line import StatusLine, draw_progress, keep_status


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


class ScriptedApi:
    """Answers with one explanation after the other."""

    def __init__(self, *codes: str) -> None:
        self._codes: Iterator[str] = iter(codes)

    async def call(self, _method: str, _path: str) -> dict[str, Any]:
        code = next(self._codes)
        return {"code": code, "text": f"It is {code}."}


@pytest.mark.parametrize(
    ("codes", "noted"),
    [
        (["starting", "setup", "setup", "setup", "setup", "running"], []),
        (["slots_in_use"] * 4 + ["setup", "running"], ["It is slots_in_use."]),
        (["setup"] * 4 + ["no_room"] * 3 + ["running"], []),
        (["setup"] * 4 + ["no_room"] * 21 + ["running"], ["It is no_room."]),
        (["setup"] * 25 + ["running"], ["It is setup."]),
    ],
)
async def test_note_when_nothing_can_be_drawn_then_only_what_is_unusual_is_told_once(
    codes: list[str], noted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_line, "LOOK_SECONDS", 0.0)
    told: list[str] = []
    await keep_status(cast("Api", ScriptedApi(*codes)), "r", StatusLine(None), told.append, is_here=False)
    assert told == noted
