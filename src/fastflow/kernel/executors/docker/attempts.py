"""The part of an attempt's life that has nothing to do with containers: its start awaited, or made impossible."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.executors.process.attempt import Attempt, read_exit

START_SECONDS = 60.0
"""How long a supervisor with its order may take until the user's process exists."""


async def await_start(
    attempt: Attempt, *, seal: Callable[[RunKey], Awaitable[bool]], stop: Callable[..., Awaitable[None]]
) -> Mapping[str, Any]:
    """What the supervisor tells when the user's process exists.

    Raises:
        LaunchFailed: it does not come to that; the reason is in words.
    """
    try:
        told = await asyncio.wait_for(asyncio.shield(attempt.started), START_SECONDS)
    except TimeoutError as error:
        if await seal(attempt.key):
            raise LaunchFailed(f"The supervisor did not start within {START_SECONDS:g} s.") from error
        await stop(attempt.key, reason="setup", reason_text="the start took too long", grace=0)
        told = await attempt.started
    if told is None:
        raise LaunchFailed(_failure(attempt), hint="")
    return told


def _failure(attempt: Attempt) -> str:
    record = read_exit(attempt.control)
    if record is not None:
        return str(record["reason_text"])
    return attempt.refused or "the container ended before the script was started"


def seal_attempt(control: Path) -> bool:
    """Claim the start in the supervisor's place; False when the supervisor was quicker. Idempotent."""
    control.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.close(os.open(control / "started", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return (control / "started").stat().st_size == 0 and (control / "sealed").exists()
    (control / "sealed").touch()
    return True
