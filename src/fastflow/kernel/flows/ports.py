"""What flows need of others: their store, the runs and pipelines below, and the wake-up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fastflow.kernel.flows.domain.approving import Question
from fastflow.kernel.flows.domain.flow import Counts, Element, ElementState, Flow, FlowStatus, Kind, Step
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.runs.domain.prepared import PreparedRun
from fastflow.kernel.runs.domain.run import Run
from fastflow.kit.identity import Actor

WAKE_MESSAGE = "flows"
"""Look at what is due."""


@dataclass(frozen=True, kw_only=True)
class NewStep:
    """A step to keep, with what its runs are made of.

    Attributes:
        template: None: it could not be frozen, and `problem` says why.
    """

    step: Step
    template: PreparedRun | None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewFlow:
    """A flow to keep.

    Attributes:
        elements: of its roots.
    """

    flow: Flow
    steps: Sequence[NewStep]
    elements: Sequence[Element]


@dataclass(frozen=True, kw_only=True)
class FlowView:
    """A flow and where its steps are.

    Attributes:
        steps: upstreams first.
        counts: of the elements of each step that has any, by step.
        run_ids: of plain steps, the run.
    """

    flow: Flow
    steps: Sequence[Step]
    counts: Mapping[str, Counts]
    run_ids: Mapping[str, str]

    @property
    def roots(self) -> Sequence[str]:
        """The pipelines it began with."""
        return [step.name for step in self.steps if step.is_root]


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Where a run stands.

    Attributes:
        name: of the flow.
        step: of the flow, the run's pipeline.
        key: what the run stands for in a step with several; else empty.
    """

    flow_id: str
    kind: Kind
    name: str
    step: str
    key: str


