"""Looks at schedules, runs and servers for the rules that watch them, and writes what was found."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, bindparam, delete, func, select, update

from fastflow.kernel.db.engine import Database
from fastflow.kernel.notifications.domain.outbox import MAX_REPEATS
from fastflow.kernel.notifications.domain.rule import Finding, Rule
from fastflow.kernel.notifications.infra.deciding import outbox_rows, raise_alert
from fastflow.kernel.notifications.infra.rows import ALERT, NOTIFICATION, RULE, rule_of
from fastflow.kernel.notifications.ports import DueTime, GoingOn, SilentServer, Standing
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.rows import PENDING, RUN, RUNNER, RUNNING
from fastflow.kernel.schedules.infra.rows import OCCURRENCE, SCHEDULE

_UNHANDLED: Final = select(
    SCHEDULE.c.id, SCHEDULE.c.pipeline_name, SCHEDULE.c.name, SCHEDULE.c.next_due_at, SCHEDULE.c.next_fire_at
).where(SCHEDULE.c.next_fire_at <= bindparam("until"))
_IN_LEDGER: Final = (
    select(
        SCHEDULE.c.id, SCHEDULE.c.pipeline_name, SCHEDULE.c.name, OCCURRENCE.c.due_at, OCCURRENCE.c.fire_at,
        OCCURRENCE.c.outcome, OCCURRENCE.c.why, OCCURRENCE.c.run_id, RUN.c.started_at, RUN.c.finished_at,
    )
    .join_from(SCHEDULE, OCCURRENCE, OCCURRENCE.c.schedule_id == SCHEDULE.c.id)
    .join(RUN, RUN.c.id == OCCURRENCE.c.run_id, isouter=True)
    .where(OCCURRENCE.c.due_at > bindparam("earliest"), OCCURRENCE.c.due_at <= bindparam("until"))
    .where(OCCURRENCE.c.fire_at > bindparam("since"), OCCURRENCE.c.fire_at <= bindparam("until"))
    .where(OCCURRENCE.c.outcome.in_(("starting", "started", "missed")))
    .limit(5000)
)  # fmt: skip
_LONGEST_JITTER: Final = select(func.max(SCHEDULE.c.jitter))
_SUCCESSES: Final = (
    select(RUN.c.started_at, RUN.c.finished_at)
    .where(RUN.c.pipeline_name == bindparam("pipeline_name"), RUN.c.status == RunStatus.SUCCESS.value)
    .order_by(RUN.c.id.desc())
    .limit(bindparam("count"))
)
_SILENT: Final = select(RUNNER.c.host, RUNNER.c.hostname, RUNNER.c.seen_at).where(
    RUNNER.c.host != bindparam("at_host"), RUNNER.c.stopped_at.is_(None), RUNNER.c.seen_at < bindparam("before")
)
_ANY_TO_REPEAT: Final = select(ALERT.c.id).where(ALERT.c.next_repeat_at <= bindparam("now")).limit(1)
_TO_REPEAT: Final = (
    select(ALERT.c.id, ALERT.c.rule_id, ALERT.c.severity, ALERT.c.event, ALERT.c.repeats)
    .where(ALERT.c.next_repeat_at <= bindparam("now"))
    .limit(200)
    .with_for_update(skip_locked=True)
)
_MAX_FORGOTTEN: Final = 1000


class SqlSights:
    """See `ports.Sights`.

    Args:
        database: migrated.
        host: id of this server's data directory.
    """

    def __init__(self, database: Database, *, host: str) -> None:
        self._database = database
        self._host = host

    def load_rules(self) -> Sequence[Rule]:
        """See `Sights.load_rules`."""
        with self._database.read() as connection:
            rows = connection.execute(select(RULE).where(RULE.c.is_enabled.is_(True)).order_by(RULE.c.id)).mappings()
            rules = [rule_of(row) for row in rows]
        return [rule for rule in rules if {"late", "slow", "deadline", "system"} & set(rule.events)]

    def load_due_times(self, rule: Rule, until: datetime) -> Sequence[DueTime]:
        """See `Sights.load_due_times`."""
        with self._database.read() as connection:
            jitter = connection.execute(_of_pipeline(_LONGEST_JITTER, rule)).scalar() or 0.0
            earliest = rule.watched_until - timedelta(seconds=jitter)
            values = {"earliest": earliest, "since": rule.watched_until, "until": until}
            known = connection.execute(_of_pipeline(_IN_LEDGER, rule), values).all()
            left = connection.execute(_of_pipeline(_UNHANDLED, rule), values).all()
        found = [
            DueTime(
                schedule_id=row[0],
                pipeline_name=row[1],
                name=row[2],
                due_at=row[3],
                fire_at=row[4],
                outcome=row[5],
                why=row[6],
                run_id=row[7],
                started_at=row[8],
                has_ended=row[9] is not None,
            )
            for row in known
        ]
        nobody = "no scheduler has handled it"
        return found + [
            DueTime(
                schedule_id=row[0],
                pipeline_name=row[1],
                name=row[2],
                due_at=row[3],
                fire_at=row[4],
                outcome=None,
                why=nobody,
            )
            for row in left
        ]

    def load_going_on(self, pipeline_name: str | None) -> Sequence[GoingOn]:
        """See `Sights.load_going_on`."""
        query = select(RUN.c.id, RUN.c.pipeline_name, RUN.c.started_at).where(RUNNING, RUN.c.started_at.is_not(None))
        if pipeline_name is not None:
            query = query.where(RUN.c.pipeline_name == pipeline_name)
        with self._database.read() as connection:
            return [
                GoingOn(run_id=row[0], pipeline_name=row[1], started_at=row[2]) for row in connection.execute(query)
            ]

    def load_durations(self, pipeline_name: str, count: int) -> Sequence[float]:
        """See `Sights.load_durations`."""
        with self._database.read() as connection:
            rows = connection.execute(_SUCCESSES, {"pipeline_name": pipeline_name, "count": count}).all()
        return [
            max(0.0, (row[1] - row[0]).total_seconds()) for row in rows if row[0] is not None and row[1] is not None
        ]

    def look_at(self, pipeline_name: str, since: datetime, until: datetime) -> Standing:
        """See `Sights.look_at`. Looks at the latest runs that ended before the deadline."""
        of_pipeline = RUN.c.pipeline_name == pipeline_name
        good = RUN.c.status == RunStatus.SUCCESS.value
        before = (of_pipeline, RUN.c.finished_at <= until)
        ended = select(RUN.c.id, RUN.c.status, RUN.c.reason, RUN.c.reason_text)
        ended = ended.where(*before, RUN.c.finished_at > since).order_by(RUN.c.finished_at.desc()).limit(1)
        going = select(RUN.c.id).where(of_pipeline, RUNNING).limit(1)
        waiting = select(RUN.c.id).where(of_pipeline, PENDING).limit(1)
        with self._database.read() as connection:
            last_success = connection.execute(select(func.max(RUN.c.finished_at)).where(*before, good)).scalar()
            last = connection.execute(ended).first()
            running = connection.execute(going).scalar()
            pending = connection.execute(waiting).scalar()
        told = None if last is None else f"the last run ended {last.status}: {last.reason_text or last.reason or ''}"
        if told is None and pending is not None:
            told = f"a run waits in the queue ({pending})"
        return Standing(
            succeeded=last_success is not None and last_success > since,
            last_success=last_success,
            running=running,
            last_end=None if told is None else told.strip(": "),
        )

    def load_silent_servers(self, before: datetime) -> Sequence[SilentServer]:
        """See `Sights.load_silent_servers`."""
        with self._database.read() as connection:
            rows = connection.execute(_SILENT, {"at_host": self._host, "before": before})
            return [SilentServer(host=row[0], hostname=row[1], seen_at=row[2]) for row in rows]

    def record(self, rule: Rule, findings: Sequence[Finding], now: datetime, marks: Mapping[str, Any]) -> int:
        """See `Sights.record`. A rule that was changed meanwhile keeps the marks it was given."""
        if not findings and not marks:
            return 0
        with self._database.write() as connection:
            if marks:
                same = (RULE.c.id == rule.id, RULE.c.updated_at == rule.updated_at)
                connection.execute(update(RULE).where(*same).values(**marks))
            return sum(raise_alert(connection, rule, finding, now) for finding in findings)

    def repeat(self, now: datetime) -> int:
        """See `Sights.repeat`."""
        with self._database.read() as connection:
            if connection.execute(_ANY_TO_REPEAT, {"now": now}).first() is None:
                return 0
        with self._database.write() as connection:
            found = connection.execute(_TO_REPEAT, {"now": now}).all()
            rules = {row["id"]: rule_of(row) for row in connection.execute(select(RULE)).mappings()}
            for row in found:
                rule = rules.get(row.rule_id)
                every = None if rule is None or not rule.is_enabled else rule.repeat_every
                is_over = every is None or row.repeats >= MAX_REPEATS
                following = None if every is None or is_over else now + timedelta(seconds=every)
                values = {"next_repeat_at": following, "repeats": row.repeats + (0 if is_over else 1)}
                connection.execute(update(ALERT).where(ALERT.c.id == row.id).values(**values))
                if rule is not None and not is_over:
                    group = f"repeat:{row.id}"
                    rows = outbox_rows(row.id, rule.channels, row.severity, group, now, repeat=row.repeats + 1)
                    connection.execute(NOTIFICATION.insert(), rows)
        return len(found)

    def forget(self, before: datetime) -> int:
        """See `Sights.forget`."""
        old = select(ALERT.c.id).where(ALERT.c.at < before).limit(_MAX_FORGOTTEN)
        with self._database.write() as connection:
            ids = list(connection.execute(old).scalars())
            if ids:
                connection.execute(delete(NOTIFICATION).where(NOTIFICATION.c.alert_id.in_(ids)))
                connection.execute(delete(ALERT).where(ALERT.c.id.in_(ids)))
        return len(ids)


def _of_pipeline(query: Select[Any], rule: Rule) -> Select[Any]:
    return query if rule.pipeline_name is None else query.where(SCHEDULE.c.pipeline_name == rule.pipeline_name)
