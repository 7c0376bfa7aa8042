"""Flows and backfills on the wire."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from fastflow.kernel.flows.domain.after import Join
from fastflow.kernel.flows.domain.approving import Question, find_refusal
from fastflow.kernel.flows.domain.backfilling import (
    DEFAULT_MAX,
    DEFAULT_PRIORITY,
    DEFAULT_THROTTLE,
    Already,
    BackfillRequest,
    Order,
    Slot,
)
from fastflow.kernel.flows.domain.explaining import explain_flow, explain_step, path_of, seconds_of
from fastflow.kernel.flows.domain.flow import Counts, Element, ElementState, FlowStatus, Kind, Step, StepState
from fastflow.kernel.flows.domain.planned import FlowPlan, PlannedStep
from fastflow.kernel.flows.ports import FlowView
from fastflow.kernel.flows.service import BackfillPlan
from fastflow.kernel.flows.service.flows import MAX_ROOTS
from fastflow.kernel.http.schemas import PageOut, RequestBody
from fastflow.kit.identity import Actor
from fastflow.kit.pages import Page

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
PipelineName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
Sentence = Annotated[str, StringConstraints(max_length=500, pattern=_PRINTABLE)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000, strict=True)]
When = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=_PRINTABLE)]
_SHOWN_SLOTS = 20
_MOST = 100_000

_FLOW_EXAMPLE: JsonDict = {"roots": ["extract"], "params": {"DAY": "2026-11-21"}}
_BACKFILL_EXAMPLE: JsonDict = {
    "pipeline_name": "extract",
    "since": "2026-01-01",
    "until": "2026-01-31",
    "step": "1d",
    "params": {"DAY": "{date}"},
    "throttle": 4,
}


class FlowIn(RequestBody):
    """A flow to begin."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FLOW_EXAMPLE]})

    roots: Annotated[list[PipelineName], Field(min_length=1, max_length=MAX_ROOTS)] = Field(
        description="Pipelines that begin it, whatever they run after; everything that runs after them follows."
    )
    params: dict[str, Any] = Field(
        default_factory=dict, description="Of the roots; of several, each takes those that its schema has."
    )
    priority: Priority = Field(default=0, description="Of every run.")
    idempotency_key: Key | None = Field(default=None, description="A second start with it returns the first flow.")


class FlowCancelIn(RequestBody):
    """Why the flow is cancelled."""

    reason: Sentence | None = Field(default=None, description="For people.")


class FlowRerunIn(RequestBody):
    """How to run again what did not succeed."""

    exact: bool = Field(False, description="True: with the code of the flow's beginning. False: as it is now.")


class ApprovalIn(RequestBody):
    """A decision about a step that waits for one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"decision": "approve", "note": "figures checked"}]})

    decision: Literal["approve", "deny"]
    note: Sentence | None = Field(default=None, description="Why; kept with the decision.")


class QuestionOut(BaseModel):
    """A step that waits for a person."""

    flow_id: str
    flow: str = Field(description="The flow's name: its roots.")
    kind: Kind
    step: str = Field(description="The pipeline that starts when it is approved.")
    question: str
    users: list[str] = Field(description="Who may decide; empty: every operator of the step's pipeline.")
    on_timeout: Literal["approve", "deny"] = Field(description="What is decided at `expires_at`.")
    asked_at: datetime | None
    expires_at: datetime | None
    may_decide: bool = Field(description="Whether you may.")
    why_not: str | None = Field(description="Of one that you may not decide: why.")

    @classmethod
    def of(cls, question: Question, actor: Actor) -> "QuestionOut":
        """The question as the API shows it to the actor."""
        refusal = find_refusal(question.step, question.users, actor)
        return cls(
            flow_id=question.flow_id,
            flow=question.flow_name,
            kind=question.kind,
            step=question.step,
            question=question.note,
            users=list(question.users),
            on_timeout=question.on_timeout,
            asked_at=question.asked_at,
            expires_at=question.expires_at,
            may_decide=refusal is None,
            why_not=None if refusal is None else f"{refusal.message} {refusal.hint or ''}".strip(),
        )


class ApprovalPage(PageOut[QuestionOut]):
    """One page of what waits for a person."""

    @classmethod
    def asked(cls, page: Page[Question], actor: Actor) -> "ApprovalPage":
        """The page as the API shows it to the actor."""
        return cls(items=[QuestionOut.of(each, actor) for each in page.items], next_cursor=page.next_cursor)


class CountsOut(BaseModel):
    """Elements of a step by state."""

    total: int
    waiting: int
    running: int
    success: int
    failed: int
    skipped: int

    @classmethod
    def of(cls, counts: Counts) -> "CountsOut":
        """The counts as the API shows them."""
        return cls(total=counts.total, **vars(counts))


class ApprovalOut(BaseModel):
    """A step's approval."""

    users: list[str] = Field(description="Who may decide; empty: every operator of the step's pipeline.")
    question: str
    on_timeout: Literal["approve", "deny"]
    asked_at: datetime | None
    expires_at: datetime | None
    decision: str | None
    decided_at: datetime | None
    decided_by: str | None
    note: str | None


