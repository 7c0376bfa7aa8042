"""What the audit log needs of its store."""

from collections.abc import Sequence
from typing import Protocol

from fastflow.kernel.audit.domain.entries import AuditEntry, AuditFilter


class AuditStore(Protocol):
    """Reads entries; they are written by `record` in the transaction of the change."""

    def load(self, wanted: AuditFilter, *, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """At most `limit` entries with an id below `before_id` (None: from the newest), newest first."""
        ...
