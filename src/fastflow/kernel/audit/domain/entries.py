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
        lane: which of the chains side by side it belongs to.
        seq: its number in the lane, without gaps.
        previous: the hash of the entry before it in the lane.
        hash: its own, over `previous` and everything above but `id`.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    address: str | None
    lane: int
    seq: int
    previous: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class Broken:
    """Where the chain does not hold.

    Attributes:
        entry_id: the entry at which it is noticed; None when there is none any more.
        problem: what is wrong with it.
    """

    entry_id: int | None
    lane: int
    seq: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a verification found.

    Attributes:
        checked: entries that were looked at.
        broken: the first place that does not hold; None when everything does.
        removed: entries that retention removed, by the checkpoint that is part of the chain.
        anchor: of what there is now, when nothing is broken.
    """

    checked: int
    lanes: int
    broken: Broken | None
    removed: int
    anchor: str | None


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """Which entries to list; None leaves a criterion out.

    Attributes:
        actor: exactly this actor.
        action: exactly this action, or with a trailing `.` all of a kind (`run.`).
        subject: exactly this subject.
        since: at this instant or later.
        until: before this instant.
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
