"""Users, tokens, secrets and the audit log on a given database, with the app over them: for tests of access."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from fastapi import FastAPI
from pwdlib.hashers.argon2 import Argon2Hasher

from fastflow.kernel.audit.router import build_router as audit_router
from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.audit.wiring import build_audit
from fastflow.kernel.db.engine import Database
from fastflow.kernel.http.app import build_app
from fastflow.kernel.secrets.router import build_router as secrets_router
from fastflow.kernel.secrets.service import SecretService
from fastflow.kernel.secrets.wiring import build_secrets
from fastflow.kernel.users.infra.hasher import Argon2PasswordHasher
from fastflow.kernel.users.router import Authenticator
from fastflow.kernel.users.router import build_router as users_router
from fastflow.kernel.users.service import LoginService, TokenService, UserService
from fastflow.kernel.users.wiring import build_users
from fastflow.kit.clock import Clock
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.kit.secret_text import SecretText

PASSWORD = "correct horse battery"  # noqa: S105  of users in tests
ENCRYPTION_KEY = Fernet.generate_key().decode()


def cheap_hasher() -> Argon2PasswordHasher:
    """Hashes in microseconds: never for real passwords."""
    return Argon2PasswordHasher(Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass(frozen=True, kw_only=True)
class AccessRooms:
    """The services under test, and the app over them."""

    users: UserService
    logins: LoginService
    tokens: TokenService
    secrets: SecretService
    audit: AuditLog
    authenticator: Authenticator
    app: FastAPI

    def token(self, role: Role = Role.ADMIN, pipelines: tuple[str, ...] | None = None) -> str:
        """The text of a fresh token."""
        name = f"{role.word} {len(self.tokens.list(limit=500).items)}"
        return self.tokens.create(name, role, pipelines=pipelines, actor=SYSTEM)[1].reveal()

    def user(self, name: str, role: Role = Role.VIEWER) -> Actor:
        """A user whose password is PASSWORD and who need not change it."""
        first = SecretText("an initial password")
        self.users.create(name, first, role, actor=SYSTEM)
        actor = Actor(name=f"user:{name}", role=role)
        self.users.change_own_password(actor, first, SecretText(PASSWORD))
        return actor


def build_access_rooms(
    database: Database, data_dir: Path, clock: Clock, *, encryption_key: str = ENCRYPTION_KEY
) -> AccessRooms:
    """The rooms with a cheap password hash."""
    people = build_users(database, clock=clock, hasher=cheap_hasher())
    secrets = build_secrets(database, encryption_key=encryption_key, data_dir=data_dir, clock=clock).secrets
    audit = build_audit(database)
    authenticator = Authenticator(people.logins, people.tokens)
    app = build_app(
        [users_router(people.users, people.logins, people.tokens), secrets_router(secrets), audit_router(audit)],
        authenticate=authenticator,
        credentials_changed=authenticator.forget,
    )
    return AccessRooms(
        users=people.users,
        logins=people.logins,
        tokens=people.tokens,
        secrets=secrets,
        audit=audit,
        authenticator=authenticator,
        app=app,
    )
