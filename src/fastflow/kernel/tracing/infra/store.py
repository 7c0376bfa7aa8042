"""Ends whose traces are due, in the database: written with the end, removed when the collector has taken them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, delete, func, insert, or_, select, update

from fastflow.kernel.db.engine import Database
from fastflow.kernel.flows.infra.rows import ELEMENT, STEP
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.at_end import EndedRun as End
from fastflow.kernel.runs.infra.rows import RUN, RUN_COLUMNS, run_of
from fastflow.kernel.tracing.domain.spans import EndedRun
from fastflow.kernel.tracing.infra.tables import TraceDueRow

DUE: Final = cast("Table", TraceDueRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
_LEASE: Final = timedelta(seconds=60)
_MOST_LINKS: Final = 32
_NOTE = insert(DUE)


class TracedEnds:
    """An `AtEnd` of runs: notes that the trace is due."""

    def run_ended(self, connection: Connection, ended: End, _now: object) -> bool:
        """See `AtEnd.run_ended`."""
        connection.execute(_NOTE, {"run_id": ended.id})
        return False


class SqlTraceStore:
    """See `ports.TraceStore`.

    Args:
        database: migrated.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, now: datetime, limit: int) -> Sequence[tuple[int, EndedRun | None]]:
        """See `TraceStore.take`."""
        free = or_(DUE.c.lease_expires_at.is_(None), DUE.c.lease_expires_at < now)
        query = select(DUE.c.id, DUE.c.run_id).where(free).order_by(DUE.c.id).limit(limit)
        with self._database.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return ()
        with self._database.write() as connection:
            self._database.lock(connection, "traces")
            due = {row.id: row.run_id for row in connection.execute(query)}
            taken = update(DUE).where(DUE.c.id.in_(due))
            connection.execute(taken.values(lease_expires_at=now + _LEASE))
        with self._database.read() as connection:
            rows = connection.execute(select(*RUN_COLUMNS).where(RUN.c.id.in_(set(due.values()))))
            runs = {run.id: EndedRun(run=run, earlier=_earlier(connection, run)) for run in map(run_of, rows)}
        return [(number, runs.get(run_id)) for number, run_id in due.items()]

    def forget(self, numbers: Sequence[int]) -> None:
        """See `TraceStore.forget`."""
        with self._database.write() as connection:
            connection.execute(delete(DUE).where(DUE.c.id.in_(numbers)))

    def give_back(self, numbers: Sequence[int]) -> None:
        """See `TraceStore.give_back`."""
        with self._database.write() as connection:
            connection.execute(update(DUE).where(DUE.c.id.in_(numbers)).values(lease_expires_at=None))

    def trim(self, most: int) -> int:
        """See `TraceStore.trim`."""
        with self._database.write() as connection:
            count = int(connection.execute(select(func.count()).select_from(DUE)).scalar_one())
            if count <= most:
                return 0
            last = select(DUE.c.id).order_by(DUE.c.id).offset(count - most - 1).limit(1).scalar_subquery()
            return connection.execute(delete(DUE).where(DUE.c.id <= last)).rowcount


def _earlier(connection: Connection, run: Run) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """The runs it follows from: of its own making, and in its flow."""
    ids = [run_id for run_id in (run.retry_of, run.rerun_of) if run_id is not None]
    flow = run.capsule.get("flow")
    if flow:
        after = select(STEP.c.after).where(STEP.c.flow_id == flow["id"], STEP.c.name == flow["step"])
        before = connection.execute(after).scalar() or {}
        of_steps = (
            select(ELEMENT.c.run_id)
            .where(
                ELEMENT.c.flow_id == flow["id"],
                ELEMENT.c.step.in_(before.get("pipelines", ())),
                ELEMENT.c.is_current,
                ELEMENT.c.run_id.is_not(None),
            )
            .order_by(ELEMENT.c.step, ELEMENT.c.element)
            .limit(_MOST_LINKS)
        )
        ids += connection.execute(of_steps).scalars()
    if not ids:
        return ()
    found = connection.execute(select(RUN.c.id, RUN.c.capsule).where(RUN.c.id.in_(ids)).order_by(RUN.c.id))
    return [(row.id, row.capsule) for row in found]