class StepOut(BaseModel):
    """A step of a flow: a node of its graph."""

    name: str = Field(description="The pipeline.")
    state: StepState
    why: str = Field(description="Why it is in this state.")
    upstreams: list[str]
    join: Join | None = Field(description="Null of a root.")
    when: str | None = Field(description="The condition that has to hold as well.")
    attempt: int = Field(description="Of the flow, when the step last began anew.")
    run_id: str | None = Field(description="Of a step with one run: that run.")
    fan_out: CountsOut | None = Field(description="Of a step with a run for each element of a list.")
    approval: ApprovalOut | None
    started_at: datetime | None
    finished_at: datetime | None
    duration: float | None = Field(description="Seconds, up to now of one that runs.")
    critical: bool = Field(description="Whether it is on the critical path.")

    @classmethod
    def of(cls, step: Step, view: FlowView, path: Sequence[str], now: datetime) -> "StepOut":
        """The step as the API shows it."""
        after = step.after
        counts = view.counts.get(step.name)
        return cls(
            name=step.name,
            state=step.state,
            why=step.why,
            upstreams=list(step.upstreams),
            join=None if step.is_root or after is None else after.join,
            when=None if after is None else after.when,
            attempt=step.attempt,
            run_id=None if step.is_fan_out else view.run_ids.get(step.name),
            fan_out=CountsOut.of(counts or Counts()) if step.is_fan_out and step.total is not None else None,
            approval=_approval(step),
            started_at=step.started_at,
            finished_at=step.finished_at,
            duration=seconds_of(step, now),
            critical=step.name in path,
        )


class EdgeOut(BaseModel):
    """From an upstream to the step after it."""

    upstream: str
    step: str


class FlowCard(BaseModel):
    """A flow, in short."""

    id: str
    kind: Kind
    name: str
    status: FlowStatus
    reason_text: str | None = Field(description="Of one that failed: why.")
    trigger: str
    submitted_by: str
    params: dict[str, Any]
    priority: int
    attempt: int = Field(description="Raised by one at each re-run of what did not succeed.")
    created_at: datetime
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    cancel_requested_by: str | None
    steps_total: int
    steps_ended: int
    elements: CountsOut = Field(description="Of all steps.")
    detail: dict[str, Any] = Field(
        description="Of a backfill: what was asked for, and what was done already; of a flow: `warnings`."
    )

    @classmethod
    def of(cls, view: FlowView) -> "FlowCard":
        """The flow as lists show it."""
        return cls(**_card(view))


class FlowPage(PageOut[FlowCard]):
    """One page of flows, newest first."""


