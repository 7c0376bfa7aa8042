"""Finds the steps that wait for a person, and tells an alarm of those that begin to wait or need not any more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select
from sqlalchemy import text as sql

from fastflow.kernel.db.scope import in_scope
from fastflow.kernel.flows.domain.approving import Question, outcome_of
from fastflow.kernel.flows.domain.flow import Flow, FlowStatus, Step, StepState
from fastflow.kernel.flows.infra.rows import FLOW, STEP, STEP_COLUMNS, step_of
from fastflow.kernel.flows.infra.tables import OPEN
from fastflow.kernel.flows.ports import ApprovalAlarm

_OPEN_STEP: Final = sql(OPEN)
_WAITING: Final = (
    select(*STEP_COLUMNS, FLOW.c.name.label("flow_name"), FLOW.c.kind.label("flow_kind"))
    .join_from(STEP, FLOW, FLOW.c.id == STEP.c.flow_id)
    .where(
        _OPEN_STEP,
        STEP.c.state == StepState.APPROVAL.value,
        STEP.c.decision.is_(None),
        FLOW.c.status == FlowStatus.RUNNING.value,
        FLOW.c.cancel_requested_at.is_(None),
    )
    .order_by(STEP.c.flow_id, STEP.c.name)
)


def is_seen(pipelines: Sequence[str]) -> Any:
    """Whether every root of the flow is one of these names and patterns."""
    hidden = and_(STEP.c.flow_id == FLOW.c.id, STEP.c.is_root, ~in_scope(STEP.c.name, pipelines))
    return ~select(STEP.c.name).where(hidden).correlate(FLOW).exists()


def load_questions(
    connection: Connection, pipelines: Sequence[str] | None, *, after: tuple[str, str] | None, limit: int
) -> Sequence[Question]:
    """At most `limit` steps that wait for a person, those of the oldest flows first.

    Args:
        connection: to read.
        pipelines: names and patterns of the only pipelines the asker may see: every root, and the step, is one of them.
        after: flow and step of the last one that is known.
        limit: how many.
    """
    query = _WAITING.limit(limit)
    if after is not None:
        flow_id, step = after
        query = query.where(or_(STEP.c.flow_id > flow_id, and_(STEP.c.flow_id == flow_id, STEP.c.name > step)))
    if pipelines is not None:
        query = query.where(is_seen(pipelines), in_scope(STEP.c.name, pipelines))
    found = []
    for *columns, flow_name, kind in connection.execute(query):
        found.append(Question.of(step_of(columns), flow_name=flow_name, kind=kind))
    return found


def tell_alarm(
    alarm: ApprovalAlarm | None, connection: Connection, flow: Flow, before: Step, after: Step, now: datetime
) -> None:
    """Let the alarm know, in the transaction that changes the step, that its approval is asked for or not needed any more."""
    if alarm is None or before.state is after.state:
        return
    if after.state is StepState.APPROVAL:
        alarm.asked(connection, Question.of(after, flow_name=flow.name, kind=flow.kind), at=now)
    elif before.state is StepState.APPROVAL:
        question = Question.of(before, flow_name=flow.name, kind=flow.kind)
        alarm.settled(connection, question, outcome=outcome_of(after), at=now)
