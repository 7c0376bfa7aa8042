"""Reading the audit log."""

from typing import cast

from fastflow.kernel.audit.domain.entries import AuditEntry, AuditFilter
from fastflow.kernel.audit.ports import AuditStore
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor


class AuditLog:
    """The audit log as its readers see it."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    def list(
        self, wanted: AuditFilter | None = None, *, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[AuditEntry]:
        """One page of entries, newest first.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        before_id = cast("int", decode_cursor(cursor, (int,))[0]) if cursor else None
        found = self._store.load(wanted or AuditFilter(), before_id=before_id, limit=limit + 1)
        more = len(found) > limit
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if more else None)
