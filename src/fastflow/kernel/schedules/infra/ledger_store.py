"""The due-table and the ledger, as schedulers use them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, or_, select, tuple_, update
from sqlalchemy import text as sql

from fastflow.kernel.db.engine import Database
from fastflow.kernel.schedules.domain.schedule import Occurrence, Outcome, Schedule
from fastflow.kernel.schedules.infra.recording import LEASE, Recorder, load_pauses
from fastflow.kernel.schedules.infra.rows import (
    OCCURRENCE,
    OCCURRENCE_COLUMNS,
    SCHEDULE,
    SCHEDULE_COLUMNS,
    occurrence_of,
    schedule_of,
)
from fastflow.kernel.schedules.ports import Advanced, Claimed, Decide, LedgerFilter, Settled

_STARTING = sql("occurrence.outcome = 'starting'")
"""In these words, so that the partial index is used."""
_DUE = (
    select(*SCHEDULE_COLUMNS)
    .where(SCHEDULE.c.next_fire_at <= bindparam("now"))
    .order_by(SCHEDULE.c.next_fire_at)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
)
_NEXT_FIRE = select(func.min(SCHEDULE.c.next_fire_at)).where(SCHEDULE.c.next_fire_at.is_not(None))
_FIRST_FREE = select(func.min(func.coalesce(OCCURRENCE.c.lease_expires_at, OCCURRENCE.c.due_at))).where(_STARTING)
_LEASE_IS_OVER = or_(
    OCCURRENCE.c.lease_expires_at.is_(None),
    OCCURRENCE.c.lease_expires_at <= bindparam("now"),
    OCCURRENCE.c.lease_expires_at > bindparam("too_far"),  # written by a clock that was ahead
    # left by this process, or an earlier one of this data directory, which has one scheduler at a time
    OCCURRENCE.c.lease_owner.startswith(bindparam("host")),
)
_LEFT = (
    select(*OCCURRENCE_COLUMNS)
    .where(_STARTING, _LEASE_IS_OVER)
    .order_by(OCCURRENCE.c.due_at)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
)
_THIS_ONE = and_(
    OCCURRENCE.c.schedule_id == bindparam("of_schedule"), OCCURRENCE.c.due_at == bindparam("of_due"), _STARTING
)
_TAKE = update(OCCURRENCE).where(_THIS_ONE).values(lease_owner=bindparam("owner"), lease_expires_at=bindparam("until"))
_SETTLE = (
    update(OCCURRENCE)
    .where(_THIS_ONE)
    .values(
        outcome=bindparam("new_outcome"),
        why=bindparam("new_why"),
        run_id=bindparam("new_run_id"),
        lease_owner=None,
        lease_expires_at=None,
    )
)
_PUT_OFF = (
    update(OCCURRENCE)
    .where(_THIS_ONE)
    .values(why=bindparam("new_why"), lease_owner=None, lease_expires_at=bindparam("until"))
)
_FORGET = delete(OCCURRENCE).where(
    OCCURRENCE.c.schedule_id == bindparam("of_schedule"),
    OCCURRENCE.c.due_at < bindparam("before"),
    OCCURRENCE.c.outcome != Outcome.STARTING.value,
)
_MOST_ROWS = 2000
"""In one transaction: others wait for SQLite's one write lock."""
_CHUNK = 500


