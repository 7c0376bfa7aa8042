"""Approvals: what waits for a person, and who may decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastflow.kernel.flows.domain.after import ApprovalRule, OnTimeout
from fastflow.kernel.flows.domain.flow import Kind, Step
from fastflow.kit.errors import Forbidden
from fastflow.kit.identity import Actor, Role


@dataclass(frozen=True, kw_only=True)
class Question:
    """A step that waits for a person.

    Attributes:
        step: the pipeline that starts when it is approved.
        attempt: of the flow; a re-run asks anew.
        note: what is asked, for people.
        users: who may decide; empty: every operator of the step's pipeline.
        on_timeout: what is decided at `expires_at`.
    """

    flow_id: str
    flow_name: str
    kind: Kind
    step: str
    attempt: int
    note: str
    users: Sequence[str]
    on_timeout: OnTimeout
    asked_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, step: Step, *, flow_name: str, kind: Kind) -> "Question":
        """What the step asks; it must have an approval."""
        rule = rule_of(step)
        assert rule is not None, "only a step with an approval asks"
        return cls(
            flow_id=step.flow_id,
            flow_name=flow_name,
            kind=kind,
            step=step.name,
            attempt=step.attempt,
            note=rule.note,
            users=rule.users,
            on_timeout=rule.on_timeout,
            asked_at=step.asked_at,
            expires_at=step.expires_at,
        )


def rule_of(step: Step) -> ApprovalRule | None:
    """The step's approval; None: it has none."""
    return None if step.after is None else step.after.approval


def find_refusal(step: str, users: Sequence[str], actor: Actor) -> Forbidden | None:
    """Why the actor may not decide about a step of a flow that they may see; None: they may.

    Whoever the rule names decides, whatever their role, as long as they may see the step's pipeline: the rule is what gives the
    right. When it names nobody, every operator of the pipeline decides.

    Args:
        step: the pipeline that waits.
        users: whom the rule names.
        actor: who wants to decide.
    """
    if not users:
        return _refusal_by_role(step, Role.OPERATOR, actor)
    if not any(actor.name in (user, f"user:{user}") for user in users):
        return Forbidden(f"{actor.name} may not decide about {step}.", hint=f"These may: {', '.join(users)}.")
    return _refusal_by_role(step, Role.VIEWER, actor)


def _refusal_by_role(step: str, role: Role, actor: Actor) -> Forbidden | None:
    try:
        actor.require_pipeline(step, role)
    except Forbidden as refusal:
        return refusal
    return None


def outcome_of(step: Step) -> str:
    """What became of a step's approval, in a clause: who decided, or why nobody has to any more."""
    if step.decision is None:
        return step.why
    word = "approved" if step.decision == "approve" else "denied"
    if step.decided_by == "timeout":
        return f"nobody decided in time, so that it was {word}"
    return f"{word} by {step.decided_by}" + (f": {step.note}" if step.note else "")
