"""The seam at a run's end: inside the transaction that ends a run, features may write rows of their own.

Every end passes here, whoever writes it: the lease's holder, the sweep of what waited too long or was lost, a cancel in the
queue, a run ended on arrival. So what follows from an end (a retry, a dependant, a notification in an outbox) is decided
exactly once: with the end itself, or not at all.

A feature implements `AtEnd` in its `infra`, and the composition root hands it to `build_runs` and `build_dispatcher`.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Row, bindparam, select

from fastflow.kernel.executors.port import Reason
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.rows import RUN, RUN_COLUMNS, run_of

logger = logging.getLogger(__name__)

_BY_ID = select(*RUN_COLUMNS).where(RUN.c.id == bindparam("run_id"))


@dataclass(kw_only=True)
class EndedRun:
    """A run at its end; the fields come with the statement that ends it and cost no read.

    Attributes:
        status: SUCCESS or FAILED.
        reason: of a FAILED run.
        exit_code: None when its process never ran or nobody saw its end.
        trigger: what submitted it.
        retried_by: the run that tries it again: this failure is not the last word. Set by the retries, which act before
            every other feature.
    """

    id: str
    pipeline_name: str
    status: RunStatus
    reason: Reason | None
    exit_code: int | None
    trigger: str
    retried_by: str | None = None
    _whole: Run | None = field(default=None, repr=False)

    def be_retried_by(self, run_id: str) -> None:
        """Note that another run tries it again; the retries' to call."""
        self.retried_by = run_id
        if self._whole is not None:
            self._whole = replace(self._whole, retried_by=run_id)

    def load(self, connection: Connection) -> Run:
        """The whole row as it is after the end, read at the first call: ask only when the fields above do not suffice.
        Outputs and metrics are in it as far as they were recorded; all of them, unless the database was away."""
        if self._whole is None:
            self._whole = run_of(connection.execute(_BY_ID, {"run_id": self.id}).one())
        return self._whole


class AtEnd(Protocol):
    """A feature that acts when a run ends."""

    def run_ended(self, connection: Connection, ended: EndedRun, now: datetime) -> bool:
        """Write what follows from the end, in the transaction that writes it.

        It is called for every end, in the writer thread of the runner: decide by the fields of `ended` first, use indexes,
        touch no file and no network. What is slow is put down as a row here and done elsewhere. The end is written in any
        case: when this raises, the end is tried again with its changes under a savepoint, and without them if it raises
        again (`at_end.failed` in the server's log).

        Args:
            connection: in the write transaction; never commit or roll back.
            ended: RUN rows say the same already.
            now: aware.

        Returns:
            Whether runs were put into the queue that may start at once; the runners are then woken.
        """
        ...


ENDED_COLUMNS: Final = (RUN.c.id, RUN.c.pipeline_name, RUN.c.status, RUN.c.reason, RUN.c.exit_code, RUN.c.trigger)
"""What the ending statement returns."""


def ended_of(row: Row[Any]) -> EndedRun:
    """The end of a row that was returned with `ENDED_COLUMNS`."""
    values = dict(row._mapping)
    return EndedRun(**{**values, "status": RunStatus(values["status"])})


def ended_on_arrival(run: Run) -> EndedRun:
    """The end of a run that was inserted in its terminal state."""
    return EndedRun(
        id=run.id,
        pipeline_name=run.pipeline_name,
        status=run.status,
        reason=run.reason,
        exit_code=run.exit_code,
        trigger=run.trigger,
        _whole=run,
    )


class Ends:
    """Tells the features of ends.

    Args:
        features: in the order in which they act.
    """

    def __init__(self, features: Sequence[AtEnd] = ()) -> None:
        self._features = features

    def tell(self, connection: Connection, ended: EndedRun, now: datetime, *, guarded: bool = True) -> bool:
        """Let every feature write what follows.

        Args:
            connection: in the transaction that writes the end.
            ended: the run.
            now: aware.
            guarded: a feature that raises is rolled back alone, and logged; False: it raises here, which costs no savepoint.

        Returns:
            Whether runs were put into the queue that may start at once.
        """
        queued = False
        for feature in self._features:
            if not guarded:
                queued = feature.run_ended(connection, ended, now) or queued
                continue
            try:
                with connection.begin_nested():
                    queued = feature.run_ended(connection, ended, now) or queued
            except Exception:
                fields = {"feature": type(feature).__name__, "run_id": ended.id}
                logger.exception("at_end.failed", extra={"fields": fields})
        return queued
