"""Changes of the churn database in the product's audit log.

The document is replaced inside the transaction that writes the entry: a change that fails leaves no entry, and an entry that
cannot be written leaves no change. What remains is a crash between the two, which loses the entry of one change.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from fastflow.apps.churn.ports import Note
from fastflow.kernel.api import record
from fastflow.kernel.db.engine import Database
from fastflow.kit.clock import Clock


class AuditedChanges:
    """See `Audited`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @contextmanager
    def __call__(self, note: Note) -> Iterator[None]:
        """See `Audited.__call__`."""
        with self._database.write() as connection:
            record(
                connection,
                at=self._clock.now(),
                actor=note.actor,
                action=note.action,
                subject=note.subject,
                detail=note.detail,
            )
            yield
