"""Which logs and artifacts have outlived their time."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy import text as sql

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.rows import ARTIFACT, RUN
from fastflow.kernel.runs.infra.tables import LOG_KEPT

_NEXT_PIPELINE = select(func.min(RUN.c.pipeline_name)).where(
    sql(LOG_KEPT), RUN.c.pipeline_name > bindparam("pipeline_name")
)
_BEYOND = (
    select(RUN.c.id)
    .where(sql(LOG_KEPT), RUN.c.pipeline_name == bindparam("pipeline_name"))
    .order_by(RUN.c.id.desc())
    .offset(bindparam("keep"))
    .limit(bindparam("count"))
)
_OLD = select(RUN.c.id).where(sql(LOG_KEPT), RUN.c.finished_at < bindparam("before")).limit(bindparam("count"))


class SqlRetentionStore:
    """See `ports.RetentionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_expired(self, *, keep_runs: int | None, before: datetime | None, limit: int) -> Sequence[str]:
        """See `RetentionStore.find_expired`."""
        found: dict[str, None] = {}
        with self._database.read() as connection:
            if before is not None:
                found.update(dict.fromkeys(connection.execute(_OLD, {"before": before, "count": limit}).scalars()))
            if keep_runs is not None:
                name = ""
                while len(found) < limit:
                    name = connection.execute(_NEXT_PIPELINE, {"pipeline_name": name}).scalar_one()
                    if name is None:
                        break
                    values = {"pipeline_name": name, "keep": keep_runs, "count": limit - len(found)}
                    found.update(dict.fromkeys(connection.execute(_BEYOND, values).scalars()))
        return list(found)[:limit]

    def mark_log_deleted(self, run_ids: Sequence[str], at: datetime) -> None:
        """See `RetentionStore.mark_log_deleted`."""
        with self._database.write() as connection:
            connection.execute(delete(ARTIFACT).where(ARTIFACT.c.run_id.in_(run_ids)))
            connection.execute(update(RUN).where(RUN.c.id.in_(run_ids)).values(log_deleted_at=at))
