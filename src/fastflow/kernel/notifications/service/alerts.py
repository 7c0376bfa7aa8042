"""Alerts and what was sent, as people look at them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastflow.kernel.notifications.domain.errors import AlertNotFound
from fastflow.kernel.notifications.domain.message import Message, Surroundings, compose
from fastflow.kernel.notifications.domain.outbox import Alert, Notification
from fastflow.kernel.notifications.ports import AlertFilter, AlertStore, Backlog, NotificationFilter
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor


@dataclass(frozen=True, kw_only=True)
class AlertView:
    """An alert, in words.

    Attributes:
        message: as it is told, without the lines of the log.
    """

    alert: Alert
    message: Message


@dataclass(frozen=True, kw_only=True)
class SentView:
    """A row of the outbox, and what it is about."""

    notification: Notification
    alert: Alert


class AlertService:
    """What was told, to whom, and why not."""

    def __init__(self, store: AlertStore, clock: Clock, *, url: str | None) -> None:
        self._store = store
        self._clock = clock
        self._url = url

    def list(
        self,
        wanted: AlertFilter | None = None,
        *,
        actor: Actor,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> Page[AlertView]:
        """One page of alerts, latest first; those outside the actor's scope are left out.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Forbidden: the filter names a pipeline outside the actor's scope.
        """
        wanted = wanted or AlertFilter()
        if wanted.pipeline_name is not None:
            actor.require_pipeline(wanted.pipeline_name)
        else:
            wanted = replace(wanted, pipelines=actor.reach())
        found = self._store.load_alerts(wanted, before_id=_before(cursor), limit=limit + 1)
        next_cursor = encode_cursor(found[limit - 1].id) if len(found) > limit else None
        return Page(items=[self._view(alert) for alert in found[:limit]], next_cursor=next_cursor)

    def get(self, alert_id: str, *, actor: Actor) -> AlertView:
        """The alert.

        Raises:
            InvalidInput: not an id.
            AlertNotFound: there is none.
            Forbidden: outside the actor's scope.
        """
        return self._view(self._find(alert_id, actor))

    def acknowledge(self, alert_id: str, *, actor: Actor) -> AlertView:
        """Say that it is known: it is not told again. The first one who says so stays; raises as `get`."""
        actor.require_somewhere(Role.OPERATOR)
        alert = self._find(alert_id, actor, Role.OPERATOR)
        after = self._store.acknowledge(alert.id, actor=actor, at=self._clock.now())
        if after is None:
            raise AlertNotFound(alert.id)
        return self._view(after)

    def notifications(
        self,
        wanted: NotificationFilter | None = None,
        *,
        actor: Actor,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> Page[SentView]:
        """One page of the outbox, latest first: what was sent, what waits, what was given up, and why."""
        wanted = wanted or NotificationFilter()
        wanted = replace(wanted, pipelines=actor.reach())
        found: Sequence[tuple[Notification, Alert]] = self._store.load_notifications(
            wanted, before_id=_before(cursor), limit=limit + 1
        )
        next_cursor = encode_cursor(found[limit - 1][0].id) if len(found) > limit else None
        items = [SentView(notification=one, alert=alert) for one, alert in found[:limit]]
        return Page(items=items, next_cursor=next_cursor)

    def backlog(self) -> Backlog:
        """How much waits to be sent."""
        return self._store.count_waiting(self._clock.now())

    def _find(self, alert_id: str, actor: Actor, role: Role = Role.VIEWER) -> Alert:
        alert_id = parse_id(alert_id, "alert_id")
        alert = self._store.find(alert_id)
        if alert is None or (alert.pipeline_name is None and actor.reach() is not None):
            raise AlertNotFound(alert_id)
        if alert.pipeline_name is not None:
            actor.require_pipeline(alert.pipeline_name, role)
        elif actor.reach(role) is not None:
            actor.require(role)
        return alert

    def _view(self, alert: Alert) -> AlertView:
        return AlertView(alert=alert, message=compose(alert, Surroundings(url=self._url)))


def _before(cursor: str | None) -> str | None:
    return parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else None
