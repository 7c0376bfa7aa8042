"""What the runner changes: claims, leases, starts, ends, events. Commands that are ready together share a transaction."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Row,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.types import UtcDateTime
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import TERMINAL, RunStatus, check_move
from fastflow.kernel.runs.infra.at_end import ENDED_COLUMNS, AtEnd, Ends, ended_of
from fastflow.kernel.runs.infra.claim_query import choose_one, choose_runs
from fastflow.kernel.runs.infra.event_writer import record_events, record_state, storable
from fastflow.kernel.runs.infra.lease_watch import LeaseWatch
from fastflow.kernel.runs.infra.rows import ARTIFACT, EVENT, PENDING, READY, RUN, RUN_COLUMNS, RUNNER, RUNNING, run_of
from fastflow.kernel.runs.ports import Due
from fastflow.kit.errors import Unavailable

_LEASE: Final = timedelta(seconds=command.LEASE_SECONDS)
_HELD: Final = and_(RUN.c.id == bindparam("run_id"), RUN.c.lease_token == bindparam("token"), RUNNING)

_TAKE = (
    update(RUN)
    .where(RUN.c.id == bindparam("run_id"), PENDING)
    .values(
        status=RunStatus.RUNNING.value,
        lease_owner=bindparam("owner"),
        lease_token=bindparam("token"),
        attempt_token=bindparam("token"),
        lease_expires_at=bindparam("expires"),
        host=bindparam("at_host"),
        claimed_at=bindparam("now"),
    )
)
_RECORD_SETUP = (
    update(RUN)
    .where(_HELD)
    .values(
        environment=bindparam("new_environment"),
        interpreter=bindparam("new_interpreter"),
        uv_version=bindparam("new_uv_version"),
    )
)
_RECORD_START = (
    update(RUN)
    .where(_HELD)
    .values(
        environment=bindparam("new_environment"),
        interpreter=bindparam("new_interpreter"),
        uv_version=bindparam("new_uv_version"),
        started_at=bindparam("new_started_at"),
        setup_duration=bindparam("new_setup_duration"),
        isolation=bindparam("new_isolation"),
        log_file=func.coalesce(bindparam("new_log_file", type_=Text), RUN.c.log_file),
    )
)
_RECORD_WAITING = update(RUN).where(_HELD, RUN.c.started_at.is_(None)).values(waits_for=bindparam("new_waits_for"))
_NEW_ATTEMPT = update(RUN).where(_HELD).values(attempt_token=bindparam("token"))
_RENEW = (
    update(RUN).where(RUNNING, RUN.c.lease_owner == bindparam("owner")).values(lease_expires_at=bindparam("expires"))
)
_MINE = select(RUN.c.id).where(RUNNING, RUN.c.lease_owner == bindparam("owner"))
_TAKE_OVER = (
    update(RUN)
    .where(RUNNING, RUN.c.host == bindparam("at_host"))
    .values(lease_owner=bindparam("owner"), lease_token=RUN.c.lease_token + 1, lease_expires_at=bindparam("expires"))
)
_TAKEN_OVER = select(*RUN_COLUMNS).where(RUNNING, RUN.c.lease_owner == bindparam("owner")).order_by(RUN.c.id)
_ENDED_AMONG = select(*RUN_COLUMNS).where(
    RUN.c.id.in_(bindparam("run_ids", expanding=True)),
    RUN.c.status.in_([status.value for status in sorted(TERMINAL)]),
)
_TIMED_OUT = (
    select(RUN.c.id)
    .where(PENDING, RUN.c.wait_deadline.is_not(None), RUN.c.wait_deadline <= bindparam("now"))
    .limit(1000)
)
_FAIL_TIMED_OUT = (
    update(RUN)
    .where(RUN.c.id == bindparam("run_id"), PENDING)
    .values(
        status=RunStatus.FAILED.value,
        reason="timeout",
        reason_text="waited in the queue longer than its wait_timeout",
        finished_at=bindparam("now"),
    )
    .returning(*ENDED_COLUMNS)
)
_ELSEWHERE = (
    select(RUN.c.id, RUN.c.host, RUN.c.lease_expires_at, RUNNER.c.hostname, RUNNER.c.stopped_at)
    .join_from(RUN, RUNNER, RUNNER.c.host == RUN.c.host, isouter=True)
    .where(RUNNING, RUN.c.host != bindparam("at_host"))
)
_FAIL_LOST = (
    update(RUN)
    .where(RUN.c.id == bindparam("run_id"), RUNNING, RUN.c.lease_expires_at == bindparam("expired"))
    .values(
        status=RunStatus.FAILED.value,
        reason="lost",
        reason_text=bindparam("text"),
        finished_at=bindparam("now"),
        lease_token=RUN.c.lease_token + 1,
    )
    .returning(*ENDED_COLUMNS)
)
_TIME_HAS_COME = and_(PENDING, RUN.c.not_before.is_not(None), RUN.c.not_before <= bindparam("now", type_=UtcDateTime()))
_RELEASE = update(RUN).where(_TIME_HAS_COME).values(not_before=None)
_ANY_READY = select(exists(select(RUN.c.id).where(READY)))
_ANY_TO_CLAIM = select(or_(exists(select(RUN.c.id).where(READY)), exists(select(RUN.c.id).where(_TIME_HAS_COME))))
_ONE_PENDING = select(exists(select(RUN.c.id).where(PENDING, RUN.c.id == bindparam("run_id"))))
_CANCELLED = select(*RUN_COLUMNS).where(
    RUNNING, RUN.c.lease_owner == bindparam("owner"), RUN.c.cancel_requested_at.is_not(None)
)
_LAST_OFFSET = select(func.max(EVENT.c.source_offset)).where(EVENT.c.run_id == bindparam("run_id"))
_BEAT = (
    update(RUNNER)
    .where(RUNNER.c.host == bindparam("at_host"))
    .values(
        owner=bindparam("new_owner"),
        hostname=bindparam("new_hostname"),
        pid=bindparam("new_pid"),
        started_at=bindparam("new_started_at"),
        seen_at=bindparam("now"),
        stopped_at=bindparam("new_stopped_at"),
        url=bindparam("new_url"),
        held_back=bindparam("new_held_back"),
    )
)


class SqlLeaseStore:
    """See `ports.LeaseStore`.

    Args:
        database: migrated.
        lost_after: seconds of silence after which the runs of another host's runner are given up.
        watch_seconds: how long a lease must have been seen unchanged for that, whatever the clocks say.
        at_end: features that act when a run ends.
    """

    def __init__(
        self,
        database: Database,
        *,
        lost_after: float = command.LOST_AFTER_SECONDS,
        watch_seconds: float = 0.0,
        at_end: Sequence[AtEnd] = (),
    ) -> None:
        self._database = database
        self._ends = Ends(at_end)
        self._watch = LeaseWatch(lost_after=lost_after, watch_seconds=watch_seconds)
        self._handlers: dict[type[Any], Callable[[Connection, Any, datetime], Any]] = {
            command.Claim: self._claim,
            command.RecordSetup: _record_setup,
            command.RecordWaiting: _record_waiting,
            command.RecordStart: _record_start,
            command.NewAttempt: _new_attempt,
            command.Finish: self._finish,
            command.RecordEvents: _record_told,
            command.TakeOver: _take_over,
            command.Heartbeat: _beat,
            command.Renew: _renew,
            command.Sweep: self._sweep,
        }

    def apply(self, commands: Sequence[command.Command], now: datetime) -> Sequence[Any]:
        """See `LeaseStore.apply`."""
        try:
            return self._apply_together(commands, now)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  it is handed to whoever gave the command
            if len(commands) == 1:
                return [error]
            # One of them is at fault: each in a transaction of its own, so that the others are kept.
            return [result for one in commands for result in self.apply([one], now)]

    def _apply_together(self, commands: Sequence[command.Command], now: datetime) -> list[Any]:
        with self._database.write() as connection:
            return [self._handlers[type(one)](connection, one, now) for one in commands]

    def is_work_due(self, owner: str, now: datetime) -> Due:
        """See `LeaseStore.is_work_due`."""
        with self._database.read() as connection:
            return Due(
                pending=bool(connection.execute(_ANY_TO_CLAIM, {"now": now}).scalar_one()),
                overdue=connection.execute(_TIMED_OUT, {"now": now}).first() is not None,
                cancelled=[run_of(row) for row in connection.execute(_CANCELLED, {"owner": owner})],
            )

    def last_event_offset(self, run_id: str) -> int:
        """See `LeaseStore.last_event_offset`."""
        with self._database.read() as connection:
            offset = connection.execute(_LAST_OFFSET, {"run_id": run_id}).scalar_one()
            return -1 if offset is None else int(offset)

    def load_held(self, owner: str) -> Sequence[Run]:
        """See `LeaseStore.load_held`."""
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(_TAKEN_OVER, {"owner": owner})]

    def load_ended(self, run_ids: Collection[str]) -> Sequence[Run]:
        """See `LeaseStore.load_ended`."""
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(_ENDED_AMONG, {"run_ids": list(run_ids)})]

    def _claim(self, connection: Connection, wanted: command.Claim, now: datetime) -> command.Claimed:
        self._database.lock(connection, "claim")
        connection.execute(_RELEASE, {"now": now})
        if wanted.only is None:
            chosen = choose_runs(connection, limit=wanted.limit, max_concurrent=wanted.max_concurrent)
        else:
            chosen = choose_one(connection, wanted.only, max_concurrent=wanted.max_concurrent)
        claimed = _take(connection, chosen, wanted, now)
        still = _ANY_READY if wanted.only is None else _ONE_PENDING
        more = bool(connection.execute(still, {"run_id": wanted.only}).scalar_one())
        return command.Claimed(runs=claimed, more=more)

    def _finish(self, connection: Connection, done: command.Finish, now: datetime) -> command.Finished:
        row = _write_end(connection, done)
        if row is None:
            return command.Finished(applied=False)
        ended = ended_of(row)
        record_state(connection, ended.id, now, ended.status, reason=ended.reason, exit_code=ended.exit_code)
        _insert_artifacts(connection, done, now)
        return command.Finished(applied=True, queued=self._ends.tell(connection, ended, now, guarded=done.guarded))

    def _sweep(self, connection: Connection, wanted: command.Sweep, now: datetime) -> command.Swept:
        late = connection.execute(_TIMED_OUT, {"now": now}).scalars().all()
        rows = [connection.execute(_FAIL_TIMED_OUT, {"run_id": run_id, "now": now}).first() for run_id in late]
        for one in self._watch.find_lost(connection.execute(_ELSEWHERE, {"at_host": wanted.host}).all(), now):
            text = f"its server {one.hostname or one.host} went away and did not come back"
            values = {"run_id": one.id, "expired": one.lease_expires_at, "text": text, "now": now}
            rows.append(connection.execute(_FAIL_LOST, values).first())
        queued = False
        ended = [ended_of(row) for row in rows if row is not None]
        for run in ended:
            record_state(connection, run.id, now, run.status, reason=run.reason)
            queued = self._ends.tell(connection, run, now) or queued
        return command.Swept(ended=[run.id for run in ended], queued=queued)


def _take(connection: Connection, runs: Sequence[Run], wanted: command.Claim, now: datetime) -> list[Run]:
    """Move the runs to RUNNING; without those that were cancelled meanwhile."""
    taken: list[Run] = []
    for run in runs:
        check_move(run.status, RunStatus.RUNNING)
        token, expires = run.lease_token + 1, now + _LEASE
        values = {"run_id": run.id, "owner": wanted.owner, "token": token, "expires": expires, "now": now}
        if connection.execute(_TAKE, {**values, "at_host": wanted.host}).rowcount:
            record_state(connection, run.id, now, RunStatus.RUNNING)
            taken.append(
                replace(
                    run,
                    status=RunStatus.RUNNING,
                    lease_owner=wanted.owner,
                    lease_token=token,
                    attempt_token=token,
                    lease_expires_at=expires,
                    host=wanted.host,
                    claimed_at=now,
                )
            )
    return taken


def _record_setup(connection: Connection, done: command.RecordSetup, _now: datetime) -> bool:
    values = {
        "new_environment": done.environment,
        "new_interpreter": done.interpreter,
        "new_uv_version": done.uv_version,
    }
    return connection.execute(_RECORD_SETUP, {**_held(done.lease), **values}).rowcount > 0


def _record_start(connection: Connection, started: command.RecordStart, _now: datetime) -> bool:
    values = {
        "new_started_at": started.started_at,
        "new_isolation": storable(started.isolation),
        "new_log_file": started.log_file,
        "new_setup_duration": started.setup_duration,
        "new_environment": started.setup.environment,
        "new_interpreter": started.setup.interpreter,
        "new_uv_version": started.setup.uv_version,
    }
    return connection.execute(_RECORD_START, {**_held(started.setup.lease), **values}).rowcount > 0


def _record_waiting(connection: Connection, told: command.RecordWaiting, _now: datetime) -> bool:
    values = {"new_waits_for": storable(told.text)}
    return connection.execute(_RECORD_WAITING, {**_held(told.lease), **values}).rowcount > 0


def _new_attempt(connection: Connection, wanted: command.NewAttempt, _now: datetime) -> bool:
    return connection.execute(_NEW_ATTEMPT, _held(wanted.lease)).rowcount > 0


def _write_end(connection: Connection, done: command.Finish) -> Row[Any] | None:
    ending = done.ending
    check_move(RunStatus.RUNNING, ending.status)
    values: dict[str, Any] = {
        "status": ending.status.value,
        "reason": ending.reason,
        "reason_text": storable(ending.reason_text),
        "exit_code": ending.exit_code,
        "finished_at": ending.finished_at,
    }
    known = ("started_at", "setup_duration", "peak_memory_bytes", "cpu_seconds", "isolation")
    values.update({name: value for name in known if (value := storable(getattr(ending, name))) is not None})
    statement = update(RUN).where(_HELD).values(**values).returning(*ENDED_COLUMNS)
    return connection.execute(statement, _held(done.lease)).first()


def _insert_artifacts(connection: Connection, done: command.Finish, now: datetime) -> None:
    if done.artifacts:
        rows = [
            {
                "run_id": done.lease.run_id,
                "path": artifact.path,
                "size_bytes": artifact.size_bytes,
                "sha256": artifact.sha256,
                "created_at": now,
            }
            for artifact in done.artifacts
        ]
        connection.execute(insert(ARTIFACT), rows)


def _record_told(connection: Connection, told: command.RecordEvents, _now: datetime) -> bool:
    query = select(RUN.c.metrics, RUN.c.outputs).where(_HELD).with_for_update()
    row = connection.execute(query, _held(told.lease)).first()
    if row is None:
        return False
    record_events(connection, told, metrics=row.metrics or {}, outputs=row.outputs or {})
    return True


def _take_over(connection: Connection, wanted: command.TakeOver, now: datetime) -> list[Run]:
    connection.execute(_TAKE_OVER, {"at_host": wanted.host, "owner": wanted.owner, "expires": now + _LEASE})
    return [run_of(row) for row in connection.execute(_TAKEN_OVER, {"owner": wanted.owner})]


def _beat(connection: Connection, beat: command.Heartbeat, now: datetime) -> list[str]:
    values = {
        "new_owner": beat.owner,
        "new_hostname": beat.hostname[:255],
        "new_pid": beat.pid,
        "new_started_at": beat.started_at,
        "now": now,
        "new_stopped_at": now if beat.stopped else None,
        "new_url": beat.url,
        "new_held_back": beat.held_back,
    }
    if not connection.execute(_BEAT, {"at_host": beat.host, **values}).rowcount:
        row = {name.removeprefix("new_"): value for name, value in values.items() if name != "now"}
        connection.execute(insert(RUNNER), {"host": beat.host, "seen_at": now, **row})
    return _renew(connection, command.Renew(owner=beat.owner), now)


def _renew(connection: Connection, wanted: command.Renew, now: datetime) -> list[str]:
    connection.execute(_RENEW, {"owner": wanted.owner, "expires": now + _LEASE})
    return list(connection.execute(_MINE, {"owner": wanted.owner}).scalars())


def _held(lease: command.Lease) -> dict[str, Any]:
    return {"run_id": lease.run_id, "token": lease.token}
