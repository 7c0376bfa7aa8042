"""`/audit`."""

from typing import Annotated

from fastapi import APIRouter, Query

from fastflow.kernel.audit.domain.entries import AuditFilter
from fastflow.kernel.audit.schemas import AuditPage
from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.http.access import Admin
from fastflow.kernel.http.params import Cursor, Instant, Limit, Text
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kit.pages import DEFAULT_PAGE_SIZE


def build_router(audit: AuditLog) -> APIRouter:
    """The audit log's one operation."""
    router = APIRouter(tags=["audit"], responses=PROBLEM_RESPONSES)

    @router.get("/audit")
    def list_audit_entries(
        _actor: Admin,
        actor: Annotated[Text | None, Query(description="Only what this actor did, such as `user:admin`.")] = None,
        action: Annotated[
            Text | None, Query(description="Only this action, such as `secret.set`; `secret.` gives all of a kind.")
        ] = None,
        subject: Annotated[Text | None, Query(description="Only changes of this thing.")] = None,
        since: Annotated[
            Instant | None, Query(description="Only this instant and later: ISO 8601 with its offset.")
        ] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> AuditPage:
        """Every change, who made it and from where; newest first. Needs the role admin."""
        wanted = AuditFilter(actor=actor, action=action, subject=subject, since=since)
        return AuditPage.of(audit.list(wanted, cursor=cursor, limit=limit))

    return router
