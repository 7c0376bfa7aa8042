"""Syncs, what they tell, and the active versions, in the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Table, delete, insert, or_, select, update

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.tables import RunRow
from fastflow.kernel.sync.domain.errors import SyncLost, SyncOvertaken
from fastflow.kernel.sync.domain.sync import ActiveVersion, NewEvent, Sync, SyncEvent, SyncState
from fastflow.kernel.sync.infra.rows import (
    ACTIVE,
    ACTIVE_COLUMNS,
    EVENT,
    EVENT_COLUMNS,
    REPOSITORY,
    SYNC,
    SYNC_COLUMNS,
    active_of,
    event_of,
    sync_of,
    values_of_sync,
)
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor

LEASE = timedelta(seconds=60)
_OPEN = SYNC.c.state.in_(("queued", "running"))
_RUN = cast("Table", RunRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
_MOST_RUNS = 50
_MOST_FIELDS = 50
_MAX_PROBLEM = 1000
_CHUNK = 500
"""Names in one statement."""


class SqlSyncStore:
    """See `ports.SyncStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- the queue ------------------------------------------------------------------------------------------------------

    def request(self, sync: Sync, *, actor: Actor) -> Sync:
        """See the port."""
        same = select(*SYNC_COLUMNS).where(
            SYNC.c.state == "queued",
            SYNC.c.repository == sync.repository,
            SYNC.c.action == sync.action,
            SYNC.c.force == sync.force,
        )
        with self._database.write() as connection:
            self._database.lock(connection, f"sync:{sync.repository}")
            waiting = connection.execute(same).first()
            if waiting is not None:
                return sync_of(waiting)
            connection.execute(insert(SYNC), values_of_sync(sync))
            _audit(connection, "sync.request", sync, actor, sync.requested_at)
        return sync

    def claim(self, owner: str, now: datetime, *, only: str | None = None) -> Sync | None:
        """See the port."""
        host = owner.partition("/")[0]
        is_free = or_(
            SYNC.c.lease_owner.is_(None),
            SYNC.c.lease_expires_at <= now,
            SYNC.c.lease_expires_at > now + LEASE * 2,  # written by a clock that was ahead
            SYNC.c.lease_owner.startswith(f"{host}/", autoescape=True) & (SYNC.c.lease_owner != owner),
        )
        waiting = select(SYNC.c.id, SYNC.c.repository).where(_OPEN, is_free).order_by(SYNC.c.id)
        with self._database.read() as connection:
            found = connection.execute(waiting if only is None else waiting.where(SYNC.c.id == only)).all()
        for sync_id, repository in found:
            with self._database.write() as connection:
                self._database.lock(connection, f"sync:{repository}")
                busy = select(SYNC.c.id).where(
                    SYNC.c.repository == repository, SYNC.c.state == "running", SYNC.c.id != sync_id, ~is_free
                )
                if connection.execute(busy).first() is not None:
                    continue
                active = select(ACTIVE.c.commit).where(ACTIVE.c.repository == repository)
                taken = update(SYNC).where(SYNC.c.id == sync_id, _OPEN, is_free)
                values = {
                    "state": "running",
                    "started_at": now,
                    "commit_before": connection.execute(active).scalar(),
                    "lease_owner": owner,
                    "lease_expires_at": now + LEASE,
                }
                if connection.execute(taken.values(values)).rowcount:
                    return sync_of(connection.execute(select(*SYNC_COLUMNS).where(SYNC.c.id == sync_id)).one())
        return None

    def renew(self, sync_id: str, owner: str, now: datetime) -> bool:
        """See the port."""
        with self._database.write() as connection:
            return bool(connection.execute(_held(sync_id, owner).values(lease_expires_at=now + LEASE)).rowcount)

    def note(self, sync_id: str, owner: str, **values: Any) -> None:
        """See the port."""
        with self._database.write() as connection:
            _change(connection, sync_id, owner, values)

    def end(
        self,
        sync_id: str,
        owner: str,
        state: SyncState,
        why: str,
        *,
        at: datetime,
        problem: FastFlowError | None = None,
    ) -> None:
        """See the port."""
        told = {} if problem is None else {"code": problem.code[:100], "fields": _bounded(problem.fields) or None}
        with self._database.write() as connection:
            _change(connection, sync_id, owner, _ended(state, at, why) | told)
            _tell_end(connection, sync_id, state, at, why)

    # -- activating -----------------------------------------------------------------------------------------------------

    def activate(
        self, sync: Sync, owner: str | None, actor: Actor, *, at: datetime, why: str, removed: Sequence[str]
    ) -> Sequence[str]:
        """See the port."""
        with self._database.write() as connection:
            self._database.lock(connection, f"sync:{sync.repository}")
            hindering = (
                [] if sync.force else [run for runs in _active_runs(connection, removed).values() for run in runs]
            )
            if hindering:
                return hindering
            _require_same_start(connection, sync)
            ended = _ended(SyncState.ACTIVATED, at, why)
            if owner is None:
                connection.execute(insert(SYNC), values_of_sync(sync) | ended)
            else:
                _change(connection, sync.id, owner, ended)
            _switch(connection, sync, actor, at)
            _tell_end(connection, sync.id, SyncState.ACTIVATED, at, why)
            _audit(connection, f"sync.{'activate' if sync.action == 'sync' else sync.action}", sync, actor, at)
        return ()

    def mark_settled(self, sync_id: str, at: datetime) -> None:
        """See the port."""
        with self._database.write() as connection:
            connection.execute(update(SYNC).where(SYNC.c.id == sync_id).values(settled_at=at))

    def load_unsettled(self) -> Sequence[Sync]:
        """See the port."""
        left = select(*SYNC_COLUMNS).where(SYNC.c.state == "activated", SYNC.c.settled_at.is_(None))
        with self._database.read() as connection:
            return [sync_of(row) for row in connection.execute(left.order_by(SYNC.c.id))]

    # -- looking --------------------------------------------------------------------------------------------------------

    def find(self, sync_id: str) -> Sync | None:
        """See the port."""
        with self._database.read() as connection:
            row = connection.execute(select(*SYNC_COLUMNS).where(SYNC.c.id == sync_id)).first()
        return None if row is None else sync_of(row)

    def load_page(self, repository: str | None, *, before_id: str | None, limit: int) -> Sequence[Sync]:
        """See the port."""
        query = select(*SYNC_COLUMNS).order_by(SYNC.c.id.desc()).limit(limit)
        if repository is not None:
            query = query.where(SYNC.c.repository == repository)
        if before_id is not None:
            query = query.where(SYNC.c.id < before_id)
        with self._database.read() as connection:
            return [sync_of(row) for row in connection.execute(query)]

    def load_current(self) -> Mapping[str, Sync]:
        """See the port."""
        found: dict[str, Sync] = {}
        with self._database.read() as connection:
            for name in connection.scalars(select(REPOSITORY.c.name)).all():
                mine = select(*SYNC_COLUMNS).where(SYNC.c.repository == name)
                running = connection.execute(mine.where(SYNC.c.state == "running").limit(1)).first()
                row = running or connection.execute(mine.order_by(SYNC.c.id.desc()).limit(1)).first()
                if row is not None:
                    found[name] = sync_of(row)
        return found

    def find_version(self, repository: str, commit: str | None) -> Sync | None:
        """See the port."""
        versions = select(*SYNC_COLUMNS).where(
            SYNC.c.repository == repository,
            SYNC.c.state == "activated",
            SYNC.c.action != "remove",
            SYNC.c.commit.is_not(None),
        )
        with self._database.read() as connection:
            now = select(ACTIVE.c.commit, ACTIVE.c.sync_id).where(ACTIVE.c.repository == repository)
            active = connection.execute(now).first()
            wanted = versions if active is None else versions.where(SYNC.c.id != active.sync_id)
            if commit is not None:
                wanted = wanted.where(SYNC.c.commit.startswith(commit, autoescape=True))
            elif active is not None:
                wanted = wanted.where(SYNC.c.commit != active.commit)
            row = connection.execute(wanted.order_by(SYNC.c.id.desc()).limit(1)).first()
        return None if row is None else sync_of(row)

    def find_refusal(self, repository: str, commit: str, *, since: datetime) -> bool:
        """See the port."""
        refused = select(SYNC.c.id).where(
            SYNC.c.repository == repository,
            SYNC.c.commit == commit,
            SYNC.c.state == "refused",
            SYNC.c.finished_at >= since,
        )
        with self._database.read() as connection:
            return connection.execute(refused.limit(1)).first() is not None

    def load_active(self) -> Sequence[ActiveVersion]:
        """See the port."""
        with self._database.read() as connection:
            return [active_of(row) for row in connection.execute(select(*ACTIVE_COLUMNS).order_by(ACTIVE.c.repository))]

    def load_active_runs(self, pipelines: Sequence[str], *, limit: int) -> Mapping[str, Sequence[str]]:
        """See the port."""
        with self._database.read() as connection:
            return _active_runs(connection, pipelines, limit)

    # -- telling --------------------------------------------------------------------------------------------------------

    def add_events(self, sync_id: str, events: Sequence[NewEvent]) -> None:
        """See the port."""
        with self._database.write() as connection:
            connection.execute(insert(EVENT), [_event_row(sync_id, event) for event in events])

    def load_events(self, sync_id: str, *, after_id: int, limit: int) -> Sequence[SyncEvent]:
        """See the port."""
        later = select(*EVENT_COLUMNS).where(EVENT.c.sync_id == sync_id, EVENT.c.id > after_id)
        with self._database.read() as connection:
            return [event_of(row) for row in connection.execute(later.order_by(EVENT.c.id).limit(limit))]

    def forget(self, before: datetime) -> int:
        """See the port."""
        ended = select(SYNC.c.id).where(SYNC.c.finished_at < before)
        with self._database.write() as connection:
            return connection.execute(delete(EVENT).where(EVENT.c.sync_id.in_(ended))).rowcount


def _held(sync_id: str, owner: str) -> Any:
    return update(SYNC).where(SYNC.c.id == sync_id, SYNC.c.lease_owner == owner, SYNC.c.state == "running")


def _change(connection: Connection, sync_id: str, owner: str, values: Mapping[str, Any]) -> None:
    if not connection.execute(_held(sync_id, owner).values(dict(values))).rowcount:
        raise SyncLost(f"The sync {sync_id} is in other hands.")


def _bounded(fields: Mapping[str, str]) -> dict[str, str]:
    """The first fields, with the beginning of what is said of each."""
    return {name[:300]: problem[:_MAX_PROBLEM] for name, problem in list(fields.items())[:_MOST_FIELDS]}


def _ended(state: SyncState, at: datetime, why: str) -> dict[str, Any]:
    return {"state": state.value, "finished_at": at, "why": why}


def _require_same_start(connection: Connection, sync: Sync) -> None:
    """The plan compares with what was active when it was made."""
    active = connection.execute(select(ACTIVE.c.commit).where(ACTIVE.c.repository == sync.repository)).scalar()
    if active != sync.commit_before:
        raise SyncOvertaken(f"Another version of {sync.repository} was made active while the plan was made.")


def _switch(connection: Connection, sync: Sync, actor: Actor, at: datetime) -> None:
    """The one row that the catalogue reads."""
    mine = ACTIVE.c.repository == sync.repository
    before = connection.execute(select(ACTIVE.c.commit).where(mine)).scalar()
    connection.execute(delete(ACTIVE).where(mine))
    if sync.action != "remove":
        values = {name: getattr(sync, name) for name in ("repository", "commit", "tree_hash", "prefix", "subfolder")}
        told = {"sync_id": sync.id, "activated_at": at, "activated_by": actor.name[:200]}
        connection.execute(insert(ACTIVE), values | told)
    held = before if sync.action == "rollback" else None
    connection.execute(update(REPOSITORY).where(REPOSITORY.c.name == sync.repository).values(held_commit=held))


def _active_runs(connection: Connection, pipelines: Sequence[str], limit: int = _MOST_RUNS) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for start in range(0, len(pipelines), _CHUNK):
        some = list(pipelines[start : start + _CHUNK])
        unfinished = _RUN.c.status.in_(("PENDING", "RUNNING")) & _RUN.c.pipeline_name.in_(some)
        query = select(_RUN.c.pipeline_name, _RUN.c.id).where(unfinished).order_by(_RUN.c.id).limit(limit)
        for name, run_id in connection.execute(query):
            found.setdefault(name, []).append(run_id)
    return found


def _tell_end(connection: Connection, sync_id: str, state: SyncState, at: datetime, why: str) -> None:
    event = NewEvent(at=at, kind="end", data={"state": state.value, "why": why})
    connection.execute(insert(EVENT), _event_row(sync_id, event))


def _event_row(sync_id: str, event: NewEvent) -> dict[str, Any]:
    return {"sync_id": sync_id, "at": event.at, "kind": event.kind, "data": dict(event.data)}


def _audit(connection: Connection, action: str, sync: Sync, actor: Actor, at: datetime) -> None:
    told = {"sync": sync.id, "trigger": sync.trigger, "before": sync.commit_before, "commit": sync.commit}
    if sync.force:
        told["force"] = "yes"
    if sync.reason:
        told["reason"] = sync.reason
    record(connection, at=at, actor=actor, action=action, subject=sync.repository, detail=told)
