"""The outbox, as the workers that deliver use it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, case, func, not_, or_, select, tuple_, update
from sqlalchemy import text as sql

from fastflow.kernel.db.engine import Database
from fastflow.kernel.notifications.domain.channel import Channel
from fastflow.kernel.notifications.domain.dispatching import Ahead, Batch, Plan, plan_dispatch
from fastflow.kernel.notifications.domain.message import Message
from fastflow.kernel.notifications.domain.outbox import Alert, Notification, State, ended_by, retry_delay
from fastflow.kernel.notifications.infra.rows import ALERT, CHANNEL, NOTIFICATION, alert_of, channel_of, notification_of
from fastflow.kernel.notifications.ports import Delivery
from fastflow.kit.ids import new_id

LEASE: Final = timedelta(seconds=150)
"""Longer than an attempt may take; after a crash somebody sends again."""
WAITING: Final = sql("notification.state = 'waiting'")
"""In these words, so that the partial index is used."""
_MAX_WHY: Final = 1000
_FREE: Final = and_(
    WAITING,
    NOTIFICATION.c.not_before <= bindparam("now"),
    or_(
        NOTIFICATION.c.lease_expires_at.is_(None),
        NOTIFICATION.c.lease_expires_at <= bindparam("now"),
        NOTIFICATION.c.lease_expires_at > bindparam("too_far"),  # written by a clock that was ahead
    ),
)
_ANY_DUE: Final = select(NOTIFICATION.c.id).where(_FREE).limit(1)
_DUE: Final = (
    select(NOTIFICATION)
    .where(_FREE)
    .order_by(NOTIFICATION.c.not_before, NOTIFICATION.c.id)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
)
_NEXT: Final = select(
    func.min(
        case(
            (NOTIFICATION.c.lease_expires_at.is_(None), NOTIFICATION.c.not_before),
            else_=NOTIFICATION.c.lease_expires_at,
        )
    )
).where(WAITING)
_IN_FLIGHT: Final = select(NOTIFICATION.c.channel, NOTIFICATION.c.group_key).where(
    WAITING, NOTIFICATION.c.lease_expires_at > bindparam("now"), NOTIFICATION.c.lease_expires_at <= bindparam("too_far")
)
_ENDED: Final = and_(
    WAITING,
    NOTIFICATION.c.channel == bindparam("of_channel"),
    NOTIFICATION.c.created_at <= bindparam("made"),
    or_(
        func.substr(NOTIFICATION.c.group_key, 1, bindparam("length")) == bindparam("beginning"),
        NOTIFICATION.c.group_key == bindparam("other"),
    ),
)
_ON_ITS_WAY: Final = and_(
    NOTIFICATION.c.lease_expires_at > bindparam("now"), NOTIFICATION.c.lease_expires_at <= bindparam("too_far")
)
_AHEAD: Final = (
    select(NOTIFICATION)
    .where(_ENDED, or_(NOTIFICATION.c.lease_expires_at.is_(None), not_(_ON_ITS_WAY)))
    .order_by(NOTIFICATION.c.id)
    .with_for_update(skip_locked=True)
)
_AHEAD_IN_FLIGHT: Final = select(NOTIFICATION.c.id).where(_ENDED, _ON_ITS_WAY).limit(1)


class SqlOutbox:
    """See `ports.Outbox`.

    Args:
        database: migrated.
        owner: id of this worker.
    """

    def __init__(self, database: Database, *, owner: str) -> None:
        self._database = database
        self._owner = owner

    def claim(self, now: datetime, *, limit: int) -> Sequence[Batch]:
        """See `Outbox.claim`. Looks without the write lock first: there is nearly never anything."""
        values = {"now": now, "too_far": now + 2 * LEASE, "count": limit}
        with self._database.read() as connection:
            if connection.execute(_ANY_DUE, values).first() is None:
                return ()
        with self._database.write() as connection:
            due = [notification_of(row) for row in connection.execute(_DUE, values).mappings()]
            channels = _load_channels(connection, {one.channel for one in due})
            last = _load_last(connection, due, values)
            plan = plan_dispatch(due, channels, last, now, _load_ahead(connection, due, values))
            self._write(connection, plan, now)
        return plan.batches

    def _write(self, connection: Connection, plan: Plan, now: datetime) -> None:
        for put_off in plan.postponed:
            values = {
                "not_before": put_off.until,
                "why": put_off.why,
                "held": put_off.notification.held or put_off.held,
            }
            _change(connection, [put_off.notification], values)
        for one, why in plan.refused:
            _change(connection, [one], {"state": State.FAILED.value, "why": why})
        for one, why in plan.switched_off:
            _change(connection, [one], {"state": State.DROPPED.value, "why": why})
        for batch in plan.batches:
            lease = {"lease_owner": self._owner, "lease_expires_at": now + LEASE, "why": "is being sent"}
            _change(connection, batch.notifications, lease)

    def settle(self, batch: Batch, message: Message, delivery: Delivery, now: datetime) -> None:
        """See `Outbox.settle`."""
        attempts = max(one.attempts for one in batch.notifications) + 1
        values: dict[str, Any] = {
            "attempts": attempts,
            "title": message.title[:300],
            "delivered": sorted(
                {*delivery.delivered, *(each for one in batch.notifications for each in one.delivered)}
            ),
            "lease_owner": None,
            "lease_expires_at": None,
        }
        delay = retry_delay(attempts)
        if delivery.problem is None:
            values |= {"state": State.SENT.value, "why": "sent", "sent_at": now, "message_id": new_id()}
            told: dict[str, Any] = {"failures": 0, "last_error": None, "last_sent_at": now}
        else:
            told = {"last_error": delivery.problem[:_MAX_WHY], "last_failed_at": now}
            if delay is None:
                why = f"given up after {attempts} attempts: {delivery.problem}"
                values |= {"state": State.FAILED.value, "why": why[:_MAX_WHY]}
                told["failures"] = CHANNEL.c.failures + 1
            else:
                why = f"attempt {attempts} failed: {delivery.problem}"
                values |= {"not_before": now + delay, "why": why[:_MAX_WHY]}
        with self._database.write() as connection:
            mine = [NOTIFICATION.c.lease_owner == self._owner]
            if _change(connection, batch.notifications, values, *mine):
                connection.execute(update(CHANNEL).where(CHANNEL.c.name == batch.channel.name).values(**told))

    def load_alerts(self, batch: Batch) -> Sequence[Alert]:
        """See `Outbox.load_alerts`."""
        ids = sorted({one.alert_id for one in batch.notifications})
        with self._database.read() as connection:
            rows = connection.execute(
                select(ALERT).where(ALERT.c.id.in_(ids)).order_by(ALERT.c.at, ALERT.c.id)
            ).mappings()
            return [alert_of(row) for row in rows]

    def next_due(self) -> datetime | None:
        """See `Outbox.next_due`."""
        with self._database.read() as connection:
            found: datetime | None = connection.execute(_NEXT).scalar()
            return found


def _change(
    connection: Connection, notifications: Sequence[Notification], values: Mapping[str, Any], *conditions: Any
) -> int:
    ids = [one.id for one in notifications]
    these = update(NOTIFICATION).where(NOTIFICATION.c.id.in_(ids), WAITING, *conditions)
    return connection.execute(these.values(**values)).rowcount


def _load_channels(connection: Connection, names: set[str]) -> Mapping[str, Channel]:
    rows = connection.execute(select(CHANNEL).where(CHANNEL.c.name.in_(sorted(names)))).mappings()
    return {row["name"]: channel_of(row) for row in rows}


def _load_ahead(connection: Connection, due: Sequence[Notification], values: Mapping[str, Any]) -> Mapping[str, Ahead]:
    """By recovery: what it ends, was not sent yet, and came before it."""
    found: dict[str, Ahead] = {}
    for one in due:
        if (ended := ended_by(one.group)) is None:
            continue
        beginning, other = ended
        values = {**values, "of_channel": one.channel, "beginning": beginning, "other": other, "made": one.created_at}
        rows = connection.execute(_AHEAD, {**values, "length": len(beginning)}).mappings().all()
        found[one.id] = Ahead(
            waiting=[notification_of(row) for row in rows],
            is_any_on_its_way=connection.execute(_AHEAD_IN_FLIGHT, {**values, "length": len(beginning)}).first()
            is not None,
        )
    return {key: ahead for key, ahead in found.items() if ahead.waiting or ahead.is_any_on_its_way}


def _load_last(
    connection: Connection, due: Sequence[Notification], values: Mapping[str, Any]
) -> Mapping[tuple[str, str], datetime]:
    """When each group was last sent; one that is being sent counts as sent now."""
    keys = sorted({(one.channel, one.group) for one in due})
    pair = tuple_(NOTIFICATION.c.channel, NOTIFICATION.c.group_key)
    query = select(NOTIFICATION.c.channel, NOTIFICATION.c.group_key, func.max(NOTIFICATION.c.sent_at))
    query = query.where(pair.in_(keys), NOTIFICATION.c.sent_at.is_not(None))
    query = query.group_by(NOTIFICATION.c.channel, NOTIFICATION.c.group_key)
    found = {(row[0], row[1]): row[2] for row in connection.execute(query)}
    return found | {(row[0], row[1]): values["now"] for row in connection.execute(_IN_FLIGHT, values)}
