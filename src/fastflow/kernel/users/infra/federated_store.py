"""Logins through an OpenID Connect provider in the database: shared by every process and server."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.users.domain.accounts import User
from fastflow.kernel.users.domain.oidc import Attempt, Claims, Rights
from fastflow.kernel.users.infra.grant_rows import grants_out
from fastflow.kernel.users.infra.tables import OidcAttemptRow, UserRow
from fastflow.kernel.users.infra.user_store import LOCK, user_of
from fastflow.kit.errors import CapacityExceeded, Conflict
from fastflow.kit.identity import Actor, Role
from fastflow.kit.secret_text import SecretText

_USER = cast("Table", UserRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
_ATTEMPT = cast("Table", OidcAttemptRow.__table__)  # type: ignore[attr-defined]  # as above
MAX_ATTEMPTS = 10_000


class SqlFederatedStore:
    """See `FederatedStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, attempt: Attempt, *, at: datetime) -> None:
        """See `FederatedStore.begin`."""
        with self._database.write() as connection:
            connection.execute(delete(_ATTEMPT).where(_ATTEMPT.c.expires_at <= at))
            if connection.execute(select(func.count()).select_from(_ATTEMPT)).scalar_one() >= MAX_ATTEMPTS:
                raise CapacityExceeded("Too many logins are under way.", retry_after_seconds=60)
            connection.execute(insert(_ATTEMPT), {**vars(attempt), "verifier": attempt.verifier.reveal()})

    def take(self, state_hash: str) -> Attempt | None:
        """See `FederatedStore.take`."""
        with self._database.write() as connection:
            row = connection.execute(select(_ATTEMPT).where(_ATTEMPT.c.state_hash == state_hash)).mappings().first()
            gone = connection.execute(delete(_ATTEMPT).where(_ATTEMPT.c.state_hash == state_hash)).rowcount
        if row is None or not gone:
            return None
        return Attempt(**{**row, "verifier": SecretText(row["verifier"])})

    def find(self, issuer: str, subject: str) -> User | None:
        """See `FederatedStore.find`."""
        known = select(_USER).where(_USER.c.oidc_issuer == issuer, _USER.c.oidc_subject == subject)
        with self._database.read() as connection:
            row = connection.execute(known).mappings().first()
        return user_of(row) if row else None

    def enter(
        self,
        user: User,
        claims: Claims,
        rights: Rights | None,
        *,
        password_hash: str | None,
        actor: Actor,
        at: datetime,
    ) -> User:
        """See `FederatedStore.enter`."""
        try:
            with self._database.write() as connection:
                self._database.lock(connection, LOCK)
                if password_hash is not None:
                    row = {**_made(user), "password_hash": password_hash}
                    connection.execute(insert(_USER), row)
                    detail = {"role": user.role.word, "oidc": claims.issuer}
                    record(connection, at=at, actor=actor, action="user.create", subject=user.name, detail=detail)
                found = connection.execute(select(_USER).where(_USER.c.id == user.id)).mappings().one()
                changes = _changes(dict(found), claims, rights)
                if rights is not None and _is_last_admin(connection, user_of(found)):
                    changes.pop("role", None)  # the provider's groups must not leave nobody who can administer
                if changes:
                    connection.execute(update(_USER).where(_USER.c.id == user.id).values(changes))
                    record(connection, at=at, actor=actor, action="user.oidc", subject=user.name, detail=changes)
                return user_of(connection.execute(select(_USER).where(_USER.c.id == user.id)).mappings().one())
        except IntegrityError as error:
            raise Conflict(
                f"The user name {user.name!r} was taken meanwhile.", code="user_exists", hint="Log in again."
            ) from error

    def note_refusal(self, why: str, *, detail: Mapping[str, str], address: str | None, at: datetime) -> None:
        """See `FederatedStore.note_refusal`."""
        actor = Actor(name="anonymous", role=Role.NONE, address=address)
        told = {"method": "oidc", "why": why, **detail}
        with self._database.write() as connection:
            record(connection, at=at, actor=actor, action="user.login_refused", subject="(unknown)", detail=told)


def _made(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role.word,
        "must_change_password": False,
        "disabled": False,
        "created_at": user.created_at,
    }


def _changes(found: Mapping[str, Any], claims: Claims, rights: Rights | None) -> dict[str, Any]:
    wanted: dict[str, Any] = {"oidc_issuer": claims.issuer, "oidc_subject": claims.subject}
    if rights is not None:
        wanted |= {"role": rights.role.word, "grants": grants_out(rights.grants)}
    return {name: value for name, value in wanted.items() if found[name] != value}


def _is_last_admin(connection: Any, user: User) -> bool:
    others = select(_USER.c.id).where(
        _USER.c.role == Role.ADMIN.word, _USER.c.disabled.is_(False), _USER.c.id != user.id
    )
    return user.can_administer and connection.execute(others.limit(1)).first() is None
