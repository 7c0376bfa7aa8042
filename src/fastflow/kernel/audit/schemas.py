"""The audit log on the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from fastflow.kernel.audit.domain.entries import AuditEntry
from fastflow.kernel.http.schemas import PageOut


class AuditEntryOut(BaseModel):
    """One change somebody made."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    address: str | None

    @classmethod
    def of(cls, entry: AuditEntry) -> "AuditEntryOut":
        """The entry as the API shows it."""
        return cls.model_validate(entry, from_attributes=True)


class AuditPage(PageOut[AuditEntryOut]):
    """One page of the audit log, newest first."""
