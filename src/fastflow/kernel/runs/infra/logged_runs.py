"""The few columns that reading logs, artifacts and the event feed needs, read straight from the tables."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain.logged_run import FeedEvent, LoggedRun, StoredArtifact
from fastflow.kernel.runs.domain.states import TERMINAL, RunStatus
from fastflow.kernel.runs.infra.names import names_in_scope
from fastflow.kernel.runs.infra.rows import ARTIFACT, EVENT, RUN, RUNNING

_COLUMNS: Final = (
    RUN.c.id,
    RUN.c.pipeline_name,
    RUN.c.status,
    RUN.c.reason,
    RUN.c.exit_code,
    RUN.c.log_file,
    RUN.c.log_deleted_at,
    RUN.c.started_at,
    RUN.c.queued_at,
)
_BY_ID = select(*_COLUMNS).where(RUN.c.id == bindparam("run_id"))
_ENDED = select(*_COLUMNS).where(
    RUN.c.id.in_(bindparam("run_ids", expanding=True)),
    RUN.c.status.in_([status.value for status in sorted(TERMINAL)]),
)
_ARTIFACTS = (
    select(ARTIFACT.c.path, ARTIFACT.c.size_bytes, ARTIFACT.c.sha256, ARTIFACT.c.created_at)
    .where(ARTIFACT.c.run_id == bindparam("run_id"))
    .order_by(ARTIFACT.c.path)
)
_FEED = (
    select(EVENT.c.id, EVENT.c.run_id, RUN.c.pipeline_name, EVENT.c.at, EVENT.c.kind, EVENT.c.data)
    .join_from(EVENT, RUN, RUN.c.id == EVENT.c.run_id)
    .where(EVENT.c.id > bindparam("after_id"))
    .order_by(EVENT.c.id)
    .limit(bindparam("count"))
)


class SqlLoggedRuns:
    """See `log_ports.LoggedRuns`.

    Args:
        database: where runs are.
        logs_dir: folder of the logs, for runs whose row does not name a file yet.
    """

    def __init__(self, database: Database, logs_dir: Path) -> None:
        self._database = database
        self._logs_dir = logs_dir

    def find(self, run_id: str) -> LoggedRun | None:
        """See `LoggedRuns.find`."""
        with self._database.read() as connection:
            row = connection.execute(_BY_ID, {"run_id": run_id}).first()
        return self._run_of(row) if row is not None else None

    def find_ended(self, run_ids: Collection[str]) -> Sequence[LoggedRun]:
        """Those of the runs that have ended."""
        with self._database.read() as connection:
            return [self._run_of(row) for row in connection.execute(_ENDED, {"run_ids": list(run_ids)})]

    def load_running(self, pipelines: Collection[str] | None, limit: int) -> Sequence[LoggedRun]:
        """See `LoggedRuns.load_running`."""
        query: Select[Any] = select(*_COLUMNS).where(RUNNING).order_by(RUN.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            if pipelines is not None:
                query = query.where(RUN.c.pipeline_name.in_(names_in_scope(connection, pipelines)))
            return [self._run_of(row) for row in connection.execute(query)]

    def load_artifacts(self, run_id: str) -> Sequence[StoredArtifact]:
        """See `LoggedRuns.load_artifacts`."""
        with self._database.read() as connection:
            return [StoredArtifact(**row._mapping) for row in connection.execute(_ARTIFACTS, {"run_id": run_id})]

    def load_events(self, after_id: int, limit: int) -> Sequence[FeedEvent]:
        """Events of all runs after the given id, in order."""
        with self._database.read() as connection:
            rows = connection.execute(_FEED, {"after_id": after_id, "count": limit})
            return [FeedEvent(**row._mapping) for row in rows]

    def last_event_id(self) -> int:
        """The highest event id; 0 when there is none."""
        with self._database.read() as connection:
            return connection.execute(select(func.max(EVENT.c.id))).scalar() or 0

    def _log_path(self, row: Any) -> Path:
        """Where the row says, which may be a former LOGS_DIR, or (before the start) another server's; else in ours."""
        told = Path(row.log_file) if row.log_file else None
        return told if told is not None and told.exists() else self._logs_dir / f"{row.id}.log"

    def _run_of(self, row: Any) -> LoggedRun:
        status = RunStatus(row.status)
        return LoggedRun(
            id=row.id,
            pipeline_name=row.pipeline_name,
            status=status.value,
            reason=row.reason,
            exit_code=row.exit_code,
            log_path=self._log_path(row),
            log_deleted_at=row.log_deleted_at,
            ended=status.is_terminal,
            since=row.started_at or row.queued_at,
        )
