"""What the audit log needs of its store."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from fastflow.kernel.audit.domain.chain import Head
from fastflow.kernel.audit.domain.entries import AuditEntry, AuditFilter


class AuditView(Protocol):
    """One state of the log, however long it is looked at."""

    def heads(self) -> Sequence[Head]:
        """Where each lane ends, as it was told when the entries were written."""
        ...

    def lanes(self) -> Sequence[int]:
        """The lanes that have entries."""
        ...

    def entries(self, lane: int, *, after_seq: int, limit: int) -> Sequence[AuditEntry]:
        """At most `limit` entries of a lane after a number, in order."""
        ...

    def starts(self) -> tuple[Sequence[Head], int]:
        """The last entry of each lane that retention removed, and how many it removed in all."""
        ...


class AuditStore(Protocol):
    """Reads entries; they are written by `record` in the transaction of the change."""

    def load(self, wanted: AuditFilter, *, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """At most `limit` entries with an id below `before_id` (None: from the newest), newest first."""
        ...

    def load_after(self, wanted: AuditFilter, *, after_id: int, limit: int) -> Sequence[AuditEntry]:
        """At most `limit` entries with an id above `after_id`, oldest first."""
        ...

    def view(self) -> AbstractContextManager[AuditView]:
        """One state of the whole log."""
        ...

    def prune(self, before: datetime, *, at: datetime) -> int:
        """Remove entries older than an instant and write a checkpoint that tells so; how many. Safe to call from
        several servers."""
        ...
