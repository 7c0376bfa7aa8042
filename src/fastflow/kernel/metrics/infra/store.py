"""The figures' look at the database: every query reads an index or a small table, never the history of runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Table, and_, delete, func, insert, select, update
from sqlalchemy import text as sql

from fastflow.kernel.daemons.infra.store import DAEMON
from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.infra.catalogue import CARDS
from fastflow.kernel.failures.infra.rows import LETTER
from fastflow.kernel.flows.infra.rows import FLOW, STEP
from fastflow.kernel.flows.infra.tables import OPEN
from fastflow.kernel.metrics.domain.snapshot import ActiveRuns, SeenRunner, Snapshot
from fastflow.kernel.metrics.domain.totals import Total, TotalKey, count_up
from fastflow.kernel.metrics.infra.rows import END, PLACE, TOTAL, end_of, total_of
from fastflow.kernel.notifications.infra.rows import CHANNEL, NOTIFICATION
from fastflow.kernel.runs.infra.rows import PENDING, READY, RUN, RUNNER, RUNNING
from fastflow.kernel.schedules.infra.rows import OCCURRENCE, SCHEDULE
from fastflow.kernel.sync.infra.rows import REPOSITORY

_DAY: Final = timedelta(days=1)
_CHUNK: Final = 500
_STATES: Final = (
    ("QUEUED", READY),
    ("DELAYED", and_(PENDING, RUN.c.not_before.is_not(None))),
    ("RUNNING", RUNNING),
)
_OLDEST: Final = select(RUN.c.queued_at).where(READY).order_by(RUN.c.id).limit(1)
_OLDEST_ENDS: Final = select(END).order_by(END.c.id)


class SqlMetricsStore:
    """See `ports.MetricsStore`.

    Args:
        database: migrated.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_sqlite = database.is_sqlite

    def look(self, now: datetime, grace: timedelta) -> Snapshot:
        """See `MetricsStore.look`."""
        with self._database.read() as connection:
            if not self.is_sqlite:  # else an end that is folded between two queries would count twice, or not at all
                connection.execution_options(isolation_level="REPEATABLE READ")
            return Snapshot(**_runs(connection, now), **_schedules(connection, now, grace), **_others(connection))

    def fold(self, limit: int) -> int:
        """See `MetricsStore.fold`."""
        with self._database.read() as connection:
            if connection.execute(select(END.c.id).limit(1)).first() is None:
                return 0
        with self._database.write() as connection:
            self._database.lock(connection, "metrics")
            ends = [end_of(row) for row in connection.execute(_OLDEST_ENDS.limit(limit))]
            _add_places(connection, [end.pipeline_name for end in ends])
            for key, total in count_up(ends).items():
                _add_to(connection, key, total)
            for start in range(0, len(ends), _CHUNK):
                ids = [end.id for end in ends[start : start + _CHUNK]]
                connection.execute(delete(END).where(END.c.id.in_(ids)))
            return len(ends)


def _add_places(connection: Connection, names: Sequence[str]) -> None:
    placed = {row.pipeline_name: row.place for row in connection.execute(select(PLACE))}
    first_free = max(placed.values(), default=-1) + 1
    fresh = [name for name in dict.fromkeys(names) if name not in placed]
    if fresh:
        rows = [{"pipeline_name": name, "place": first_free + number} for number, name in enumerate(fresh)]
        connection.execute(insert(PLACE), rows)


def _add_to(connection: Connection, key: TotalKey, more: Total) -> None:
    same = (
        TOTAL.c.pipeline_name == key.pipeline_name,
        TOTAL.c.status == key.status,
        TOTAL.c.reason == key.reason,
    )
    row = connection.execute(select(TOTAL).where(*same)).first()
    if row is None:
        values = {**vars(key), "runs": more.runs, "histograms": more.to_json()}
        connection.execute(insert(TOTAL), values)
        return
    total = total_of(row)[1]
    total.merge(more)
    connection.execute(update(TOTAL).where(*same).values(runs=total.runs, histograms=total.to_json()))


def _runs(connection: Connection, now: datetime) -> dict[str, Any]:
    totals = dict(total_of(row) for row in connection.execute(select(TOTAL)))
    for key, total in count_up(end_of(row) for row in connection.execute(_OLDEST_ENDS)).items():
        totals.setdefault(key, Total()).merge(total)
    active: list[ActiveRuns] = []
    for state, condition in _STATES:
        query = select(RUN.c.pipeline_name, func.count().label("runs")).where(condition).group_by(RUN.c.pipeline_name)
        active += [ActiveRuns(pipeline_name=name, state=state, runs=runs) for name, runs in connection.execute(query)]
    seen = select(RUNNER.c.host, RUNNER.c.hostname, RUNNER.c.seen_at, RUNNER.c.stopped_at)
    return {
        "totals": totals,
        "places": {row.pipeline_name: row.place for row in connection.execute(select(PLACE))},
        "active": active,
        "oldest_queued_at": connection.execute(_OLDEST).scalar(),
        "expired_leases": _count(connection, RUN, RUNNING, RUN.c.lease_expires_at < now),
        "runners": [
            SeenRunner(host=row.host, hostname=row.hostname, seen_at=row.seen_at, is_stopped=row.stopped_at is not None)
            for row in connection.execute(seen.where(RUNNER.c.seen_at > now - _DAY).order_by(RUNNER.c.host))
        ],
    }


def _schedules(connection: Connection, now: datetime, grace: timedelta) -> dict[str, Any]:
    ahead = SCHEDULE.c.next_fire_at.is_not(None)
    return {
        "schedules": _count(connection, SCHEDULE, ahead),
        "late_schedules": _count(connection, SCHEDULE, ahead, SCHEDULE.c.next_fire_at < now - grace),
        "earliest_fire_at": connection.execute(select(func.min(SCHEDULE.c.next_fire_at)).where(ahead)).scalar(),
        "missed_due_times": _count(connection, OCCURRENCE, sql("outcome = 'missed'"), OCCURRENCE.c.due_at > now - _DAY),
    }


def _others(connection: Connection) -> dict[str, Any]:
    waiting = sql("state = 'waiting'")
    size = select(func.count(), func.coalesce(func.sum(CARDS.c.size_bytes), 0))
    environments, environment_bytes = connection.execute(size).one()
    flows = (FLOW.c.kind.in_(("flow", "backfill")), FLOW.c.status == "RUNNING")
    return {
        "dead_letters": _count(connection, LETTER, sql("state = 'open'")),
        "outbox_waiting": _count(connection, NOTIFICATION, waiting),
        "outbox_oldest_at": connection.execute(select(func.min(NOTIFICATION.c.not_before)).where(waiting)).scalar(),
        "failing_channels": _count(connection, CHANNEL, CHANNEL.c.failures > 0),
        "environments": environments,
        "environment_bytes": int(environment_bytes),
        "crash_loops": _count(connection, DAEMON, DAEMON.c.crash_loop_since.is_not(None)),
        "troubled_repositories": _count(connection, REPOSITORY, REPOSITORY.c.problem.is_not(None)),
        "running_flows": _count(connection, FLOW, *flows),
        "waiting_approvals": _count(connection, STEP, sql(OPEN), STEP.c.state == "APPROVAL"),
    }


def _count(connection: Connection, table: Table, *conditions: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())
