"""Putting a run's row into the queue, inside a transaction of the caller's."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from fastflow.kernel.audit import record
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.event_writer import record_state
from fastflow.kernel.runs.infra.rows import RUN, values_of
from fastflow.kit.identity import Actor

_INSERT = insert(RUN)


def put_in_queue(connection: Connection, run: Run, *, actor: Actor, action: str, detail: Mapping[str, Any]) -> None:
    """Insert the new run with the first line of its history and its audit entry.

    Args:
        connection: in a write transaction.
        run: with a fresh id; looked at by no limit, it simply waits for its turn.
        actor: who submits.
        action: of the audit entry.
        detail: of the audit entry.
    """
    connection.execute(_INSERT, values_of(run))
    record_state(connection, run.id, run.queued_at, run.status, reason=run.reason)
    record(connection, at=run.queued_at, actor=actor, action=action, subject=run.id, detail=detail)
