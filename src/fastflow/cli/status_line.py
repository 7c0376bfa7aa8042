"""What a run is doing, on one line at the foot of a terminal: why it waits, its setup, its own progress. Elsewhere nothing
of it is shown, so that a log in a file is the script's alone."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from fastflow.cli.client import Api, part
from fastflow.cli.event_stream import read_events
from fastflow.cli.hints import for_command_line
from fastflow.kit.errors import FastFlowError

LOOK_SECONDS = 0.5
LOOKS_BEFORE_NOTE = 3
LOOKS_BEFORE_SETUP_NOTE = 20
"""What is built is told in the run's log as it is built, and a cluster needs a while for any job."""
_SETTING_UP = ("setup", "no_room")
_BAR = 24


class StatusLine:
    """A line that is drawn again and again, and taken away whenever something else is written.

    Args:
        terminal: where; None draws nothing.
    """

    def __init__(self, terminal: TextIO | None) -> None:
        self._terminal = terminal
        self._drawn = False
        self._at_line_start = True

    @property
    def is_seen(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._terminal is not None

    def show(self, text: str) -> None:
        """Draw the text, unless an unfinished line of the script stands there."""
        if self._terminal is None or not self._at_line_start:
            return
        room = shutil.get_terminal_size().columns - 1
        self._terminal.write(f"\r\x1b[K\x1b[2m{text if len(text) <= room else f'{text[: room - 1]}…'}\x1b[0m")
        self._terminal.flush()
        self._drawn = True

    def clear(self) -> None:
        """Take it away."""
        if self._drawn and self._terminal is not None:
            self._terminal.write("\r\x1b[K")
            self._terminal.flush()
            self._drawn = False

    def written(self, data: bytes) -> None:
        """Something else was written there."""
        self._at_line_start = data.endswith(b"\n")


def terminal_status() -> StatusLine:
    """On stderr, when that is a terminal."""
    return StatusLine(sys.stderr if sys.stderr.isatty() else None)


async def keep_status(api: Api, run_id: str, status: StatusLine, note: Callable[[str], None], *, is_here: bool) -> None:
    """Draw what the run does until cancelled. An error ends the drawing, not the command.

    Args:
        api: the connection.
        run_id: the run.
        status: where it is drawn.
        note: writes a line of its own where nothing can be drawn: once, why a run that does not start at once waits.
        is_here: this process executes the run, so that no runner needs to be started.
    """
    looks, is_noted = 0, False
    try:
        while True:
            explanation = await api.call("GET", f"/runs/{part(run_id)}/explain")
            if explanation["code"] in ("running", "ended", "cancelling"):
                break
            away = is_here and explanation["code"] == "runner_away"
            text = "waiting for a free slot" if away else for_command_line(explanation["text"])
            status.show(text)
            looks += 1
            patience = LOOKS_BEFORE_SETUP_NOTE if explanation["code"] in _SETTING_UP else LOOKS_BEFORE_NOTE
            if looks >= patience and not is_noted and not status.is_seen:
                note(text)
                is_noted = True
            await asyncio.sleep(LOOK_SECONDS)
        status.clear()
        if not status.is_seen:
            return
        async with api.open("GET", "/logs/stream", query={"kind": "progress"}) as answer:
            async for events in read_events(answer.aiter_bytes()):
                for event in events:
                    if event.data.get("run_id") == run_id:
                        status.show(draw_progress(event.data.get("data", {})))
    except FastFlowError:
        status.clear()


def draw_progress(told: Mapping[str, Any]) -> str:
    """The progress a run told: a bar for a share of 1, and the step it names.

    >>> draw_progress({"progress": 0.5, "step": "fit"})
    '[############------------]  50 %  fit'
    """
    step = str(told.get("step") or "")[:60]
    step = "".join(character for character in step if character.isprintable())
    share = told.get("progress")
    if isinstance(share, bool) or not isinstance(share, int | float):
        return step
    share = min(1.0, max(0.0, float(share)))
    filled = round(share * _BAR)
    bar = f"[{'#' * filled}{'-' * (_BAR - filled)}] {share * 100:3.0f} %"
    return f"{bar}  {step}".rstrip()
