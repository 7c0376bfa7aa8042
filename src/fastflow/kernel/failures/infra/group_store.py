"""Groups of failures in the database: putting runs into them, and counting."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.scope import in_scope
from fastflow.kernel.failures.domain.fingerprint import Failure
from fastflow.kernel.failures.domain.records import FailureGroup, GroupFilter
from fastflow.kernel.failures.infra.rows import GROUP, SIGHT
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.rows import RUN, RUN_COLUMNS, has_status, run_of

_FAILED = has_status(RunStatus.FAILED)
_UNSORTED = (
    select(*RUN_COLUMNS)
    .where(
        _FAILED,
        RUN.c.failure_group.is_(None),
        RUN.c.reason != literal_column("'cancelled'"),
        or_(RUN.c.host == bindparam("at_host"), RUN.c.host.is_(None), RUN.c.reason != "exit"),
    )
    .order_by(RUN.c.id)
    .limit(bindparam("count"))
)
_PUT = (
    update(RUN)
    .where(RUN.c.id == bindparam("run_id"), RUN.c.failure_group.is_(None))
    .values(failure_group=bindparam("fingerprint"))
)
_GOOD = (
    select(*RUN_COLUMNS)
    .where(
        RUN.c.pipeline_name == bindparam("name"),
        RUN.c.status == RunStatus.SUCCESS.value,
        RUN.c.id < bindparam("before"),
    )
    .order_by(RUN.c.id.desc())
    .limit(bindparam("count"))
)
_FAILURES_SINCE = select(func.count()).where(
    RUN.c.pipeline_name == bindparam("name"),
    RUN.c.status == RunStatus.FAILED.value,
    RUN.c.id > bindparam("after"),
    RUN.c.id <= bindparam("until"),
)
TREND_DAYS = 7


class SqlGroupStore:
    """See `ports.GroupStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- sorting ------------------------------------------------------------------------------------------------------

    def load_unsorted(self, host: str, *, limit: int) -> Sequence[Run]:
        """See `GroupStore.load_unsorted`."""
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(_UNSORTED, {"at_host": host, "count": limit})]

    def sort(self, found: Sequence[tuple[Run, Failure]]) -> None:
        """See `GroupStore.sort`."""
        with self._database.write() as connection:
            for run, failure in found:
                _know(connection, failure)
                if connection.execute(_PUT, {"run_id": run.id, "fingerprint": failure.group}).rowcount:
                    _see(connection, run, failure)

    # -- looking ------------------------------------------------------------------------------------------------------

    def load_page(
        self, wanted: GroupFilter, *, before_run_id: str | None, limit: int, now: datetime
    ) -> Sequence[FailureGroup]:
        """See `GroupStore.load_page`."""
        last = func.max(SIGHT.c.last_run_id)
        query = _sights(wanted).order_by(last.desc()).limit(limit)
        if before_run_id is not None:
            query = query.having(last < before_run_id)
        if wanted.since is not None:
            query = query.having(func.max(SIGHT.c.last_seen_at) >= wanted.since)
        if wanted.new_since is not None:
            query = query.having(func.min(SIGHT.c.first_seen_at) >= wanted.new_since)
        with self._database.read() as connection:
            return _groups(connection, connection.execute(query).all(), wanted, now)

    def find(self, group: str, wanted: GroupFilter, *, now: datetime) -> FailureGroup | None:
        """See `GroupStore.find`."""
        query = _sights(wanted).where(SIGHT.c.group_id == group)
        with self._database.read() as connection:
            return next(iter(_groups(connection, connection.execute(query).all(), wanted, now)), None)

    def load_good_before(self, pipeline_name: str, run_id: str, *, limit: int) -> Sequence[Run]:
        """See `GroupStore.load_good_before`."""
        with self._database.read() as connection:
            values = {"name": pipeline_name, "before": run_id, "count": limit}
            return [run_of(row) for row in connection.execute(_GOOD, values)]

    def count_failures(self, pipeline_name: str, *, after_id: str, until_id: str) -> int:
        """See `GroupStore.count_failures`."""
        with self._database.read() as connection:
            values = {"name": pipeline_name, "after": after_id, "until": until_id}
            return int(connection.execute(_FAILURES_SINCE, values).scalar_one())


def _know(connection: Connection, failure: Failure) -> None:
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {
        "id": failure.group,
        "title": failure.title,
        "exception": failure.exception,
        "frames": list(failure.frames),
    }
    new = dialect.insert(GROUP)
    latest = {"title": new.excluded.title}  # what the latest run told
    connection.execute(new.on_conflict_do_update(index_elements=[GROUP.c.id], set_=latest), row)


def _see(connection: Connection, run: Run, failure: Failure) -> None:
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    at = run.finished_at or run.queued_at
    new = dialect.insert(SIGHT).values(
        group_id=failure.group,
        pipeline_name=run.pipeline_name,
        runs=1,
        first_seen_at=at,
        last_seen_at=at,
        last_run_id=run.id,
    )
    given = new.excluded
    again = {
        "runs": SIGHT.c.runs + 1,
        "first_seen_at": _least(SIGHT.c.first_seen_at, given.first_seen_at),
        "last_seen_at": _greatest(SIGHT.c.last_seen_at, given.last_seen_at),
        "last_run_id": _greatest(SIGHT.c.last_run_id, given.last_run_id),
    }
    connection.execute(new.on_conflict_do_update(index_elements=[SIGHT.c.group_id, SIGHT.c.pipeline_name], set_=again))


def _least(left: ColumnElement[Any], right: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((left <= right, left), else_=right)


def _greatest(left: ColumnElement[Any], right: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((left >= right, left), else_=right)


def _sights(wanted: GroupFilter) -> Any:
    query = select(
        SIGHT.c.group_id,
        func.sum(SIGHT.c.runs).label("runs"),
        func.min(SIGHT.c.first_seen_at).label("first_seen_at"),
        func.max(SIGHT.c.last_seen_at).label("last_seen_at"),
        func.max(SIGHT.c.last_run_id).label("last_run_id"),
    ).group_by(SIGHT.c.group_id)
    return query.where(*_within(wanted, SIGHT.c.pipeline_name))


def _within(wanted: GroupFilter, column: ColumnElement[str]) -> list[ColumnElement[bool]]:
    if wanted.pipeline_name is not None:
        return [column == wanted.pipeline_name]
    return [] if wanted.pipelines is None else [in_scope(column, wanted.pipelines)]


def _groups(
    connection: Connection, rows: Sequence[Row[Any]], wanted: GroupFilter, now: datetime
) -> Sequence[FailureGroup]:
    ids = [row.group_id for row in rows]
    if not ids:
        return ()
    failures = {
        row.id: Failure(group=row.id, title=row.title, exception=row.exception, frames=tuple(row.frames))
        for row in connection.execute(select(GROUP).where(GROUP.c.id.in_(ids)))
    }
    names: dict[str, list[str]] = {}
    query = select(SIGHT.c.group_id, SIGHT.c.pipeline_name).where(
        SIGHT.c.group_id.in_(ids), *_within(wanted, SIGHT.c.pipeline_name)
    )
    for group, name in connection.execute(query.order_by(SIGHT.c.pipeline_name)):
        names.setdefault(group, []).append(name)
    trends = _trends(connection, ids, wanted, now)
    return [
        FailureGroup(
            failure=failures[row.group_id],
            runs=int(row.runs),
            pipelines=names.get(row.group_id, []),
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            last_run_id=row.last_run_id,
            trend=trends.get(row.group_id, [0] * TREND_DAYS),
        )
        for row in rows
    ]


def _trends(
    connection: Connection, ids: Sequence[str], wanted: GroupFilter, now: datetime
) -> Mapping[str, Sequence[int]]:
    """How many runs of each group were submitted on each of the last days: ids are times, so an index answers."""
    edges = [_first_id(now - timedelta(days=days)) for days in range(TREND_DAYS, 0, -1)]
    days: list[ColumnElement[Any]] = []
    for place, edge in enumerate(edges):
        inside = RUN.c.id >= edge
        if place + 1 < len(edges):
            inside = and_(inside, RUN.c.id < edges[place + 1])
        days.append(func.sum(case((inside, 1), else_=0)))
    query = (
        select(RUN.c.failure_group, *days)
        .where(RUN.c.failure_group.in_(ids), RUN.c.id >= edges[0], *_within(wanted, RUN.c.pipeline_name))
        .group_by(RUN.c.failure_group)
    )
    return {row[0]: [int(count) for count in row[1:]] for row in connection.execute(query)}


def _first_id(instant: datetime) -> str:
    """The smallest UUIDv7 of that millisecond."""
    millis = max(0, int((instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000))
    text = f"{millis:012x}"
    return f"{text[:8]}-{text[8:12]}-0000-0000-000000000000"
