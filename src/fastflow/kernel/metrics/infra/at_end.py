"""Notes each end in the transaction that writes it, so that the totals miss none and count none twice."""

from sqlalchemy import Connection, bindparam, func, insert, select

from fastflow.kernel.metrics.infra.rows import END
from fastflow.kernel.runs.infra.at_end import EndedRun
from fastflow.kernel.runs.infra.rows import RUN

_NOTE = insert(END).from_select(
    ["pipeline_name", "status", "reason", "queued_at", "claimed_at", "started_at", "finished_at"],
    select(
        RUN.c.pipeline_name,
        RUN.c.status,
        func.coalesce(RUN.c.reason, ""),
        RUN.c.queued_at,
        RUN.c.claimed_at,
        RUN.c.started_at,
        RUN.c.finished_at,
    ).where(RUN.c.id == bindparam("run_id"), RUN.c.finished_at.is_not(None)),
)


class CountedEnds:
    """An `AtEnd` of runs. A row of its own for each end: totals written here would make the servers wait for each other."""

    def run_ended(self, connection: Connection, ended: EndedRun, _now: object) -> bool:
        """See `AtEnd.run_ended`."""
        connection.execute(_NOTE, {"run_id": ended.id})
        return False