@dataclass(frozen=True, kw_only=True)
class FlowFilter:
    """Which flows a list shows; None means any.

    Attributes:
        pipeline_name: with a step of this pipeline.
        run_id: that this run belongs to.
        pipelines: names and patterns of the only pipelines the asker may see: every root is one of them.
    """

    kind: Kind = "flow"
    status: FlowStatus | None = None
    pipeline_name: str | None = None
    run_id: str | None = None
    pipelines: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What the keeper's look at a flow did.

    Attributes:
        queued: runs were put into the queue.
        has_more: look again at once.
        flow: as it was before; None: there is none.
    """

    flow: Flow | None
    queued: bool
    has_more: bool


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """The run of an earlier backfill that makes another one needless.

    Attributes:
        is_done: it succeeded; False: it is under way.
    """

    run_id: str
    is_done: bool


class FlowStore(Protocol):
    """Flows; each change is one transaction with its audit entry. Any number of servers may use it at once."""

    def add(self, new: NewFlow, *, actor: Actor, now: datetime) -> tuple[Flow, bool]:
        """Keep a new flow and submit what may be; with an idempotency key that is known, the first one and False."""
        ...

    def add_beside(self, connection: Any, new: NewFlow, run: Run, *, actor: Actor) -> None:
        """Keep a new flow whose one root is `run`, in the transaction that inserts the run."""
        ...

    def find(self, flow_id: str) -> FlowView | None:
        """The flow; None when there is none."""
        ...

    def load_page(self, wanted: FlowFilter, *, before_id: str | None, limit: int) -> Sequence[FlowView]:
        """At most `limit` flows, newest first, older than `before_id`."""
        ...

    def find_memberships(self, run_ids: Sequence[str], pipelines: Sequence[str] | None) -> Mapping[str, Membership]:
        """The first flow of each of these runs that is in one; `pipelines` as in `FlowFilter`."""
        ...

    def load_elements(
        self, flow_id: str, step: str, state: ElementState | None, *, after: tuple[int, int], limit: int
    ) -> Sequence[Element]:
        """At most `limit` elements of the step in their order, each attempt, after (element, attempt)."""
        ...

    def cancel(self, flow_id: str, *, actor: Actor, reason: str | None, now: datetime) -> bool:
        """Ask for the flow's end, and submit nothing more; False: it had ended or was asked before."""
        ...

    def find_earlier(self, pipeline_name: str, keys: Collection[str]) -> Mapping[str, Earlier]:
        """Of these idempotency keys of a backfill's elements those for which no run would be made, with the run."""
        ...

    def find_makers(self, run_ids: Sequence[str]) -> Sequence[str]:
        """Ids of the backfills that made these runs, oldest first; of very many, those of the first."""
        ...

    def load_questions(
        self, pipelines: Sequence[str] | None, *, after: tuple[str, str] | None, limit: int
    ) -> Sequence[Question]:
        """At most `limit` steps that wait for a person, those of the oldest flows first, after (flow, step); every root of
        the flow, and the step, is one of `pipelines`, as in `FlowFilter`."""
        ...

    def load_running(self, flow_id: str, *, limit: int) -> Sequence[str]:
        """Ids of the flow's runs that are under way, at most so many."""
        ...

    def decide(self, flow_id: str, step: str, decision: str, *, note: str | None, actor: Actor, now: datetime) -> Step:
        """Approve or deny.

        Returns:
            The step before the decision.

        Raises:
            NoApproval: it does not wait for one (any more).
        """
        ...

    def rerun(self, flow_id: str, templates: Mapping[str, NewStep], *, actor: Actor, now: datetime) -> None:
        """Reset what did not succeed and go on; of `templates` those of reset steps take the place of the old ones.

        Raises:
            FlowRuns: it is not over.
            NothingFailed: everything succeeded.
        """
        ...

    def find_with(self, pipelines: Sequence[str], *, limit: int) -> Sequence[str]:
        """Ids of flows and backfills under way that have an open step of one of these pipelines."""
        ...

    def end_steps(self, pipelines: Sequence[str], *, why: str, actor: Actor, now: datetime) -> Sequence[Step]:
        """Let what has not begun of these pipelines' steps fail in every flow under way, and move those flows on; the
        steps of which anything was ended."""
        ...

    def find_due(self, now: datetime, *, limit: int) -> Sequence[str]:
        """Flows that the keeper has to look at."""
        ...

    def next_due(self) -> datetime | None:
        """When the keeper has something to look at next; None: nothing is ahead."""
        ...

    def look(self, flow_id: str, now: datetime) -> Looked:
        """Move a flow on."""
        ...

    def reconcile(self, now: datetime, *, limit: int) -> int:
        """Take the ends of runs that flows have overlooked; how many flows that concerned."""
        ...

    def find_needed_code(self, tree_hashes: Sequence[str]) -> Collection[str]:
        """Of these copies of code those that a flow which is not over may still need."""
        ...


class ApprovalAlarm(Protocol):
    """Hears of approvals in the transaction that changes the step."""

    def asked(self, connection: Any, question: Question, *, at: datetime) -> None:
        """A step begins to wait for a person."""
        ...

    def settled(self, connection: Any, question: Question, *, outcome: str, at: datetime) -> None:
        """It waits no more: it was decided, its time is over, or the flow was cancelled; `outcome` says what, in a clause."""
        ...


class Runs(Protocol):
    """Preparing and ending runs."""

    def prepare(self, pipeline_name: str, *, executor: str | None = None) -> PreparedRun:
        """See `RunService.prepare`."""
        ...

    def get(self, run_id: str, *, actor: Actor) -> Run:
        """See `RunService.get`."""
        ...

    def cancel(self, run_id: str, *, actor: Actor, reason: str | None = None) -> Run:
        """See `RunService.cancel`."""
        ...


class Pipelines(Protocol):
    """What can be run."""

    def get(self, name: str) -> Pipeline:
        """The pipeline, perhaps with faults; raises NotFound with near names."""
        ...

    def list(self) -> Sequence[Pipeline]:
        """Every pipeline."""
        ...


class WakeUp(Protocol):
    """Tells the runner; a lost message is made good by polling."""

    def wake_runner(self, message: str) -> None:
        """`wake`: look at the queue; `flows`: look at the flows."""
        ...
