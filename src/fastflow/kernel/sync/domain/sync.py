"""A sync: one attempt to make a commit the active version of a repository, and what it tells on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

Action = Literal["sync", "plan", "rollback", "remove"]
"""Make the branch's commit active; only say what that would do; make an earlier one active; take the code out."""
Trigger = Literal["api", "cli", "interval", "webhook"]
EventKind = Literal["step", "pipeline", "line", "note", "end"]


class SyncState(StrEnum):
    """Where a sync stands, or how it ended."""

    QUEUED = "queued"
    """Waits for a server to take it."""
    RUNNING = "running"
    """A server works on it, under a lease."""
    PLANNED = "planned"
    """It only had to say what it would do."""
    UNCHANGED = "unchanged"
    """The commit was active already."""
    ACTIVATED = "activated"
    """Its commit is the active version since."""
    REFUSED = "refused"
    """The plan has blockers, and it was not forced; the version before stayed active."""
    FAILED = "failed"
    """It could not be found out what there is; the version before stayed active."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes."""
        return self not in (SyncState.QUEUED, SyncState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Sync:
    """One sync.

    Attributes:
        requested_by: who asked for it; `system` for the interval, `webhook:NAME` for a webhook.
        reason: of whoever asked, in words.
        force: go on in spite of blockers.
        commit_before: the active one when it began.
        commit: the one it is about; None until that is known.
        subject: first line of the commit's message.
        author: of the commit.
        tree_hash: of the copy of the commit's files.
        prefix: of the names of pipelines, as it is with this version.
        subfolder: the part of the repository that the copy has.
        plan: see `plan.Plan`, as JSON; None until it is made.
        why: the outcome in words; empty until there is one.
        code: of one that was refused or failed: the problem's code, as an answer at once would have it.
        fields: of the problem: field of the repository, or file and line -> what is wrong with it.
        settled_at: when what follows from an activation was done: runs stopped, schedules gone.
    """

    id: str
    repository: str
    action: Action
    trigger: Trigger
    requested_by: str
    requested_at: datetime
    reason: str | None = None
    force: bool = False
    state: SyncState = SyncState.QUEUED
    commit_before: str | None = None
    commit: str | None = None
    subject: str | None = None
    author: str | None = None
    tree_hash: str | None = None
    prefix: str = ""
    subfolder: str = ""
    plan: Mapping[str, Any] | None = None
    why: str = ""
    code: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ActiveVersion:
    """The version of a repository that is active.

    Attributes:
        sync_id: the sync that made it active.
    """

    repository: str
    commit: str
    tree_hash: str
    prefix: str
    subfolder: str
    sync_id: str
    activated_at: datetime
    activated_by: str


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """Something that a sync tells.

    Attributes:
        kind: `step`: it goes on to the next step; `pipeline`: how far a pipeline's environment is; `line`: what uv says;
            `note`: a sentence; `end`: it is over.
    """

    at: datetime
    kind: EventKind
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SyncEvent(NewEvent):
    """Something that a sync told.

    Attributes:
        id: rises with every event.
    """

    id: int
    sync_id: str
