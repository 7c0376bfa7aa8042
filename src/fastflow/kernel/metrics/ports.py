"""What the figures need of the database and the disk."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from fastflow.kernel.metrics.domain.snapshot import DiskUse, LogUse, Snapshot


class MetricsStore(Protocol):
    """The database."""

    @property
    def is_sqlite(self) -> bool:
        """Which of the two it is."""
        ...

    def look(self, now: datetime, grace: timedelta) -> Snapshot:
        """Everything, of one moment.

        Args:
            now: aware.
            grace: how late a due time may be handled before its schedule counts as late.
        """
        ...

    def fold(self, limit: int) -> int:
        """Add the oldest ends to the totals and forget them, at once or not at all.

        Args:
            limit: how many at most.

        Returns:
            How many there were.
        """
        ...


class Disk(Protocol):
    """This server's disk."""

    def look(self) -> Sequence[DiskUse]:
        """The file systems; one that cannot be looked at is left out."""
        ...

    def log_use(self) -> LogUse | None:
        """What `count_logs` found last."""
        ...

    def count_logs(self, now: datetime) -> None:
        """Count the logs' files; takes as long as the disk takes. Raises OSError when that cannot be kept."""
        ...
