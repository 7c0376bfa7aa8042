"""Processes of a session, by what the kernel tells of them: to end those that were started here, and no others."""

import os
import signal
import time
from pathlib import Path

_LOOK_SECONDS = 0.1


def born_at(pid: int) -> int | None:
    """When the process was started, in the kernel's clock ticks, which tells it from a later one of the same id; None
    when there is none, or it has ended."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def members_of(leader: int) -> set[int]:
    """The living processes of the session that a process leads or led."""
    pids = (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())
    return {pid for pid in pids if _session_of(pid) == leader}


def end_session(leader: int, seconds: float) -> None:
    """Ask the leader to end, give all of its session some seconds for it, kill what is left. Blocks."""
    send(leader, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while members_of(leader) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)  # noqa: TID251  they are no children of ours: nobody tells of their end
    for pid in members_of(leader):
        send(pid, signal.SIGKILL)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; to a process that has ended it means nothing."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _session_of(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[3]) if fields and fields[0] != "Z" else None


def _stat(pid: int) -> list[str]:
    """What the kernel tells of a process after its name; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
