"""What the audit log holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One change somebody made.

    Attributes:
        id: rises with every entry.
        actor: `user:NAME`, `token:NAME`, `cli:OSUSER` or `system`.
        action: such as `run.submit`, `secret.set`, `user.create`.
        subject: the thing changed: a run id, a secret's key.
        detail: what changed; never a secret's value.
        address: where the request came from; None inside the product.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    address: str | None


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """Which entries to list; None leaves a criterion out.

    Attributes:
        actor: exactly this actor.
        action: exactly this action, or with a trailing `.` all of a kind (`run.`).
        subject: exactly this subject.
        since: at this instant or later.
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
