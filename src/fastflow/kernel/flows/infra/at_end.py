"""Flows at the end of a run: the element takes the end, and what follows from it is submitted, in the ending transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy import text as sql

from fastflow.kernel.flows.infra.elements import save, settle
from fastflow.kernel.flows.infra.engine import FlowEngine
from fastflow.kernel.flows.infra.rows import ELEMENT, ELEMENT_COLUMNS, FLOW, element_of
from fastflow.kernel.runs.infra.at_end import EndedRun
from fastflow.kernel.runs.infra.rows import RUN

_RUNNING = sql("flow_run.state = 'RUNNING'")
"""In these words, so that the partial index is used."""
_FLOWS_OF = select(ELEMENT.c.flow_id).where(ELEMENT.c.run_id == bindparam("of_run"), _RUNNING)
_ELEMENTS_OF = select(*ELEMENT_COLUMNS).where(
    ELEMENT.c.run_id == bindparam("of_run"), ELEMENT.c.flow_id == bindparam("of_flow"), _RUNNING
)
_HAND_ON = (
    update(ELEMENT).where(ELEMENT.c.run_id == bindparam("of_run"), _RUNNING).values(run_id=bindparam("successor"))
)
_ENDED = or_(RUN.c.id.is_(None), RUN.c.status.in_(["SUCCESS", "FAILED"]))
_OVERLOOKED = (
    select(ELEMENT.c.flow_id)
    .join_from(ELEMENT, RUN, RUN.c.id == ELEMENT.c.run_id, isouter=True)
    .where(_RUNNING, _ENDED)
    .distinct()
    .limit(bindparam("count"))
)
_OVERLOOKED_OF = (
    select(*ELEMENT_COLUMNS, RUN.c.status, RUN.c.reason, RUN.c.reason_text, RUN.c.retried_by)
    .join_from(ELEMENT, RUN, RUN.c.id == ELEMENT.c.run_id, isouter=True)
    .where(_RUNNING, _ENDED, ELEMENT.c.flow_id == bindparam("of_flow"))
)
_DUE_NOW = update(FLOW).where(FLOW.c.id == bindparam("of_flow")).values(due_at=bindparam("now"))


class FlowsAtEnd:
    """An `AtEnd`.

    Args:
        engine: moves flows on.
    """

    def __init__(self, engine: FlowEngine) -> None:
        self._engine = engine

    def run_ended(self, connection: Connection, ended: EndedRun, now: datetime) -> bool:
        """See `AtEnd.run_ended`. Of a failure that is tried again nothing follows yet."""
        flow_ids = sorted(set(connection.execute(_FLOWS_OF, {"of_run": ended.id}).scalars()))
        if not flow_ids:
            return False
        if ended.retried_by is not None:
            connection.execute(_HAND_ON, {"of_run": ended.id, "successor": ended.retried_by})
            return False
        is_wanted = False
        run = ended.load(connection)
        for flow_id in flow_ids:
            flow = self._engine.lock(connection, flow_id)
            rows = connection.execute(_ELEMENTS_OF, {"of_run": ended.id, "of_flow": flow_id})
            for element in [element_of(row) for row in rows]:
                save(connection, settle(element, run.status.value, run.reason, run.reason_text, run.id))
            done = self._engine.advance(connection, flow_id, now, is_inline=True, locked=flow)
            is_wanted = is_wanted or done.queued or done.has_more
        return is_wanted


def find_overlooked(connection: Connection, limit: int) -> Sequence[str]:
    """Flows with elements whose runs have ended without their taking notice; there should be none."""
    return connection.execute(_OVERLOOKED, {"count": limit}).scalars().all()


def take_overlooked(connection: Connection, flow_id: str) -> int:
    """Let the elements of a flow that is locked take the ends of their runs; how many did."""
    width = len(ELEMENT_COLUMNS)
    rows = connection.execute(_OVERLOOKED_OF, {"of_flow": flow_id}).all()
    for row in rows:
        element = element_of(row[:width])  # type: ignore[arg-type]  # a row's slice is a tuple, which serves as well
        status, reason, text, successor = row[width:]
        if successor is not None:
            connection.execute(_HAND_ON, {"of_run": element.run_id, "successor": successor})
        else:
            why = text if status is not None else "it is not there any more"
            save(connection, settle(element, status or "FAILED", reason or "lost", why, str(element.run_id)))
    return len(rows)


def mark_due(connection: Connection, flow_id: str, now: datetime) -> None:
    """Let the keeper look at the flow soon."""
    connection.execute(_DUE_NOW, {"of_flow": flow_id, "now": now})
