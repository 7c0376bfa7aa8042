"""Schedules as people make, change and look at them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, or_, select, update
from sqlalchemy import text as sql
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.schedules.domain.errors import ScheduleNameTaken
from fastflow.kernel.schedules.domain.schedule import Pause, Schedule
from fastflow.kernel.schedules.infra.pause_store import insert_pause, lift_pause
from fastflow.kernel.schedules.infra.recording import Recorder, load_pauses
from fastflow.kernel.schedules.infra.rows import (
    OCCURRENCE,
    SCHEDULE,
    SCHEDULE_COLUMNS,
    schedule_of,
    values_of_schedule,
)
from fastflow.kernel.schedules.ports import Counts, Decide, ScheduleFilter
from fastflow.kit.identity import Actor
from fastflow.kit.name_patterns import expand

_BY_ID = select(*SCHEDULE_COLUMNS).where(SCHEDULE.c.id == bindparam("schedule_id"))
_NAMES = select(SCHEDULE.c.name).where(
    SCHEDULE.c.pipeline_name == bindparam("pipeline_name"), SCHEDULE.c.origin == bindparam("origin")
)
_STARTING = sql("occurrence.outcome = 'starting'")
_AUDITED = ("pipeline_name", "name", "trigger", "expression", "timezone")


class SqlScheduleStore:
    """See `ports.ScheduleStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, schedule: Schedule, pause: Pause | None, *, actor: Actor) -> Schedule:
        """See `ScheduleStore.add`."""
        try:
            with self._database.write() as connection:
                self._database.lock(connection, f"schedule:{schedule.pipeline_name}")
                if not schedule.name:
                    schedule = replace(schedule, name=_free_name(connection, schedule))
                connection.execute(insert(SCHEDULE), values_of_schedule(schedule))
                _audit(connection, "schedule.create", schedule, actor, schedule.created_at)
                if pause is not None:
                    insert_pause(connection, pause, actor=actor)
        except IntegrityError as error:
            raise _name_taken(schedule) from error
        return schedule

    def change(
        self, schedule_id: str, apply: Callable[[Schedule], Schedule], decide: Decide, *, actor: Actor, at: datetime
    ) -> Schedule | None:
        """See `ScheduleStore.change`."""
        after: Schedule | None = None
        try:
            with self._database.write() as connection:
                before = _find(connection, _BY_ID.with_for_update(), schedule_id)
                if before is None:
                    return None
                before = _catch_up(connection, before, decide, at)
                after = apply(before)
                if after == before:
                    return after
                values = values_of_schedule(after)
                connection.execute(update(SCHEDULE).where(SCHEDULE.c.id == schedule_id).values(values))
                _audit(connection, "schedule.change", after, actor, at)
        except IntegrityError as error:
            assert after is not None
            raise _name_taken(after) from error
        return after

    def delete(self, schedule_id: str, *, actor: Actor, at: datetime) -> bool:
        """See `ScheduleStore.delete`."""
        with self._database.write() as connection:
            schedule = _find(connection, _BY_ID.with_for_update(), schedule_id)
            if schedule is None:
                return False
            lift_pause(connection, "schedule", schedule_id, at=at, actor=actor, is_resumed=False)
            connection.execute(delete(OCCURRENCE).where(OCCURRENCE.c.schedule_id == schedule_id))
            connection.execute(delete(SCHEDULE).where(SCHEDULE.c.id == schedule_id))
            _audit(connection, "schedule.delete", schedule, actor, at)
        return True

    def find(self, schedule_id: str) -> Schedule | None:
        """See `ScheduleStore.find`."""
        with self._database.read() as connection:
            return _find(connection, _BY_ID, schedule_id)

    def load_page(self, wanted: ScheduleFilter, *, after_id: str, limit: int) -> Sequence[Schedule]:
        """See `ScheduleStore.load_page`."""
        query = select(*SCHEDULE_COLUMNS).where(SCHEDULE.c.id > after_id).order_by(SCHEDULE.c.id).limit(limit)
        for name in ("pipeline_name", "name", "origin"):
            value = getattr(wanted, name)
            if value is not None:
                query = query.where(SCHEDULE.c[name] == value)
        with self._database.read() as connection:
            if wanted.pipelines is not None:
                known = connection.execute(select(SCHEDULE.c.pipeline_name).distinct()).scalars()
                query = query.where(SCHEDULE.c.pipeline_name.in_(expand(wanted.pipelines, known)))
            return [schedule_of(row) for row in connection.execute(query)]

    def load_declared(self) -> Sequence[Schedule]:
        """See `ScheduleStore.load_declared`."""
        query = select(*SCHEDULE_COLUMNS).where(SCHEDULE.c.origin == "code").order_by(SCHEDULE.c.id)
        with self._database.read() as connection:
            return [schedule_of(row) for row in connection.execute(query)]

    def load_names(self) -> tuple[Sequence[str], Sequence[str]]:
        """See `ScheduleStore.load_names`."""
        with self._database.read() as connection:
            pipelines = connection.execute(select(SCHEDULE.c.pipeline_name).distinct()).scalars().all()
            return pipelines, connection.execute(select(SCHEDULE.c.timezone).distinct()).scalars().all()

    def load_troubled(
        self,
        *,
        pipelines: Sequence[str],
        timezones: Sequence[str],
        decided_after: datetime,
        within: Sequence[str] | None,
        limit: int,
    ) -> Sequence[Schedule]:
        """See `ScheduleStore.load_troubled`."""
        troubled = or_(
            SCHEDULE.c.pipeline_name.in_(pipelines),
            SCHEDULE.c.timezone.in_(timezones),
            SCHEDULE.c.last_due_at > decided_after,
        )
        query = select(*SCHEDULE_COLUMNS).where(troubled).order_by(SCHEDULE.c.id).limit(limit)
        if within is not None:
            query = query.where(SCHEDULE.c.pipeline_name.in_(within))
        with self._database.read() as connection:
            return [schedule_of(row) for row in connection.execute(query)]

    def count(self) -> Counts:
        """See `ScheduleStore.count`."""
        ahead = select(func.count(), func.min(SCHEDULE.c.next_fire_at)).where(SCHEDULE.c.next_fire_at.is_not(None))
        with self._database.read() as connection:
            due, next_fire_at = connection.execute(ahead).one()
            return Counts(
                schedules=connection.execute(select(func.count()).select_from(SCHEDULE)).scalar_one(),
                due=due,
                next_fire_at=next_fire_at,
                starting=connection.execute(select(func.count()).select_from(OCCURRENCE).where(_STARTING)).scalar_one(),
            )


def _find(connection: Connection, query: Select[Any], schedule_id: str) -> Schedule | None:
    row = connection.execute(query, {"schedule_id": schedule_id}).first()
    return None if row is None else schedule_of(row)


def _catch_up(connection: Connection, schedule: Schedule, decide: Decide, at: datetime) -> Schedule:
    """The schedule after everything that has come was decided; whoever comes first starts what is to be started."""
    more = True
    while more:
        pauses = load_pauses(connection, schedule.next_due_at or at)
        recorder = Recorder(connection, lease_owner=None, now=at)
        _, more = recorder.record(schedule, pauses, decide)
        recorder.write()
        found = _find(connection, _BY_ID, schedule.id)
        assert found is not None, "it is locked"
        schedule = found
    return schedule


def _free_name(connection: Connection, schedule: Schedule) -> str:
    values = {"pipeline_name": schedule.pipeline_name, "origin": schedule.origin}
    taken = set(connection.execute(_NAMES, values).scalars())
    number = 1
    while f"{schedule.trigger}-{number}" in taken:
        number += 1
    return f"{schedule.trigger}-{number}"


def _name_taken(schedule: Schedule) -> ScheduleNameTaken:
    return ScheduleNameTaken(
        f"Pipeline {schedule.pipeline_name} has a schedule named {schedule.name!r} already.",
        fields={"name": "is taken"},
    )


def _audit(connection: Connection, action: str, schedule: Schedule, actor: Actor, at: datetime) -> None:
    detail = {name: getattr(schedule, name) for name in _AUDITED}
    record(connection, at=at, actor=actor, action=action, subject=schedule.id, detail=detail)
