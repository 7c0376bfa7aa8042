"""Rows of the run tables and the domain records they become."""

from typing import Any, Final, cast

from sqlalchemy import Row, Table, and_, bindparam, literal_column, or_
from sqlalchemy.sql import ColumnElement

from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.tables import RunArtifactRow, RunEventRow, RunnerRow, RunRow

RUN: Final = cast("Table", RunRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
EVENT: Final = cast("Table", RunEventRow.__table__)  # type: ignore[attr-defined]
ARTIFACT: Final = cast("Table", RunArtifactRow.__table__)  # type: ignore[attr-defined]
RUNNER: Final = cast("Table", RunnerRow.__table__)  # type: ignore[attr-defined]

_FIELDS: Final = tuple(Run.__dataclass_fields__)
RUN_COLUMNS: Final = tuple(RUN.c[name] for name in _FIELDS)
"""The columns of a `Run`, in its order."""


def has_status(status: RunStatus) -> ColumnElement[bool]:
    """`status = '…'` with the word itself in the text: only then does SQLite use the partial indexes."""
    return RUN.c.status == literal_column(f"'{status.value}'")


PENDING: Final = has_status(RunStatus.PENDING)
READY: Final = and_(PENDING, RUN.c.not_before.is_(None))
"""In the queue: waits for a slot, and for no time."""
RUNNING: Final = has_status(RunStatus.RUNNING)
HERE: Final = or_(RUN.c.host == bindparam("at_host"), RUN.c.host.is_(None))
"""Whose files lie on this machine, or nowhere."""


def run_of(row: Row[Any]) -> Run:
    """The record of a row that was selected with `RUN_COLUMNS`."""
    values = dict(zip(_FIELDS, row, strict=True))
    values["status"] = RunStatus(values["status"])
    return Run(**values)


def values_of(run: Run) -> dict[str, Any]:
    """The row of a new run."""
    values: dict[str, Any] = {name: getattr(run, name) for name in _FIELDS}
    values["status"] = run.status.value
    values["queue_rank"] = -run.priority
    values["tree_hash"] = run.capsule.get("tree_hash")
    values["inputs_hash"] = run.capsule.get("inputs")
    return values