class SqlLedger:
    """See `ports.Ledger`.

    Args:
        database: migrated.
        host: id of the data directory.
        process: id of this scheduler.
    """

    def __init__(self, database: Database, *, host: str, process: str) -> None:
        self._database = database
        self._host = f"{host}/"
        self._owner = f"{host}/{process}"

    def advance(self, now: datetime, decide: Decide, *, limit: int) -> Advanced:
        """See `Ledger.advance`."""
        with self._database.write() as connection:
            due = [schedule_of(row) for row in connection.execute(_DUE, {"now": now, "count": limit})]
            if not due:
                return Advanced(claimed=(), decided=0, has_more=False)
            pauses = load_pauses(connection, min(one.next_due_at for one in due if one.next_due_at is not None))
            recorder = Recorder(connection, lease_owner=self._owner, now=now)
            claimed: list[Claimed] = []
            decided, has_more = 0, len(due) == limit
            for schedule in due:
                if decided >= _MOST_ROWS:
                    has_more = True
                    break
                new, more = recorder.record(schedule, pauses, decide)
                decided, has_more = decided + len(new), has_more or more
                claimed += [Claimed(schedule=schedule, occurrence=one) for one in _to_start(new)]
            recorder.write()
        claimed.sort(key=lambda one: one.occurrence.fire_at)
        return Advanced(claimed=claimed, decided=decided, has_more=has_more)

    def claim_left(self, now: datetime, *, limit: int) -> Sequence[Claimed]:
        """See `Ledger.claim_left`. Looks without the write lock first: there is nearly never anything."""
        values = {
            "now": now,
            "too_far": now + 2 * LEASE,
            "host": self._host,
            "count": limit,
        }
        with self._database.read() as connection:
            if (
                connection.execute(
                    select(OCCURRENCE.c.due_at).where(_STARTING, _LEASE_IS_OVER).limit(1), values
                ).first()
                is None
            ):
                return ()
        with self._database.write() as connection:
            left = [occurrence_of(row) for row in connection.execute(_LEFT, values)]
            if not left:
                return ()
            lease = {"owner": self._owner, "until": now + LEASE}
            connection.execute(_TAKE, [{**_key(one), **lease} for one in left])
            ids = sorted({one.schedule_id for one in left})
            rows = connection.execute(select(*SCHEDULE_COLUMNS).where(SCHEDULE.c.id.in_(ids)))
            schedules = {schedule.id: schedule for schedule in map(schedule_of, rows)}
        return [Claimed(schedule=schedules[one.schedule_id], occurrence=one) for one in left]

    def settle(self, settled: Sequence[Settled]) -> None:
        """See `Ledger.settle`."""
        done = [
            {
                **_key(one.occurrence),
                "new_outcome": one.occurrence.outcome.value,
                "new_why": one.occurrence.why,
                "new_run_id": one.occurrence.run_id,
            }
            for one in settled
            if one.retry_at is None
        ]
        put_off = [
            {**_key(one.occurrence), "new_why": one.occurrence.why, "until": one.retry_at}
            for one in settled
            if one.retry_at is not None
        ]
        with self._database.write() as connection:
            if done:
                connection.execute(_SETTLE, done)
            if put_off:
                connection.execute(_PUT_OFF, put_off)

    def next_fire(self) -> datetime | None:
        """See `Ledger.next_fire`."""
        with self._database.read() as connection:
            found = (connection.execute(_NEXT_FIRE).scalar(), connection.execute(_FIRST_FREE).scalar())
        return min((instant for instant in found if instant is not None), default=None)

    def load_page(
        self, schedule_id: str, wanted: LedgerFilter, *, before: datetime | None, limit: int
    ) -> Sequence[Occurrence]:
        """See `Ledger.load_page`."""
        query = select(*OCCURRENCE_COLUMNS).where(OCCURRENCE.c.schedule_id == schedule_id)
        if wanted.outcome is not None:
            query = query.where(OCCURRENCE.c.outcome == wanted.outcome.value)
        if wanted.since is not None:
            query = query.where(OCCURRENCE.c.due_at >= wanted.since)
        for until in (wanted.until, before):
            if until is not None:
                query = query.where(OCCURRENCE.c.due_at < until)
        with self._database.read() as connection:
            return [
                occurrence_of(row)
                for row in connection.execute(query.order_by(OCCURRENCE.c.due_at.desc()).limit(limit))
            ]

    def load_last(self, schedules: Sequence[Schedule]) -> Mapping[str, Occurrence]:
        """See `Ledger.load_last`."""
        keys = [(one.id, one.last_due_at) for one in schedules if one.last_due_at is not None]
        found: dict[str, Occurrence] = {}
        with self._database.read() as connection:
            for start in range(0, len(keys), _CHUNK):
                wanted = tuple_(OCCURRENCE.c.schedule_id, OCCURRENCE.c.due_at).in_(keys[start : start + _CHUNK])
                for row in connection.execute(select(*OCCURRENCE_COLUMNS).where(wanted)):
                    found[row.schedule_id] = occurrence_of(row)
        return found

    def forget(self, before: datetime, *, after_id: str, limit: int) -> str | None:
        """See `Ledger.forget`."""
        ids = select(SCHEDULE.c.id).where(SCHEDULE.c.id > after_id).order_by(SCHEDULE.c.id).limit(limit)
        with self._database.write() as connection:
            found = connection.execute(ids).scalars().all()
            if found:
                connection.execute(_FORGET, [{"of_schedule": each, "before": before} for each in found])
        return found[-1] if len(found) == limit else None


def _to_start(occurrences: Iterable[Occurrence]) -> list[Occurrence]:
    return [one for one in occurrences if one.outcome is Outcome.STARTING]


def _key(one: Occurrence) -> dict[str, Any]:
    return {"of_schedule": one.schedule_id, "of_due": one.due_at}
