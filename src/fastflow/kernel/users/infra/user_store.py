"""Users in the database."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, RowMapping, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.users.domain.accounts import User, UserChange, parse_role
from fastflow.kernel.users.domain.errors import LastAdmin
from fastflow.kernel.users.infra.grant_rows import grants_in, grants_out
from fastflow.kernel.users.infra.tables import SessionRow, UserRow
from fastflow.kit.errors import Conflict, NotFound
from fastflow.kit.identity import Actor, Role

_USER = cast("Table", UserRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
_SESSION = cast("Table", SessionRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
LOCK = "users"


class SqlUserStore:
    """Users; see `UserStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_empty(self) -> bool:
        """See `UserStore.is_empty`."""
        with self._database.read() as connection:
            return connection.execute(select(_USER.c.id).limit(1)).first() is None

    def add_first(self, user: User, password_hash: str, *, actor: Actor) -> bool:
        """See `UserStore.add_first`."""
        with self._database.write() as connection:
            self._database.lock(connection, LOCK)
            if connection.execute(select(_USER.c.id).limit(1)).first() is not None:
                return False
            _insert(connection, user, password_hash, actor)
            return True

    def add(self, user: User, password_hash: str, *, actor: Actor) -> None:
        """See `UserStore.add`."""
        try:
            with self._database.write() as connection:
                _insert(connection, user, password_hash, actor)
        except IntegrityError as error:
            raise Conflict(
                f"There is a user {user.name!r} already.",
                code="user_exists",
                hint="Choose another name, or change that user with `PATCH /users/{name}`.",
                fields={"name": "is taken"},
            ) from error

    def find(self, name: str) -> User | None:
        """See `UserStore.find`."""
        found = self.find_with_hash(name)
        return found[0] if found else None

    def find_with_hash(self, name: str) -> tuple[User, str] | None:
        """See `UserStore.find_with_hash`."""
        with self._database.read() as connection:
            row = connection.execute(select(_USER).where(_USER.c.name == name)).mappings().first()
        return (user_of(row), str(row["password_hash"])) if row else None

    def load(self, *, after_name: str, limit: int) -> Sequence[User]:
        """See `UserStore.load`."""
        query = select(_USER).where(_USER.c.name > after_name).order_by(_USER.c.name).limit(limit)
        with self._database.read() as connection:
            return [user_of(row) for row in connection.execute(query).mappings()]

    def change(
        self, name: str, decide: UserChange | Callable[[User], UserChange], *, actor: Actor, at: datetime
    ) -> User:
        """See `UserStore.change`."""
        with self._database.write() as connection:
            self._database.lock(connection, LOCK)
            before = _get(connection, name)
            change = decide if isinstance(decide, UserChange) else decide(before)
            values = _changed_columns(change)
            if values:
                connection.execute(update(_USER).where(_USER.c.id == before.id).values(values))
            after = _get(connection, name)
            if before.can_administer and not after.can_administer:
                _require_an_admin(connection)
            if change.ends_sessions:
                connection.execute(delete(_SESSION).where(_SESSION.c.user_id == before.id))
            action = _action(change)
            record(connection, at=at, actor=actor, action=action, subject=name, detail=_detail(change))
            return after

    def delete(self, name: str, *, actor: Actor, at: datetime) -> None:
        """See `UserStore.delete`."""
        with self._database.write() as connection:
            self._database.lock(connection, LOCK)
            before = _get(connection, name)
            connection.execute(delete(_USER).where(_USER.c.id == before.id))
            if before.can_administer:
                _require_an_admin(connection)
            record(connection, at=at, actor=actor, action="user.delete", subject=name)


def _get(connection: Connection, name: str) -> User:
    row = connection.execute(select(_USER).where(_USER.c.name == name)).mappings().first()
    if row is None:
        raise NotFound(f"There is no user {name[:80]!r}.", code="unknown_user", hint="`GET /users` lists them.")
    return user_of(row)


def _insert(connection: Connection, user: User, password_hash: str, actor: Actor) -> None:
    connection.execute(
        insert(_USER),
        {
            "id": user.id,
            "name": user.name,
            "role": user.role.word,
            "password_hash": password_hash,
            "must_change_password": user.must_change_password,
            "disabled": user.disabled,
            "created_at": user.created_at,
            "grants": grants_out(user.grants),
        },
    )
    detail = {"role": user.role.word, **({"grants": grants_out(user.grants)} if user.grants else {})}
    record(connection, at=user.created_at, actor=actor, action="user.create", subject=user.name, detail=detail)


def user_of(row: RowMapping) -> User:
    """The user of a row."""
    return User(
        id=row["id"],
        name=row["name"],
        role=parse_role(row["role"]),
        must_change_password=bool(row["must_change_password"]),
        disabled=bool(row["disabled"]),
        created_at=row["created_at"],
        grants=grants_in(row["grants"]),
    )


def _changed_columns(change: UserChange) -> dict[str, Any]:
    values = {
        "role": None if change.role is None else change.role.word,
        "disabled": change.disabled,
        "password_hash": change.password_hash,
        "must_change_password": change.must_change_password,
    }
    found = {name: value for name, value in values.items() if value is not None}
    return found if change.grants is None else {**found, "grants": grants_out(change.grants)}


def _action(change: UserChange) -> str:
    if change.password_hash:
        return "user.set_password"
    return "user.change" if change.grants is None else "user.grant"


def _detail(change: UserChange) -> dict[str, Any]:
    return {name: value for name, value in _changed_columns(change).items() if name != "password_hash"}


def _require_an_admin(connection: Connection) -> None:
    """Inside the transaction of the change, under the lock: two demotions at once cannot both pass."""
    admins = select(func.count()).where(_USER.c.role == Role.ADMIN.word, _USER.c.disabled.is_(False))
    if not connection.execute(admins).scalar_one():
        raise LastAdmin("Nobody would be left who can administer.")
