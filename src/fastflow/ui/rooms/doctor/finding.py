"""What a check found, as the page shows it; who gives it has looked."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warning", "fault"]
"""Works; works, and is worth knowing; works with less; does not work."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        text: what was found.
        remedy: what to do; '' when nothing needs to be done.
    """

    name: str
    level: Level
    text: str
    remedy: str


Examine = Callable[[], Awaitable[Sequence[Finding]]]
"""Checks the machine; takes seconds."""
LookAtParts = Callable[[], Awaitable[Sequence[Finding]]]
"""The parts of the server as they are now."""
