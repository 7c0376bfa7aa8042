"""Assembles users, logins and tokens."""

from dataclasses import dataclass

from fastflow.kernel.db.engine import Database
from fastflow.kernel.users.infra.hasher import Argon2PasswordHasher
from fastflow.kernel.users.infra.login_attempts import SqlLoginAttempts
from fastflow.kernel.users.infra.session_store import SqlSessionStore
from fastflow.kernel.users.infra.token_store import SqlTokenStore
from fastflow.kernel.users.infra.user_store import SqlUserStore
from fastflow.kernel.users.ports import PasswordHasher
from fastflow.kernel.users.service import LoginService, TokenService, UserService
from fastflow.kit.clock import Clock, SystemClock


@dataclass(frozen=True, kw_only=True)
class UsersRoom:
    """The services of the room."""

    users: UserService
    logins: LoginService
    tokens: TokenService


def build_users(
    database: Database,
    *,
    session_hours: float = 12.0,
    session_idle: float = 7200.0,
    clock: Clock | None = None,
    hasher: PasswordHasher | None = None,
) -> UsersRoom:
    """Users, logins and tokens on the product's database; `clock` and `hasher` are for tests."""
    clock = clock or SystemClock()
    hasher = hasher or Argon2PasswordHasher()
    users = SqlUserStore(database)
    return UsersRoom(
        users=UserService(users, hasher, clock),
        logins=LoginService(
            users, SqlSessionStore(database), SqlLoginAttempts(database), hasher, clock, session_hours, session_idle
        ),
        tokens=TokenService(SqlTokenStore(database), clock),
    )
