"""The end of a run's log, as lines of text."""

import os
from collections.abc import Sequence
from pathlib import Path

_BYTES = 64 * 1024
_OURS = "[fastflow] "


class LogTails:
    """See `ports.LogTails`.

    Args:
        logs_dir: the logs of this machine.
    """

    def __init__(self, logs_dir: Path) -> None:
        self._logs_dir = logs_dir

    def read(self, run_id: str) -> Sequence[str]:
        """See `LogTails.read`."""
        try:
            with (self._logs_dir / f"{run_id}.log").open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - _BYTES))
                data = log.read(_BYTES)
        except OSError:  # removed by retention, or never made: the exit code says what there is to say
            return ()
        lines = data.split(b"\n")[1 if size > _BYTES else 0 :]
        told = {"stdout": list[str](), "stderr": list[str]()}
        unfinished = {"stdout": "", "stderr": ""}
        for line in lines:
            parts = line.split(b" ", 3)
            stream = parts[1].decode("ascii", "replace") if len(parts) == 4 else ""
            if stream not in told:
                continue
            text = unfinished[stream] + parts[3].decode("utf-8", "replace")
            unfinished[stream] = text if parts[2] == b"P" else ""
            if parts[2] != b"P" and not text.startswith(_OURS):
                told[stream].append(text)
        return told["stderr"] or told["stdout"]
