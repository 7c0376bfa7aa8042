"""The records of flows: a flow, its steps, the elements of a step (one for a plain step), and the states they go through.

flow     RUNNING -> SUCCESS | FAILED                      when every step has ended; back by a re-run of what failed
step     WAITING -> (APPROVAL ->) RUNNING -> SUCCESS | FAILED;  WAITING | APPROVAL -> SKIPPED | FAILED
element  WAITING -> RUNNING -> SUCCESS | FAILED;  WAITING -> SKIPPED | FAILED
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from fastflow.kernel.flows.domain.after import After

Kind = Literal["flow", "backfill"]


class FlowStatus(StrEnum):
    """Where a flow is."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class StepState(StrEnum):
    """Where a step is."""

    WAITING = "WAITING"
    """For its upstreams."""
    APPROVAL = "APPROVAL"
    """For a person."""
    RUNNING = "RUNNING"
    """Its runs are submitted; those of a fan-out as far as its limit lets them."""
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self in FINAL


FINAL = frozenset({StepState.SUCCESS, StepState.FAILED, StepState.SKIPPED})


class ElementState(StrEnum):
    """Where an element is."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Runs that follow from one another. Times are aware UTC.

    Attributes:
        kind: a flow, or a backfill: one pipeline over a range of times.
        name: its roots.
        reason_text: of one that failed: why.
        params: what it was started with; `params.NAME` in conditions.
        attempt: raised by one at each re-run of what failed.
        due_at: when the keeper of flows has to look at it; None: its runs move it on.
        detail: of a backfill: its range.
    """

    id: str
    kind: Kind = "flow"
    name: str
    status: FlowStatus = FlowStatus.RUNNING
    reason_text: str | None = None
    trigger: str
    submitted_by: str
    params: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    attempt: int = 1
    created_at: datetime
    finished_at: datetime | None = None
    due_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    cancel_requested_by: str | None = None
    cancel_reason: str | None = None
    idempotency_key: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A pipeline's place in a flow, without the template of its runs.

    Attributes:
        name: the pipeline.
        position: upstreams have lower ones.
        is_root: it was started with the flow; its `after` does not count.
        after: where it stands; None of a root, which has one run, or in a backfill one for each time.
        state: see `StepState`.
        why: why it is in this state.
        attempt: of the flow when it was last reset.
        total: elements; None: not known yet.
        run_limit: elements under way at once.
        allowed_failures: failed elements that do not fail it.
        expires_at: of an approval: when the timeout decides.
        decision: of an approval: approve or deny.
    """

    flow_id: str
    name: str
    position: int
    is_root: bool
    after: After | None
    state: StepState
    why: str
    attempt: int = 1
    total: int | None = None
    run_limit: int = 1
    allowed_failures: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    decision: str | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    note: str | None = None

    @property
    def upstreams(self) -> Sequence[str]:
        """The steps it waits for."""
        return () if self.is_root or self.after is None else self.after.pipelines

    @property
    def is_fan_out(self) -> bool:
        """Whether it is a run for each element of a list."""
        return self.total not in (None, 1) if self.after is None else self.after.foreach is not None


@dataclass(frozen=True, kw_only=True)
class Element:
    """One run of a step, or what keeps it from being made.

    Attributes:
        element: its place in the list; 0 of a plain step.
        attempt: of the flow when it was made.
        key: what it stands for, for people; empty for a plain step.
        run_id: None: no run was made.
        is_current: no later attempt took its place.
    """

    flow_id: str
    step: str
    element: int
    attempt: int
    key: str
    item: Any
    run_id: str | None
    state: ElementState
    why: str
    is_current: bool = True


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The present elements of a step by state."""

    waiting: int = 0
    running: int = 0
    success: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.running + self.success + self.failed + self.skipped
