"""Small files of the executor's own: its lines in a run's log, and the name under which its jobs are known."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from fastflow.kernel.executors.ray.streams import standing
from fastflow.kit.ids import new_id


def append_note(path: Path, text: str, *, unless: Callable[[], bool]) -> None:
    """Append a line of ours to a run's log.

    Args:
        path: the log.
        text: without a line's end.
        unless: asked while nobody else can write: whether the log is somebody else's by now.
    """
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanos:09d}Z"
    with standing(path):
        if not unless():
            with path.open("ab") as log:
                log.write(f"{stamp} stderr F [fastflow] {text}\n".encode())


def read_owner(folder: Path) -> str:
    """What our jobs name as their server; made at the first call."""
    path = folder / "owner"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        fresh = path.with_name(f".owner.{new_id()}")
        fresh.write_text(new_id(), encoding="ascii")
        try:
            os.link(fresh, path)  # of two that come here at once the first one wins
        except FileExistsError:
            return path.read_text(encoding="ascii")
        finally:
            fresh.unlink()
        return path.read_text(encoding="ascii")
