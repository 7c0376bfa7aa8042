"""Assembles users, logins and tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastflow.kernel.db.engine import Database
from fastflow.kernel.users.domain.accounts import parse_role
from fastflow.kernel.users.domain.oidc import OidcRules, Provider, parse_group_rights
from fastflow.kernel.users.infra.federated_store import SqlFederatedStore
from fastflow.kernel.users.infra.hasher import Argon2PasswordHasher
from fastflow.kernel.users.infra.login_attempts import SqlLoginAttempts
from fastflow.kernel.users.infra.session_store import SqlSessionStore
from fastflow.kernel.users.infra.token_store import SqlTokenStore
from fastflow.kernel.users.infra.user_store import SqlUserStore
from fastflow.kernel.users.ports import PasswordHasher
from fastflow.kernel.users.service import FederatedLogins, LoginService, TokenService, UserService
from fastflow.kit.clock import Clock, SystemClock
from fastflow.kit.secret_text import SecretText


@dataclass(frozen=True, kw_only=True)
class UsersRoom:
    """The services of the room."""

    users: UserService
    logins: LoginService
    tokens: TokenService
    federated: FederatedLogins | None


@dataclass(frozen=True, kw_only=True)
class OidcSetup:
    """A provider and what those who log in with it may do, as plain values; `settings` says what each means."""

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    group_claim: str = "groups"
    groups: str | None = None
    default_role: str = "viewer"
    email_domains: tuple[str, ...] = ()
    auto_create: bool = True

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> "OidcSetup | None":
        """What the values describe; None: no provider."""
        return None if values is None else cls(**values)

    @property
    def provider(self) -> Provider:
        """Whom to ask."""
        secret = None if self.client_secret is None else SecretText(self.client_secret)
        return Provider(
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=secret,
            scopes=self.scopes,
            group_claim=self.group_claim,
        )

    @property
    def rules(self) -> OidcRules:
        """What is made of the answer.

        Raises:
            InvalidInput: `groups` is not of its form.
        """
        return OidcRules(
            group_rights={} if self.groups is None else parse_group_rights(self.groups),
            default_role=parse_role(self.default_role),
            email_domains=self.email_domains,
            auto_create=self.auto_create,
        )


def build_users(
    database: Database,
    *,
    session_hours: float = 12.0,
    session_idle: float = 7200.0,
    oidc: OidcSetup | None = None,
    clock: Clock | None = None,
    hasher: PasswordHasher | None = None,
) -> UsersRoom:
    """Users, logins and tokens on the product's database; `clock` and `hasher` are for tests.

    Args:
        database: the product's.
        session_hours: a session's longest life.
        session_idle: seconds without a request after which it ends.
        oidc: the provider people may log in with; None: there is none.
        clock: the time.
        hasher: of passwords.
    """
    clock = clock or SystemClock()
    hasher = hasher or Argon2PasswordHasher()
    users = SqlUserStore(database)
    logins = LoginService(
        users, SqlSessionStore(database), SqlLoginAttempts(database), hasher, clock, session_hours, session_idle
    )
    federated = None
    if oidc is not None:
        from fastflow.kernel.users.infra.oidc_provider import HttpIdentityProvider  # with libraries others do without

        federated = FederatedLogins(
            provider=HttpIdentityProvider(oidc.provider),
            store=SqlFederatedStore(database),
            users=users,
            logins=logins,
            hasher=hasher,
            rules=oidc.rules,
            clock=clock,
        )
    return UsersRoom(
        users=UserService(users, hasher, clock),
        logins=logins,
        tokens=TokenService(SqlTokenStore(database), clock),
        federated=federated,
    )