class FlowOut(FlowCard):
    """A flow with its graph."""

    text: str = Field(description="Where it is and why, in words.")
    steps: list[StepOut] = Field(description="Upstreams first.")
    edges: list[EdgeOut]
    critical_path: list[str] = Field(description="The chain of steps that took longest, or takes so far.")
    critical_seconds: float

    @classmethod
    def of(cls, view: FlowView, now: datetime | None = None) -> "FlowOut":
        """The flow as the API shows it at an instant."""
        assert now is not None
        path, seconds = path_of(view.steps, now)
        names = {step.name for step in view.steps}
        return cls(
            **_card(view),
            text=explain_flow(view.flow, view.steps),
            steps=[StepOut.of(step, view, path, now) for step in view.steps],
            edges=[
                EdgeOut(upstream=upstream, step=step.name)
                for step in view.steps
                for upstream in step.upstreams
                if upstream in names
            ],
            critical_path=list(path),
            critical_seconds=seconds,
        )


class FlowExplanationOut(BaseModel):
    """Why a flow is where it is."""

    text: str
    steps: list[str] = Field(description="A sentence for each step, upstreams first.")

    @classmethod
    def of(cls, view: FlowView) -> "FlowExplanationOut":
        """The flow in words."""
        steps = [explain_step(step) for step in view.steps]
        return cls(text=explain_flow(view.flow, view.steps), steps=steps)


class PlannedStepOut(BaseModel):
    """A step that a flow would have."""

    name: str
    upstreams: list[str]
    join: Join | None
    when: str | None
    fan_out: bool
    approval: bool


class FlowPlanOut(BaseModel):
    """What a flow would be made of."""

    steps: list[PlannedStepOut] = Field(description="Upstreams first.")
    warnings: list[str] = Field(description="Pipelines that may belong to it, but whose faults hide that.")

    @classmethod
    def of(cls, plan: FlowPlan) -> "FlowPlanOut":
        """The plan as the API shows it."""
        return cls(steps=[_planned(step) for step in plan.steps], warnings=list(plan.warnings))


class ElementOut(BaseModel):
    """One run of a step, or what kept it from being made."""

    element: int = Field(description="Its place in the list, from 0.")
    attempt: int
    key: str = Field(description="What it stands for; empty for a step with one run.")
    run_id: str | None
    state: ElementState
    why: str
    is_current: bool = Field(description="False: a later attempt took its place.")

    @classmethod
    def of(cls, element: Element) -> "ElementOut":
        """The element as the API shows it."""
        return cls(**{name: getattr(element, name) for name in cls.model_fields})


class ElementPage(PageOut[ElementOut]):
    """One page of elements, in their order."""


