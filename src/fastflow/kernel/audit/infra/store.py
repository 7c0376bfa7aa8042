"""The audit log in the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Table, insert, select

from fastflow.kernel.audit.domain.entries import AuditEntry, AuditFilter
from fastflow.kernel.audit.infra.tables import AuditRow
from fastflow.kernel.db.engine import Database
from fastflow.kit.identity import Actor

_AUDIT = cast("Table", AuditRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation


def record(
    connection: Connection,
    *,
    at: datetime,
    actor: Actor,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write one entry in the caller's write transaction: it is kept exactly when the change is.

    Args:
        action: `thing.verb`, such as `run.submit`.
        subject: the thing changed; cut at the column's 300 characters.
        detail: JSON values; never a secret's value.
    """
    connection.execute(
        insert(_AUDIT),
        {
            "at": at,
            "actor": actor.name[:200],
            "action": action,
            "subject": subject[:300],
            "detail": dict(detail or {}),
            "address": actor.address[:60] if actor.address else None,
        },
    )


class SqlAuditStore:
    """Reads the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, wanted: AuditFilter, *, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """See `AuditStore.load`."""
        query = select(_AUDIT).order_by(_AUDIT.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(_AUDIT.c.id < before_id)
        if wanted.actor is not None:
            query = query.where(_AUDIT.c.actor == wanted.actor)
        if wanted.subject is not None:
            query = query.where(_AUDIT.c.subject == wanted.subject)
        if wanted.action is not None and wanted.action.endswith("."):
            query = query.where(_AUDIT.c.action.startswith(wanted.action, autoescape=True))
        elif wanted.action is not None:
            query = query.where(_AUDIT.c.action == wanted.action)
        if wanted.since is not None:
            query = query.where(_AUDIT.c.at >= wanted.since)
        with self._database.read() as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]
