"""Pauses of schedules, pipelines and the system."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy import text as sql

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.schedules.domain.schedule import Pause, Scope
from fastflow.kernel.schedules.infra.rows import PAUSE, PAUSE_COLUMNS, pause_of
from fastflow.kit.identity import Actor
from fastflow.kit.ids import new_id

_IS_OPEN = sql("until IS NULL")
_THIS_OPEN = select(*PAUSE_COLUMNS).where(
    PAUSE.c.scope == bindparam("of_scope"), PAUSE.c.subject == bindparam("of_subject"), _IS_OPEN
)
_LIFT = (
    update(PAUSE)
    .where(PAUSE.c.scope == bindparam("of_scope"), PAUSE.c.subject == bindparam("of_subject"), _IS_OPEN)
    .values(until=bindparam("at"), lifted_by=bindparam("lifter"))
)


class SqlPauseStore:
    """See `ports.PauseStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, pause: Pause, *, actor: Actor) -> Pause:
        """See `PauseStore.begin`."""
        with self._database.write() as connection:
            self._database.lock(connection, f"pause:{pause.scope}:{pause.subject}")
            values = {"of_scope": pause.scope, "of_subject": pause.subject}
            row = connection.execute(_THIS_OPEN, values).first()
            if row is not None:
                return pause_of(row)
            insert_pause(connection, pause, actor=actor)
        return pause

    def lift(self, scope: Scope, subject: str, *, at: datetime, actor: Actor) -> bool:
        """See `PauseStore.lift`."""
        with self._database.write() as connection:
            return lift_pause(connection, scope, subject, at=at, actor=actor)

    def load_open(self) -> Sequence[Pause]:
        """See `PauseStore.load_open`."""
        with self._database.read() as connection:
            query = select(*PAUSE_COLUMNS).where(_IS_OPEN).order_by(PAUSE.c.since)
            return [pause_of(row) for row in connection.execute(query)]


def insert_pause(connection: Connection, pause: Pause, *, actor: Actor) -> None:
    """Begin a pause inside the caller's transaction."""
    connection.execute(insert(PAUSE), {"id": new_id(), **vars(pause), "by": pause.by[:200], "lifted_by": None})
    detail = {"scope": pause.scope, "reason": pause.reason}
    record(connection, at=pause.since, actor=actor, action="schedule.pause", subject=pause.subject, detail=detail)


def lift_pause(
    connection: Connection, scope: Scope, subject: str, *, at: datetime, actor: Actor, is_resumed: bool = True
) -> bool:
    """End the pause in force inside the caller's transaction; whether there was one. `is_resumed`: False where it ends only
    because what was paused is gone: nobody resumed anything, and the audit log does not say so."""
    values = {"of_scope": scope, "of_subject": subject}
    row = connection.execute(_THIS_OPEN, values).first()
    if row is None:
        return False
    until = max(at, pause_of(row).since)  # the clock may have gone back
    connection.execute(_LIFT, {**values, "at": until, "lifter": actor.name[:200]})
    if is_resumed:
        record(connection, at=at, actor=actor, action="schedule.resume", subject=subject, detail={"scope": scope})
    return True
