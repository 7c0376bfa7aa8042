"""The catalogue of environments in the database."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import BindParameter, Row, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.domain.environment import EnvironmentCard
from fastflow.kernel.environments.infra.tables import EnvironmentFailureRow, EnvironmentResolutionRow, EnvironmentRow
from fastflow.kernel.environments.ports import LookedUp
from fastflow.kit.identity import Actor

CARDS = cast("Table", EnvironmentRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
_RESOLUTIONS = cast("Table", EnvironmentResolutionRow.__table__)  # type: ignore[attr-defined]  # as above
_FAILURES = cast("Table", EnvironmentFailureRow.__table__)  # type: ignore[attr-defined]  # as above
_FAILURES_KEPT = timedelta(days=30)
"""What was not tried for so long is nobody's requirement any more."""
_CHUNK = 500
_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_RESOLVED = select(_RESOLUTIONS.c.input_hash, _RESOLUTIONS.c.environment).where(_RESOLUTIONS.c.input_hash.in_(_KEYS))
_FAILED = select(_FAILURES.c.input_hash, _FAILURES.c.problem).where(_FAILURES.c.input_hash.in_(_KEYS))


class SqlCatalogue:
    """See `ports.Catalogue`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, environment: str) -> EnvironmentCard | None:
        """See the port."""
        with self._database.read() as connection:
            row = connection.execute(select(CARDS).where(CARDS.c.hash == environment)).one_or_none()
        return None if row is None else _card(row)

    def load_all(self) -> Sequence[EnvironmentCard]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(select(CARDS).order_by(CARDS.c.last_used_at.desc(), CARDS.c.hash))
            return [_card(row) for row in rows]

    def save(self, card: EnvironmentCard) -> None:
        """See the port."""
        try:
            with self._database.write() as connection:
                never_built = (CARDS.c.hash == card.hash) & (CARDS.c.size_bytes == 0)
                connection.execute(update(CARDS).where(never_built).values(**vars(card)))
                if connection.execute(select(CARDS.c.hash).where(CARDS.c.hash == card.hash)).first() is None:
                    connection.execute(insert(CARDS), vars(card))
        except IntegrityError:  # another process saved it in between: on PostgreSQL writers do not exclude each other
            return

    def touch(self, environment: str, at: datetime) -> None:
        """See the port."""
        with self._database.write() as connection:
            connection.execute(update(CARDS).where(CARDS.c.hash == environment).values(last_used_at=at))

    def remove(self, environment: str, *, keep_resolved: bool = False) -> None:
        """See the port."""
        with self._database.write() as connection:
            leads_here = _RESOLUTIONS.c.environment == environment
            if keep_resolved and connection.execute(select(_RESOLUTIONS).where(leads_here)).first() is not None:
                return
            connection.execute(delete(_RESOLUTIONS).where(leads_here))
            connection.execute(delete(CARDS).where(CARDS.c.hash == environment))

    def find_resolution(self, key: str) -> str | None:
        """See the port."""
        with self._database.read() as connection:
            return _resolved(connection, key)

    def save_resolution(self, key: str, environment: str, at: datetime, *, replacing: str | None = None) -> str:
        """See the port."""
        row = {"environment": environment, "resolved_at": at}
        try:
            with self._database.write() as connection:
                earlier = _resolved(connection, key)
                if earlier is None:
                    connection.execute(insert(_RESOLUTIONS), row | {"input_hash": key})
                elif earlier == replacing:
                    connection.execute(update(_RESOLUTIONS).where(_RESOLUTIONS.c.input_hash == key).values(**row))
                else:
                    return earlier
                return environment
        except IntegrityError:  # another process was quicker
            return self.find_resolution(key) or environment

    def look_up(self, keys: Collection[str]) -> Mapping[str, LookedUp]:
        """See the port."""
        wanted, found = sorted(set(keys)), dict[str, LookedUp]()
        with self._database.read() as connection:
            for start in range(0, len(wanted), _CHUNK):
                values = {"keys": wanted[start : start + _CHUNK]}
                resolved = {row[0]: row[1] for row in connection.execute(_RESOLVED, values)}
                failed = {row[0]: row[1] for row in connection.execute(_FAILED, values)}
                for key in resolved.keys() | failed.keys():
                    found[key] = LookedUp(environment=resolved.get(key), problem=failed.get(key))
        return found

    def save_failure(self, key: str, problem: str, at: datetime) -> None:
        """See the port."""
        with self._database.write() as connection:
            old = (_FAILURES.c.input_hash == key) | (_FAILURES.c.failed_at < at - _FAILURES_KEPT)
            connection.execute(delete(_FAILURES).where(old))
            dialect: Any = sqlite if self._database.is_sqlite else postgresql
            row = {"input_hash": key, "problem": problem.replace("\0", "\ufffd"), "failed_at": at}
            connection.execute(dialect.insert(_FAILURES).on_conflict_do_nothing(), row)

    def remove_failure(self, key: str) -> None:
        """See the port."""
        with self._database.write() as connection:
            connection.execute(delete(_FAILURES).where(_FAILURES.c.input_hash == key))

    def remove_resolution(self, key: str, *, actor: Actor, at: datetime) -> None:
        """See the port."""
        with self._database.write() as connection:
            connection.execute(delete(_RESOLUTIONS).where(_RESOLUTIONS.c.input_hash == key))
            record(connection, at=at, actor=actor, action="environment.refresh", subject=key)

    def record_collection(self, hashes: Sequence[str], *, unused_days: float, actor: Actor, at: datetime) -> None:
        """See the port."""
        detail = {"unused_days": unused_days, "removed": len(hashes), "hashes": list(hashes[:100])}
        with self._database.write() as connection:
            record(connection, at=at, actor=actor, action="environment.gc", subject="environments", detail=detail)


def _resolved(connection: Any, key: str) -> str | None:
    found = connection.execute(select(_RESOLUTIONS.c.environment).where(_RESOLUTIONS.c.input_hash == key)).first()
    return None if found is None else str(found[0])


def _card(row: Row[Any]) -> EnvironmentCard:
    return EnvironmentCard(**row._mapping)
