"""Browser sessions in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Table, bindparam, delete, insert, select, update

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.users.domain.accounts import OpenSession, SessionOrigin, User
from fastflow.kernel.users.infra.tables import SessionRow, UserRow
from fastflow.kernel.users.infra.user_store import user_of
from fastflow.kernel.users.ports import NewSession, SessionHolder
from fastflow.kit.identity import Actor, Role

_USER = cast("Table", UserRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
_SESSION = cast("Table", SessionRow.__table__)  # type: ignore[attr-defined]  # as above
_SHOWN = ("id", "method", "created_at", "last_seen_at", "expires_at", "address", "user_agent")


class SqlSessionStore:
    """Browser sessions; see `SessionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._find = (
            select(_USER, _SESSION.c.expires_at, _SESSION.c.last_seen_at, _SESSION.c.id.label("session_id"))
            .join(_SESSION, _SESSION.c.user_id == _USER.c.id)
            .where(_SESSION.c.token_hash == bindparam("wanted"))
        )

    def begin(self, new: NewSession, user: User, origin: SessionOrigin, *, actor: Actor) -> None:
        """See `SessionStore.begin`."""
        row = {
            "id": new.id,
            "token_hash": new.token_hash,
            "user_id": user.id,
            "created_at": new.at,
            "last_seen_at": new.at,
            "expires_at": new.expires_at,
            "method": origin.method,
            "address": origin.address[:60] if origin.address else None,
            "user_agent": origin.user_agent[:200] if origin.user_agent else None,
        }
        with self._database.write() as connection:
            connection.execute(delete(_SESSION).where(_SESSION.c.expires_at <= new.at))
            connection.execute(insert(_SESSION), row)
            detail = {"method": origin.method, "session": new.id}
            record(connection, at=new.at, actor=actor, action="user.login", subject=user.name, detail=detail)

    def find(self, token_hash: str) -> SessionHolder | None:
        """See `SessionStore.find`."""
        with self._database.read() as connection:
            row = connection.execute(self._find, {"wanted": token_hash}).mappings().first()
        if row is None:
            return None
        return SessionHolder(
            user=user_of(row),
            session_id=row["session_id"],
            expires_at=row["expires_at"],
            last_seen_at=row["last_seen_at"],
        )

    def touch(self, session_id: str, at: datetime) -> None:
        """See `SessionStore.touch`."""
        with self._database.write() as connection:
            connection.execute(update(_SESSION).where(_SESSION.c.id == session_id).values(last_seen_at=at))

    def load(
        self, user_name: str, *, seen_after: datetime, at: datetime, after_id: str, limit: int
    ) -> Sequence[OpenSession]:
        """See `SessionStore.load`."""
        query = (
            select(*(_SESSION.c[name] for name in _SHOWN))
            .join(_USER, _SESSION.c.user_id == _USER.c.id)
            .where(_USER.c.name == user_name, _SESSION.c.id > after_id)
            .where(_SESSION.c.expires_at > at, _SESSION.c.last_seen_at > seen_after)
            .order_by(_SESSION.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [OpenSession(**row) for row in connection.execute(query).mappings()]

    def end(self, token_hash: str, *, at: datetime, actor: Actor) -> None:
        """See `SessionStore.end`."""
        owner = (
            select(_USER.c.name)
            .join(_SESSION, _SESSION.c.user_id == _USER.c.id)
            .where(_SESSION.c.token_hash == bindparam("ended"))
        )
        with self._database.write() as connection:
            name = connection.execute(owner, {"ended": token_hash}).scalar()
            gone = connection.execute(delete(_SESSION).where(_SESSION.c.token_hash == token_hash)).rowcount
            if gone:
                record(connection, at=at, actor=actor, action="user.logout", subject=str(name))

    def end_of(self, user_name: str, *, only: str | None, keep: str | None, at: datetime, actor: Actor) -> int:
        """See `SessionStore.end_of`."""
        owner = select(_USER.c.id).where(_USER.c.name == user_name).scalar_subquery()
        query = delete(_SESSION).where(_SESSION.c.user_id == owner)
        if only is not None:
            query = query.where(_SESSION.c.id == only)
        if keep is not None:
            query = query.where(_SESSION.c.token_hash != keep)
        with self._database.write() as connection:
            gone = connection.execute(query).rowcount
            if gone:
                detail = {"sessions": gone} if only is None else {"session": only}
                record(connection, at=at, actor=actor, action="user.end_session", subject=user_name, detail=detail)
            return gone

    def note_refusal(self, user: User | None, *, at: datetime, address: str | None) -> None:
        """See `SessionStore.note_refusal`."""
        actor = Actor(name="anonymous", role=Role.VIEWER, address=address)
        with self._database.write() as connection:
            record(
                connection, at=at, actor=actor, action="user.login_refused", subject=user.name if user else "(unknown)"
            )
