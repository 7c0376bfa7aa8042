"""Daemons in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, and_, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fastflow.kernel.audit import record
from fastflow.kernel.daemons.domain.deciding import AGAIN, Decision
from fastflow.kernel.daemons.domain.records import WINDOW, Daemon, DaemonEvent, Instance, LastEnd, Wish
from fastflow.kernel.daemons.infra.tables import DaemonEventRow, DaemonInstanceRow, DaemonRow
from fastflow.kernel.daemons.ports import Alarm, Decide
from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.rows import EVENT, RUN, RUN_COLUMNS, run_of
from fastflow.kit.identity import Actor

DAEMON: Final = cast("Table", DaemonRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
INSTANCE: Final = cast("Table", DaemonInstanceRow.__table__)  # type: ignore[attr-defined]
HAPPENED: Final = cast("Table", DaemonEventRow.__table__)  # type: ignore[attr-defined]

LEASE = timedelta(seconds=15)
EVENTS_KEPT = 1000
"""Events of one daemon that are kept."""

_FIELDS: Final = tuple(each.name for each in fields(Daemon))
_OWN: Final = tuple(each.name for each in fields(Instance) if each.name != "run")
_DAEMONS = select(*(DAEMON.c[name] for name in _FIELDS)).order_by(DAEMON.c.pipeline_name)
_ONE = _DAEMONS.where(DAEMON.c.pipeline_name == bindparam("name"))
_INSTANCES = (
    select(*(INSTANCE.c[name] for name in _OWN), *RUN_COLUMNS)
    .join_from(INSTANCE, RUN, RUN.c.id == INSTANCE.c.run_id, isouter=True)
    .order_by(INSTANCE.c.number)
)
_TAKE = (
    update(DAEMON)
    .where(
        DAEMON.c.pipeline_name == bindparam("name"),
        or_(
            DAEMON.c.lease_owner == bindparam("owner"),
            DAEMON.c.lease_expires_at.is_(None),
            DAEMON.c.lease_expires_at < bindparam("now"),
        ),
    )
    .values(lease_owner=bindparam("owner"), lease_expires_at=bindparam("expires"))
)
_TOLD = (
    select(EVENT.c.at)
    .where(EVENT.c.run_id == bindparam("run_id"), EVENT.c.kind.in_(("progress", "metric", "output")))
    .order_by(EVENT.c.id.desc())
    .limit(1)
)


class SqlDaemonStore:
    """See `ports.DaemonStore`.

    Args:
        database: migrated.
        alarm: tells people, in the same transactions.
    """

    def __init__(self, database: Database, alarm: Alarm) -> None:
        self._database = database
        self._alarm = alarm

    def declare(self, names: Sequence[str], at: datetime) -> None:
        """See `DaemonStore.declare`."""
        with self._database.read() as connection:
            known = set(connection.execute(select(DAEMON.c.pipeline_name)).scalars())
        new = [name for name in names if name not in known]
        if not new:
            return
        with self._database.write() as connection:
            dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
            for name in new:
                row = _values(Daemon(pipeline_name=name, changed_at=at, changed_by="system"))
                connection.execute(dialect.insert(DAEMON).on_conflict_do_nothing(), row)

    def wish(self, name: str, wish: Wish | None, *, is_restart: bool, actor: Actor, at: datetime) -> bool:
        """See `DaemonStore.wish`."""
        values: dict[str, Any] = {"changed_at": at, "changed_by": actor.name[:200], "crashes": 0}
        values["next_start_at"] = None
        if wish is not None:
            values["wish"] = wish
        if wish == "stopped":
            values["crash_loop_since"] = None
        if is_restart:
            values["epoch"] = DAEMON.c.epoch + 1
        word = (
            "restart" if is_restart else {"running": "start", "stopped": "stop", "paused": "pause"}[wish or "running"]
        )
        with self._database.write() as connection:
            changed = connection.execute(update(DAEMON).where(DAEMON.c.pipeline_name == name).values(**values)).rowcount
            if changed:
                record(connection, at=at, actor=actor, action=f"daemon.{word}", subject=name)
                _note(connection, name, at, word, f"{word} by {actor.name}", None)
            if changed and wish == "stopped":
                self._alarm.ended(connection, name, at=at)
            return changed > 0

    def load(self) -> Sequence[tuple[Daemon, Sequence[Instance]]]:
        """See `DaemonStore.load`."""
        with self._database.read() as connection:
            daemons = [Daemon(**row._mapping) for row in connection.execute(_DAEMONS)]
            if not daemons:
                return []
            instances: dict[str, list[Instance]] = {}
            for each in connection.execute(_INSTANCES):
                one = _instance(each)
                instances.setdefault(one.pipeline_name, []).append(one)
            return [(daemon, instances.get(daemon.pipeline_name, [])) for daemon in daemons]

    def advance(self, name: str, owner: str, decide: Decide, at: datetime) -> Decision | None:
        """See `DaemonStore.advance`."""
        with self._database.write() as connection:
            values = {"name": name, "owner": owner, "now": at, "expires": at + LEASE}
            if not connection.execute(_TAKE, values).rowcount:
                return None
            daemon = Daemon(**connection.execute(_ONE, {"name": name}).one()._mapping)
            query = _INSTANCES.where(INSTANCE.c.pipeline_name == name)
            decision = decide(daemon, [_instance(each) for each in connection.execute(query)])
            _write(connection, daemon, decision, at)
            self._tell(connection, daemon, decision, at)
            return decision

    def _tell(self, connection: Connection, before: Daemon, decision: Decision, at: datetime) -> None:
        name, kinds = before.pipeline_name, {told.kind for told in decision.told}
        if "recovered" in kinds:
            since = before.crash_loop_since
            self._alarm.recovered(connection, name, crashes=before.crashes, since=since, at=at)
        elif before.crash_loop_since is not None and decision.daemon.crash_loop_since is None:
            self._alarm.ended(connection, name, at=at)
        if "crash-loop" in kinds:
            self._alarm.crash_loop(
                connection,
                name,
                crashes=decision.daemon.crashes,
                last=_last_ends(connection, [name], at - WINDOW).get(name),
                next_start_at=decision.daemon.next_start_at,
                at=at,
            )

    def submitted(self, instance: Instance, run: Run) -> bool:
        """See `DaemonStore.submitted`."""
        with self._database.write() as connection:
            values = {"run_id": run.id, "tree_hash": run.capsule.get("tree_hash")}
            found = connection.execute(update(INSTANCE).where(_is(instance)).values(**values)).rowcount
            had = and_(DAEMON.c.pipeline_name == instance.pipeline_name, DAEMON.c.trouble.is_not(None))
            connection.execute(update(DAEMON).where(had).values(trouble=None))
            return found > 0

    def give_up(self, instance: Instance, why: str, *, retry_at: datetime, at: datetime) -> None:
        """See `DaemonStore.give_up`."""
        name = instance.pipeline_name
        with self._database.write() as connection:
            connection.execute(delete(INSTANCE).where(_is(instance)))
            before = Daemon(**connection.execute(_ONE, {"name": name}).one()._mapping)
            later = update(DAEMON).where(DAEMON.c.pipeline_name == name)
            connection.execute(later.values(next_start_at=retry_at, trouble=why))
            if before.trouble != why:
                _note(connection, name, at, "trouble", why, None)

    def probed(self, instance: Instance, at: datetime, told: str | None) -> None:
        """See `DaemonStore.probed`."""
        with self._database.write() as connection:
            values = {"health": instance.health, "health_at": instance.health_at, "misses": instance.misses}
            connection.execute(update(INSTANCE).where(_is(instance)).values(**values))
            if told is not None:
                run_id = instance.run.id if instance.run else None
                _note(connection, instance.pipeline_name, at, instance.health, told, run_id)

    def last_told(self, run_id: str) -> datetime | None:
        """See `DaemonStore.last_told`."""
        with self._database.read() as connection:
            return cast("datetime | None", connection.execute(_TOLD, {"run_id": run_id}).scalar())

    def load_last_ends(self, names: Sequence[str], since: datetime) -> Mapping[str, LastEnd]:
        """See `DaemonStore.load_last_ends`."""
        if not names:
            return {}
        with self._database.read() as connection:
            return _last_ends(connection, names, since)

    def load_events(self, name: str, *, before_id: int | None, limit: int) -> Sequence[DaemonEvent]:
        """See `DaemonStore.load_events`."""
        query = select(*(HAPPENED.c[each.name] for each in fields(DaemonEvent)))
        query = query.where(HAPPENED.c.pipeline_name == name).order_by(HAPPENED.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(HAPPENED.c.id < before_id)
        with self._database.read() as connection:
            return [DaemonEvent(**row._mapping) for row in connection.execute(query)]


def _is(instance: Instance) -> Any:
    return (INSTANCE.c.pipeline_name == instance.pipeline_name) & (INSTANCE.c.number == instance.number)


def _write(connection: Connection, before: Daemon, decision: Decision, at: datetime) -> None:
    name = before.pipeline_name
    for gone in decision.forget:
        connection.execute(delete(INSTANCE).where(_is(gone)))
    for stopped in decision.stop:
        values = {"stopping": stopped.stopping, "is_crash": stopped.is_crash}
        connection.execute(update(INSTANCE).where(_is(stopped)).values(**values))
    for new in decision.start:
        row = {each: getattr(new, each) for each in _OWN}
        connection.execute(insert(INSTANCE), {**row, "run_id": None})
    for told in decision.told:
        _note(connection, name, at, told.kind, told.text, told.run_id)
    if decision.daemon != before:
        connection.execute(update(DAEMON).where(DAEMON.c.pipeline_name == name).values(**_values(decision.daemon)))


def _note(connection: Connection, name: str, at: datetime, kind: str, text: str, run_id: str | None) -> None:
    row = {"pipeline_name": name, "at": at, "kind": kind, "text": text[:2000], "run_id": run_id}
    connection.execute(insert(HAPPENED), row)
    query = select(HAPPENED.c.id).where(HAPPENED.c.pipeline_name == name).order_by(HAPPENED.c.id.desc())
    oldest = connection.execute(query.offset(EVENTS_KEPT).limit(1)).scalar()
    if oldest is not None:
        connection.execute(delete(HAPPENED).where(HAPPENED.c.pipeline_name == name, HAPPENED.c.id <= oldest))


def _last_ends(connection: Connection, names: Sequence[str], since: datetime) -> Mapping[str, LastEnd]:
    crashed = (HAPPENED.c.pipeline_name.in_(list(names)), HAPPENED.c.kind == "crashed")
    restarts = func.sum(case((HAPPENED.c.at > since, 1), else_=0))
    latest = select(func.max(HAPPENED.c.id).label("id"), restarts.label("restarts"))
    latest_of = latest.where(*crashed).group_by(HAPPENED.c.pipeline_name).subquery()
    query = select(
        HAPPENED.c.pipeline_name, HAPPENED.c.at, HAPPENED.c.text, HAPPENED.c.run_id, latest_of.c.restarts
    ).join_from(HAPPENED, latest_of, latest_of.c.id == HAPPENED.c.id)
    return {
        row.pipeline_name: LastEnd(
            at=row.at, text=row.text.rpartition(AGAIN)[0], run_id=row.run_id, restarts=int(row.restarts)
        )
        for row in connection.execute(query)
    }


def _values(daemon: Daemon) -> Mapping[str, Any]:
    return {name: getattr(daemon, name) for name in _FIELDS}


def _instance(row: Any) -> Instance:
    own = dict(zip(_OWN, row[: len(_OWN)], strict=True))
    rest = row[len(_OWN) :]
    return Instance(**own, run=run_of(rest) if rest[0] is not None else None)
