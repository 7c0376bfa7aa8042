"""Repositories in the database."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.sync.domain.errors import RepositoryExists
from fastflow.kernel.sync.domain.repository import Definition, Repository
from fastflow.kernel.sync.infra.rows import DELIVERY, REPOSITORY, REPOSITORY_COLUMNS, repository_of
from fastflow.kit.identity import Actor

_AUDITED = ("url", "branch", "subfolder", "prefix", "auth", "secret", "webhook_secret", "interval")


class SqlRepositoryStore:
    """See `ports.RepositoryStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, repository: Repository, *, actor: Actor) -> Repository:
        """See the port."""
        try:
            with self._database.write() as connection:
                connection.execute(insert(REPOSITORY), vars(repository))
                record(
                    connection,
                    at=repository.created_at,
                    actor=actor,
                    action="repository.create",
                    subject=repository.name,
                    detail=_detail(repository),
                )
        except IntegrityError as error:
            raise RepositoryExists(
                f"There is a repository {repository.name!r} already.", fields={"name": "is taken"}
            ) from error
        return repository

    def change(self, name: str, definition: Definition, **values: Any) -> Repository | None:
        """See the port."""
        actor: Actor = values.pop("actor")
        at: datetime = values.pop("at")
        by_name = REPOSITORY.c.name == name
        with self._database.write() as connection:
            changed = update(REPOSITORY).where(by_name)
            told = {**vars(definition), **values, "updated_at": at, "updated_by": actor.name[:200]}
            if not connection.execute(changed.values(told)).rowcount:
                return None
            record(connection, at=at, actor=actor, action="repository.change", subject=name, detail=_detail(definition))
            return repository_of(connection.execute(select(*REPOSITORY_COLUMNS).where(by_name)).one())

    def delete(self, name: str, *, actor: Actor, at: datetime) -> bool:
        """See the port."""
        with self._database.write() as connection:
            if not connection.execute(delete(REPOSITORY).where(REPOSITORY.c.name == name)).rowcount:
                return False
            connection.execute(delete(DELIVERY).where(DELIVERY.c.repository == name))
            record(connection, at=at, actor=actor, action="repository.delete", subject=name)
        return True

    def find(self, name: str) -> Repository | None:
        """See the port."""
        with self._database.read() as connection:
            row = connection.execute(select(*REPOSITORY_COLUMNS).where(REPOSITORY.c.name == name)).first()
        return None if row is None else repository_of(row)

    def load_page(self, *, after: str, limit: int) -> Sequence[Repository]:
        """See the port."""
        query = select(*REPOSITORY_COLUMNS).where(REPOSITORY.c.name > after).order_by(REPOSITORY.c.name).limit(limit)
        with self._database.read() as connection:
            return [repository_of(row) for row in connection.execute(query)]

    def note_check(self, name: str, *, at: datetime, commit: str | None, problem: str | None) -> None:
        """See the port."""
        told: dict[str, Any] = {"checked_at": at, "problem": problem}
        if commit is not None:
            told["remote_commit"] = commit
        with self._database.write() as connection:
            connection.execute(update(REPOSITORY).where(REPOSITORY.c.name == name).values(told))

    def take_due(self, now: datetime, default_interval: float | None, *, limit: int) -> Sequence[Repository]:
        """See the port."""
        is_due = REPOSITORY.c.next_sync_at <= now
        if default_interval is not None:  # which may be new, or shorter than it was
            latest = now + timedelta(seconds=default_interval)
            follows = REPOSITORY.c.interval.is_(None)
            is_due = or_(is_due, follows & or_(REPOSITORY.c.next_sync_at.is_(None), REPOSITORY.c.next_sync_at > latest))
        with self._database.read() as connection:
            if connection.execute(select(REPOSITORY.c.name).where(is_due).limit(1)).first() is None:
                return ()
        query = select(*REPOSITORY_COLUMNS).where(is_due).order_by(REPOSITORY.c.next_sync_at).limit(limit)
        taken = []
        with self._database.write() as connection:
            for row in connection.execute(query.with_for_update(skip_locked=True)).all():
                repository = repository_of(row)
                interval = default_interval if repository.interval is None else repository.interval
                following = now + timedelta(seconds=interval) if interval else None
                this_one = REPOSITORY.c.name == repository.name
                connection.execute(update(REPOSITORY).where(this_one).values(next_sync_at=following))
                if interval:
                    taken.append(repository)
        return taken

    def take_delivery(self, name: str, digest: str, *, at: datetime, forget_before: datetime) -> bool:
        """See the port."""
        try:
            with self._database.write() as connection:
                connection.execute(delete(DELIVERY).where(DELIVERY.c.received_at < forget_before))
                connection.execute(insert(DELIVERY), {"repository": name, "digest": digest, "received_at": at})
        except IntegrityError:
            return False
        return True


def _detail(definition: Definition) -> dict[str, Any]:
    """What the audit log keeps: keys of secrets, never their values."""
    return {name: getattr(definition, name) for name in _AUDITED}
