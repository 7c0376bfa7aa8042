"""Which logs, artifacts and copies of code have outlived their time."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, select, update
from sqlalchemy import text as sql

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.rows import ARTIFACT, HERE, RUN
from fastflow.kernel.runs.infra.tables import LOG_KEPT, RETAINED, WITH_INPUTS

_NEXT_PIPELINE = select(func.min(RUN.c.pipeline_name)).where(
    sql(LOG_KEPT), RUN.c.pipeline_name > bindparam("pipeline_name")
)
_BEYOND = (
    select(RUN.c.id)
    .where(sql(LOG_KEPT), RUN.c.pipeline_name == bindparam("pipeline_name"), HERE)
    .order_by(RUN.c.id.desc())
    .offset(bindparam("keep"))
    .limit(bindparam("count"))
)
_OLD = select(RUN.c.id).where(sql(LOG_KEPT), RUN.c.finished_at < bindparam("before"), HERE).limit(bindparam("count"))
_CHUNK = 500
_NEEDED = (
    select(RUN.c.tree_hash)
    .where(sql(RETAINED), RUN.c.tree_hash.in_(bindparam("hashes", expanding=True)))
    .group_by(RUN.c.tree_hash)
)
_NEEDED_INPUTS = (
    select(RUN.c.inputs_hash)
    .where(sql(WITH_INPUTS), RUN.c.inputs_hash.in_(bindparam("hashes", expanding=True)))
    .group_by(RUN.c.inputs_hash)
)


class SqlRetentionStore:
    """See `ports.RetentionStore`.

    Args:
        database: migrated.
        host: id of this server's data directory: what lies on other servers is theirs to remove.
    """

    def __init__(self, database: Database, host: str) -> None:
        self._database = database
        self._host = host

    def find_expired(self, *, keep_runs: int | None, before: datetime | None, limit: int) -> Sequence[str]:
        """See `RetentionStore.find_expired`."""
        found: dict[str, None] = {}
        values: dict[str, Any] = {"at_host": self._host, "before": before, "count": limit}
        with self._database.read() as connection:
            if before is not None:
                found.update(dict.fromkeys(connection.execute(_OLD, values).scalars()))
            if keep_runs is not None:
                name = ""
                while len(found) < limit:
                    name = connection.execute(_NEXT_PIPELINE, {"pipeline_name": name}).scalar_one()
                    if name is None:
                        break
                    values = {
                        "at_host": self._host, "pipeline_name": name, "keep": keep_runs, "count": limit - len(found),
                    }  # fmt: skip
                    found.update(dict.fromkeys(connection.execute(_BEYOND, values).scalars()))
        return list(found)[:limit]

    def find_needed_code(self, tree_hashes: Sequence[str]) -> Collection[str]:
        """See `RetentionStore.find_needed_code`. One look into an index for each."""
        return self._find_needed(_NEEDED, tree_hashes)

    def find_needed_inputs(self, hashes: Sequence[str]) -> Collection[str]:
        """See `RetentionStore.find_needed_inputs`."""
        return self._find_needed(_NEEDED_INPUTS, hashes)

    def _find_needed(self, query: Select[Any], hashes: Sequence[str]) -> Collection[str]:
        found: set[str] = set()
        with self._database.read() as connection:
            for start in range(0, len(hashes), _CHUNK):
                chunk = list(hashes[start : start + _CHUNK])
                found.update(connection.execute(query, {"hashes": chunk}).scalars())
        return found

    def mark_log_deleted(self, run_ids: Sequence[str], at: datetime) -> None:
        """See `RetentionStore.mark_log_deleted`."""
        with self._database.write() as connection:
            connection.execute(delete(ARTIFACT).where(ARTIFACT.c.run_id.in_(run_ids)))
            connection.execute(update(RUN).where(RUN.c.id.in_(run_ids)).values(log_deleted_at=at))
