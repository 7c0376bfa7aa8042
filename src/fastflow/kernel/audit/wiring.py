"""Assembles the audit log."""

from fastflow.kernel.audit.infra.store import SqlAuditStore
from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.db.engine import Database
from fastflow.kit.clock import Clock, SystemClock


def build_audit(database: Database, *, retention_days: float | None = None, clock: Clock | None = None) -> AuditLog:
    """The audit log on the product's database."""
    return AuditLog(SqlAuditStore(database), clock or SystemClock(), retention_days)
