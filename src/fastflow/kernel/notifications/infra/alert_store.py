"""What was told and to whom, as people look at it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select, update

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.scope import in_scope
from fastflow.kernel.notifications.domain.outbox import Alert, Notification
from fastflow.kernel.notifications.infra.outbox_store import WAITING
from fastflow.kernel.notifications.infra.rows import ALERT, NOTIFICATION, alert_of, notification_of
from fastflow.kernel.notifications.ports import AlertFilter, Backlog, NotificationFilter
from fastflow.kit.identity import Actor


class SqlAlertStore:
    """See `ports.AlertStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load_alerts(self, wanted: AlertFilter, *, before_id: str | None, limit: int) -> Sequence[Alert]:
        """See `AlertStore.load_alerts`."""
        query = select(ALERT).order_by(ALERT.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(ALERT.c.id < before_id)
        if wanted.pipeline_name is not None:
            query = query.where(ALERT.c.pipeline_name == wanted.pipeline_name)
        if wanted.event is not None:
            query = query.where(ALERT.c.event == wanted.event)
        if wanted.is_open is True:
            query = query.where(ALERT.c.resolved_at.is_(None), ALERT.c.acknowledged_at.is_(None))
        elif wanted.is_open is False:
            query = query.where(or_(ALERT.c.resolved_at.is_not(None), ALERT.c.acknowledged_at.is_not(None)))
        if wanted.pipelines is not None:
            query = query.where(in_scope(ALERT.c.pipeline_name, wanted.pipelines))
        with self._database.read() as connection:
            return [alert_of(row) for row in connection.execute(query).mappings()]

    def find(self, alert_id: str) -> Alert | None:
        """See `AlertStore.find`."""
        with self._database.read() as connection:
            row = connection.execute(select(ALERT).where(ALERT.c.id == alert_id)).mappings().first()
            return None if row is None else alert_of(row)

    def load_notifications(
        self, wanted: NotificationFilter, *, before_id: str | None, limit: int
    ) -> Sequence[tuple[Notification, Alert]]:
        """See `AlertStore.load_notifications`."""
        query = select(NOTIFICATION).order_by(NOTIFICATION.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(NOTIFICATION.c.id < before_id)
        if wanted.channel is not None:
            query = query.where(NOTIFICATION.c.channel == wanted.channel)
        if wanted.state is not None:
            query = query.where(NOTIFICATION.c.state == wanted.state.value)
        if wanted.alert_id is not None:
            query = query.where(NOTIFICATION.c.alert_id == wanted.alert_id)
        if wanted.pipelines is not None:
            seen = select(ALERT.c.id).where(in_scope(ALERT.c.pipeline_name, wanted.pipelines))
            query = query.where(NOTIFICATION.c.alert_id.in_(seen))
        with self._database.read() as connection:
            found = [notification_of(row) for row in connection.execute(query).mappings()]
            ids = sorted({one.alert_id for one in found})
            rows = connection.execute(select(ALERT).where(ALERT.c.id.in_(ids))).mappings()
            alerts = {row["id"]: alert_of(row) for row in rows}
        return [(one, alerts[one.alert_id]) for one in found]

    def acknowledge(self, alert_id: str, *, actor: Actor, at: datetime) -> Alert | None:
        """See `AlertStore.acknowledge`."""
        with self._database.write() as connection:
            first = (ALERT.c.id == alert_id, ALERT.c.acknowledged_at.is_(None))
            values = {"acknowledged_at": at, "acknowledged_by": actor.name[:200], "next_repeat_at": None}
            if connection.execute(update(ALERT).where(*first).values(**values)).rowcount:
                record(connection, at=at, actor=actor, action="alert.acknowledge", subject=alert_id)
            row = connection.execute(select(ALERT).where(ALERT.c.id == alert_id)).mappings().first()
            return None if row is None else alert_of(row)

    def count_waiting(self, now: datetime) -> Backlog:
        """See `AlertStore.count_waiting`."""
        query = select(func.count(), func.min(NOTIFICATION.c.not_before)).where(WAITING)
        with self._database.read() as connection:
            waiting, earliest = connection.execute(query).one()
        return Backlog(waiting=waiting, overdue_since=earliest if earliest is not None and earliest < now else None)
