"""Assembles the audit log."""

from fastflow.kernel.audit.infra.store import SqlAuditStore
from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.db.engine import Database


def build_audit(database: Database) -> AuditLog:
    """The audit log on the product's database."""
    return AuditLog(SqlAuditStore(database))
