"""The audit log on the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from fastflow.kernel.audit.domain.entries import AuditEntry, Verdict
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
    lane: int = Field(description="Which of the chains side by side it belongs to.")
    seq: int = Field(description="Its number in the lane, without gaps.")
    previous: str = Field(description="Hash of the entry before it in the lane.")
    hash: str = Field(description="Its own hash.")

    @classmethod
    def of(cls, entry: AuditEntry) -> "AuditEntryOut":
        """The entry as the API shows it."""
        return cls.model_validate(entry, from_attributes=True)


class AuditPage(PageOut[AuditEntryOut]):
    """One page of the audit log, newest first."""


class AnchorOut(BaseModel):
    """Where the log ends."""

    anchor: str = Field(description="One line; kept elsewhere, it proves later that nothing before it was changed.")


class BrokenOut(BaseModel):
    """The first place where the chain does not hold."""

    entry_id: int | None = Field(description="The entry at which it is noticed; null when its lane has none.")
    lane: int
    seq: int
    problem: str


class VerdictOut(BaseModel):
    """What a verification found."""

    ok: bool
    checked: int = Field(description="Entries that were looked at.")
    lanes: int
    broken: BrokenOut | None
    removed: int = Field(description="Entries that AUDIT_RETENTION_DAYS removed, by the checkpoint in the chain.")
    anchor: str | None = Field(description="Of what there is now, when nothing is broken.")

    @classmethod
    def of(cls, verdict: Verdict) -> "VerdictOut":
        """The verdict as the API shows it."""
        broken = verdict.broken and BrokenOut(**vars(verdict.broken))
        return cls(**{**vars(verdict), "ok": broken is None, "broken": broken})