class BackfillIn(RequestBody):
    """A backfill: the pipeline once for each time of a range."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BACKFILL_EXAMPLE]})

    pipeline_name: PipelineName
    since: When = Field(description="The first time: a date such as 2026-01-01, or an instant.")
    until: When = Field(description="The last one, itself included.")
    step: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)] = Field(
        "1d", description="A length of time such as 1d or 6h, or a cron line."
    )
    timezone: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_PRINTABLE)] = Field(
        "UTC", description="In which dates and cron lines are read."
    )
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="Of every run; texts may hold {date}, {start}, {end}, {year}, {month}, {day}, {hour}, {time}, {number}.",
    )
    order: Order = Field("oldest", description="Which time goes first.")
    throttle: Annotated[int, Field(ge=1, le=10_000, strict=True)] = Field(
        DEFAULT_THROTTLE, description="Runs that may be under way at once."
    )
    max_failures: (
        Annotated[int, Field(ge=0, le=_MOST, strict=True)]
        | Annotated[str, StringConstraints(max_length=8, pattern=r"^(\d{1,2}(\.\d+)?|100)%$")]
    ) = Field(0, description="Failed runs after which no more are started: a number, or a share such as 10%.")
    priority: Priority = Field(DEFAULT_PRIORITY, description="Of every run; ordinary runs have 0 and go first.")
    maximum: Annotated[int, Field(ge=1, le=_MOST, strict=True)] = Field(
        DEFAULT_MAX, description="More runs than this are refused."
    )
    again: bool = Field(False, description="True: also run what an earlier backfill with these parameters has done.")
    dry_run: bool = Field(False, description="True: make nothing, show what would run.")

    def request(self) -> BackfillRequest:
        """As the service takes it."""
        return BackfillRequest(**{name: getattr(self, name) for name in BackfillRequest.__dataclass_fields__})


class SlotOut(BaseModel):
    """One run of a backfill that is not made yet."""

    key: str
    params: dict[str, Any]
    already: Already | None = Field(
        description="Whether an earlier backfill has done the same, or is doing it; null: it is to run."
    )

    @classmethod
    def of(cls, slot: Slot) -> "SlotOut":
        """The slot as the API shows it."""
        return cls(key=slot.key, params=dict(slot.params), already=slot.already)


class BackfillOut(BaseModel):
    """A backfill that was made, or, of a dry run, what it would run."""

    total: int = Field(description="Times.")
    to_run: int = Field(description="Those that get a run of their own.")
    done_already: int = Field(description="Those that an earlier backfill has done with success.")
    under_way_already: int = Field(description="Those that an earlier backfill is doing.")
    done_by: list[str] = Field(description="Ids of those earlier backfills, oldest first.")
    allowed_failures: int
    first: list[SlotOut] = Field(description=f"At most {_SHOWN_SLOTS}, in the order in which they run.")
    last: list[SlotOut] = Field(description=f"At most {_SHOWN_SLOTS}.")
    backfill: FlowOut | None = Field(description="Null after a dry run.")

    @classmethod
    def of(cls, plan: BackfillPlan) -> "BackfillOut":
        """A dry run as the API shows it."""
        slots = plan.slots
        return cls(
            total=len(slots),
            to_run=plan.to_run,
            done_already=plan.done_already,
            under_way_already=plan.under_way_already,
            done_by=list(plan.done_by),
            allowed_failures=plan.allowed_failures,
            first=[SlotOut.of(slot) for slot in slots[:_SHOWN_SLOTS]],
            last=[SlotOut.of(slot) for slot in slots[max(_SHOWN_SLOTS, len(slots) - _SHOWN_SLOTS) :]],
            backfill=None,
        )


def _card(view: FlowView) -> dict[str, Any]:
    flow = view.flow
    own: tuple[str, ...] = (
        "id",
        "kind",
        "name",
        "status",
        "reason_text",
        "trigger",
        "submitted_by",
        "priority",
        "attempt",
        "created_at",
    )
    own += ("finished_at", "cancel_requested_at", "cancel_requested_by")
    values: dict[str, Any] = {name: getattr(flow, name) for name in own}
    return {
        **values,
        "params": dict(flow.params),
        "detail": dict(flow.detail),
        "steps_total": len(view.steps),
        "steps_ended": sum(step.state.is_final for step in view.steps),
        "elements": CountsOut.of(_sum(view.counts)),
    }


def _sum(counts: Mapping[str, Counts]) -> Counts:
    names = tuple(Counts.__dataclass_fields__)
    return Counts(**{name: sum(getattr(each, name) for each in counts.values()) for name in names})


def _approval(step: Step) -> ApprovalOut | None:
    rule = None if step.after is None else step.after.approval
    if rule is None:
        return None
    return ApprovalOut(
        users=list(rule.users),
        question=rule.note,
        on_timeout=rule.on_timeout,
        asked_at=step.asked_at,
        expires_at=step.expires_at,
        decision=step.decision,
        decided_at=step.decided_at,
        decided_by=step.decided_by,
        note=step.note,
    )


def _planned(step: PlannedStep) -> PlannedStepOut:
    after = step.after
    return PlannedStepOut(
        name=step.name,
        upstreams=[] if after is None else list(after.pipelines),
        join=None if after is None else after.join,
        when=None if after is None else after.when,
        fan_out=after is not None and after.foreach is not None,
        approval=after is not None and after.approval is not None,
    )
