"""Writes what a run told: rows in its history, and its last progress, metrics and outputs in its own row."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from fastflow.kernel.runs.domain.commands import RecordEvents
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.rows import EVENT, RUN

_STATE = insert(EVENT)
_MAX_MERGED = 1000
"""Names of metrics or outputs that a run's own row holds; more of them stay in the history alone."""
_COLUMNS: Final = {"progress": "progress", "metric": "metrics", "output": "outputs"}


def record_events(
    connection: Connection, told: RecordEvents, *, metrics: Mapping[str, Any], outputs: Mapping[str, Any]
) -> None:
    """Insert the events that are not there yet, and merge them into the run.

    Merging is idempotent: replaying events in their order ends with the same values.

    Args:
        connection: in a write transaction.
        told: a run's events, in order.
        metrics: what the run's row holds now.
        outputs: what the run's row holds now.
    """
    merged: dict[str, Any] = {"metrics": dict(metrics), "outputs": dict(outputs)}
    changes: dict[str, Any] = {}
    rows = []
    for event in told.events:
        data = storable(dict(event.data))
        rows.append(
            {
                "run_id": told.lease.run_id,
                "at": event.at,
                "kind": event.kind,
                "data": data,
                "source_offset": event.offset,
            }
        )
        column = _COLUMNS.get(event.kind)
        if column == "progress":
            changes[column] = data
        elif column is not None:
            known = merged[column]
            known.update({name: value for name, value in data.items() if name in known or len(known) < _MAX_MERGED})
            changes[column] = known
    if not rows:
        return
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(EVENT).on_conflict_do_nothing(), rows)
    if changes:
        connection.execute(
            update(RUN).where(RUN.c.id == bindparam("b_id")).values(**changes), {"b_id": told.lease.run_id}
        )


def record_state(
    connection: Connection,
    run_id: str,
    at: datetime,
    status: RunStatus,
    *,
    reason: str | None = None,
    exit_code: int | None = None,
) -> None:
    """Note in the run's history that it came into a state."""
    data: dict[str, Any] = {"status": status.value}
    if status.is_terminal:
        data.update(reason=reason, exit_code=exit_code)
    connection.execute(_STATE, {"run_id": run_id, "at": at, "kind": "state", "data": data, "source_offset": None})


def storable(value: Any) -> Any:
    """The value as both databases hold it: no NUL characters, no lone surrogates, no numbers that JSON has not."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value
