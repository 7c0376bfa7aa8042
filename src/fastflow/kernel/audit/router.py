"""`/audit`."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from fastflow.kernel.audit.domain.entries import AuditFilter
from fastflow.kernel.audit.schemas import AnchorOut, AuditEntryOut, AuditPage, VerdictOut
from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.http.access import Admin
from fastflow.kernel.http.params import Cursor, Instant, Limit, Text
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

_JSON_LINES = "application/x-ndjson"
_EXPORTED = {200: {"content": {_JSON_LINES: {}}, "description": "One entry a line."}}


By = Annotated[Text | None, Query(description="Only what this actor did, such as `user:admin`.")]
Action = Annotated[
    Text | None, Query(description="Only this action, such as `secret.set`; `secret.` gives all of a kind.")
]
Subject = Annotated[Text | None, Query(description="Only changes of this thing.")]
Since = Annotated[Instant | None, Query(description="Only this instant and later: ISO 8601 with its offset.")]
Until = Annotated[Instant | None, Query(description="Only before this instant: ISO 8601 with its offset.")]
Anchor = Annotated[
    str | None,
    Query(
        max_length=20_000,
        pattern="^[ -~]*$",  # of ASCII: an address of more than 64 KiB, percent signs and all, is not read at all
        description="An earlier anchor, which must still be part of the chain.",
    ),
]


def build_router(audit: AuditLog) -> APIRouter:
    """The operations on the audit log; all need the role admin."""
    router = APIRouter(tags=["audit"], responses=PROBLEM_RESPONSES)

    @router.get("/audit")
    def list_audit_entries(
        _actor: Admin,
        actor: By = None,
        action: Action = None,
        subject: Subject = None,
        since: Since = None,
        until: Until = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> AuditPage:
        """Every change, who made it and from where; newest first. Needs the role admin."""
        wanted = AuditFilter(actor=actor, action=action, subject=subject, since=since, until=until)
        return AuditPage.of(audit.list(wanted, cursor=cursor, limit=limit))

    @router.get("/audit/export", response_class=StreamingResponse, responses=_EXPORTED)  # type: ignore[arg-type]
    def export_audit_entries(
        _actor: Admin,
        actor: By = None,
        action: Action = None,
        subject: Subject = None,
        since: Since = None,
        until: Until = None,
    ) -> StreamingResponse:
        """Every entry that fits, oldest first, as JSON lines."""
        wanted = AuditFilter(actor=actor, action=action, subject=subject, since=since, until=until)
        lines = (AuditEntryOut.of(entry).model_dump_json() + "\n" for entry in audit.export(wanted))
        return StreamingResponse(lines, media_type=_JSON_LINES)

    @router.get("/audit/anchor")
    def get_audit_anchor(_actor: Admin) -> AnchorOut:
        """Where the log ends now, in one line to be kept elsewhere."""
        return AnchorOut(anchor=audit.anchor())

    @router.get("/audit/verify")
    def verify_audit_log(_actor: Admin, anchor: Anchor = None) -> VerdictOut:
        """Walk the whole chain and name the first entry that does not hold."""
        return VerdictOut.of(audit.verify(anchor))

    return router
