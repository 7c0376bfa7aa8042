"""What sending traces needs of the database and the network."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from fastflow.kernel.tracing.domain.spans import EndedRun, Span


class TraceStore(Protocol):
    """The ends whose traces were not sent yet."""

    def take(self, now: datetime, limit: int) -> Sequence[tuple[int, EndedRun | None]]:
        """The oldest that nobody else is sending, held for a while: of each its number, and the run unless it is gone."""
        ...

    def forget(self, numbers: Sequence[int]) -> None:
        """They were sent."""
        ...

    def give_back(self, numbers: Sequence[int]) -> None:
        """They could not be sent: anybody may try."""
        ...

    def trim(self, most: int) -> int:
        """Forget the oldest beyond so many; how many those were."""
        ...


class SpanSender(Protocol):
    """Where spans go."""

    def send(self, spans: Sequence[Span]) -> bool:
        """Send; whether they were taken. Takes some seconds at most."""
        ...

    def close(self) -> None:
        """Let a `send` under way end soon."""
        ...
