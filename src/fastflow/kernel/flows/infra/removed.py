"""Steps whose pipeline was removed by force: what of them has not begun is ended, and their flows go on to their ends."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select

from fastflow.kernel.audit import record
from fastflow.kernel.flows.domain.flow import FlowStatus, Step, StepState
from fastflow.kernel.flows.infra.elements import fail_waiting
from fastflow.kernel.flows.infra.engine import load_steps, save_step
from fastflow.kernel.flows.infra.rows import FLOW, STEP
from fastflow.kit.identity import Actor

_NOT_BEGUN = (StepState.WAITING, StepState.APPROVAL)
_OPEN = (*_NOT_BEGUN, StepState.RUNNING)


def find_flows_with(connection: Connection, names: Collection[str], *, limit: int | None = None) -> Sequence[str]:
    """Ids of the flows and backfills under way that have an open step of one of these pipelines."""
    query = (
        select(STEP.c.flow_id)
        .join_from(STEP, FLOW, FLOW.c.id == STEP.c.flow_id)
        .where(
            FLOW.c.status == FlowStatus.RUNNING.value,
            STEP.c.name.in_(list(names)),
            STEP.c.state.in_([state.value for state in _OPEN]),
        )
        .distinct()
        .order_by(STEP.c.flow_id)
        .limit(limit)
    )
    return connection.execute(query).scalars().all()


def end_steps(
    connection: Connection,
    flow_id: str,
    names: Collection[str],
    *,
    why: str,
    actor: Actor,
    now: datetime,
    tell: Callable[[Step, Step, datetime], None],
) -> Sequence[Step]:
    """Let what has not begun of these pipelines' steps fail; what runs is left to whoever stops the runs.

    Args:
        connection: in a write transaction that holds the flow.
        flow_id: which.
        names: of pipelines.
        why: one clause.
        actor: on whose behalf.
        now: aware.
        tell: told of each step as it was, as it is, and now.

    Returns:
        The steps, as they are now, of which anything was ended.
    """
    ended = []
    for step in load_steps(connection, flow_id).values():
        if step.name not in names or step.state not in _OPEN:
            continue
        elements = fail_waiting(connection, step, why)
        after = step
        if step.state in _NOT_BEGUN:
            after = replace(step, state=StepState.FAILED, why=why, finished_at=now)
            save_step(connection, step, after)
            tell(step, after, now)
        elif not elements:
            continue
        detail = {"step": step.name, "why": why, **({"elements": elements} if elements else {})}
        record(connection, at=now, actor=actor, action="flow.end-step", subject=flow_id, detail=detail)
        ended.append(after)
    return ended
