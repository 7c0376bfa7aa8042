"""What users, logins and tokens need of their surroundings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fastflow.kernel.users.domain.accounts import OpenSession, SessionOrigin, Token, User, UserChange
from fastflow.kernel.users.domain.oidc import Attempt, Claims, Rights
from fastflow.kit.identity import Actor
from fastflow.kit.secret_text import SecretText


class PasswordHasher(Protocol):
    """Slow, salted hashing of passwords."""

    def hash(self, password: str) -> str:
        """A fresh salted hash."""
        ...

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether they belong together; None takes as long and is never right."""
        ...


class UserStore(Protocol):
    """Users in the database. Every change is audited in its own transaction and refused when it would leave no
    enabled admin (`LastAdmin`)."""

    def is_empty(self) -> bool:
        """Whether there is no user at all."""
        ...

    def add_first(self, user: User, password_hash: str, *, actor: Actor) -> bool:
        """Add `user` if there is no user at all; False when there is one. Safe to call from several processes."""
        ...

    def add(self, user: User, password_hash: str, *, actor: Actor) -> None:
        """Raises:
        Conflict: the name is taken.
        """
        ...

    def find(self, name: str) -> User | None:
        """The user of that name."""
        ...

    def find_with_hash(self, name: str) -> tuple[User, str] | None:
        """The user of that name and the hash of the password."""
        ...

    def load(self, *, after_name: str, limit: int) -> Sequence[User]:
        """At most `limit` users by name, after the given one."""
        ...

    def change(
        self, name: str, decide: UserChange | Callable[[User], UserChange], *, actor: Actor, at: datetime
    ) -> User:
        """The user afterwards; sessions are ended when the change asks for it.

        Args:
            name: of the user.
            decide: the change, or what makes it of the user as they are inside the transaction.
            actor: who changes it.
            at: now.

        Raises:
            NotFound: there is no such user.
        """
        ...

    def delete(self, name: str, *, actor: Actor, at: datetime) -> None:
        """Raises:
        NotFound: there is no such user.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class SessionHolder:
    """Who a session belongs to, until when, and when it was last used."""

    user: User
    session_id: str
    expires_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """A session to be kept: its id, and the hash of its cookie."""

    id: str
    token_hash: str
    at: datetime
    expires_at: datetime


class SessionStore(Protocol):
    """Browser sessions, by the hash of their cookie."""

    def begin(self, new: NewSession, user: User, origin: SessionOrigin, *, actor: Actor) -> None:
        """Keep a new session; removes those that have expired."""
        ...

    def find(self, token_hash: str) -> SessionHolder | None:
        """The session, expired or not."""
        ...

    def touch(self, session_id: str, at: datetime) -> None:
        """Note that it was used."""
        ...

    def load(
        self, user_name: str, *, seen_after: datetime, at: datetime, after_id: str, limit: int
    ) -> Sequence[OpenSession]:
        """At most `limit` of a user's sessions that have not ended, by id."""
        ...

    def end(self, token_hash: str, *, at: datetime, actor: Actor) -> None:
        """Forget the session. Idempotent."""
        ...

    def end_of(self, user_name: str, *, only: str | None, keep: str | None, at: datetime, actor: Actor) -> int:
        """Forget sessions of a user: the one of an id, or all but that of a cookie's hash; how many."""
        ...

    def note_refusal(self, user: User | None, *, at: datetime, address: str | None) -> None:
        """Put a refused login into the audit log; a name nobody has is left out, as it may be a mistyped password."""
        ...


class LoginAttempts(Protocol):
    """Failed logins, for the rate limit."""

    def reserve(self, limits: Sequence[tuple[str, int]], *, at: datetime, window_seconds: float) -> float | None:
        """Count one more attempt for each subject unless one is at its limit within the window.

        Args:
            limits: subject and the number of attempts it may have.
            at: now.
            window_seconds: attempts older than this are forgotten.

        Returns:
            None when counted; else seconds until the next attempt is allowed, and nothing is counted.
        """
        ...

    def forgive(self, user_subject: str, address_subject: str | None) -> None:
        """After a login that was right: forget the user's attempts and the address's latest."""
        ...


class TokenStore(Protocol):
    """Bearer tokens, by their hash."""

    def add(self, token: Token, token_hash: str, *, actor: Actor) -> None:
        """Raises:
        Conflict: the name is taken.
        """
        ...

    def load(self, *, after_name: str, limit: int) -> Sequence[Token]:
        """At most `limit` tokens by name, after the given one."""
        ...

    def find(self, token_hash: str) -> Token | None:
        """The token, expired or not."""
        ...

    def touch(self, token_id: str, at: datetime) -> None:
        """Note that it was used."""
        ...

    def delete(self, token_id: str, *, actor: Actor, at: datetime) -> None:
        """Raises:
        NotFound: there is no such token.
        """
        ...


class IdentityProvider(Protocol):
    """An OpenID Connect provider."""

    @property
    def issuer(self) -> str:
        """Its name for itself."""
        ...

    def login_url(self, *, redirect_url: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser goes to log in.

        Raises:
            OidcUnavailable: the provider cannot be asked.
        """
        ...

    def logout_url(self, *, return_url: str, id_token: SecretText | None) -> str | None:
        """Where a browser goes to end its session at the provider; None: the provider names no such place.

        Args:
            return_url: where the provider sends it then.
            id_token: of the login, by which the provider knows whom to log out without asking; None: it was not kept.

        Raises:
            OidcUnavailable: the provider cannot be asked.
        """
        ...

    def redeem(self, code: str, *, redirect_url: str, nonce: str, verifier: str) -> Claims:
        """Who has logged in.

        Raises:
            OidcRefused: the code, or what the provider gives for it, does not hold.
            OidcUnavailable: the provider cannot be asked.
        """
        ...


class FederatedStore(Protocol):
    """Logins under way, and users by what the provider calls them."""

    def begin(self, attempt: Attempt, *, at: datetime) -> None:
        """Keep an attempt; removes those that have expired.

        Raises:
            CapacityExceeded: too many are under way.
        """
        ...

    def take(self, state_hash: str) -> Attempt | None:
        """The attempt, which is gone then: of two that ask at once one gets it."""
        ...

    def find(self, issuer: str, subject: str) -> User | None:
        """The user that this is."""
        ...

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
        """Bind the user to what the provider calls them, and give them what their groups allow, in one transaction.

        Args:
            user: as they are, or as they shall be made.
            claims: what the provider says.
            rights: None leaves role and grants as they are.
            password_hash: makes the user; None: there is one.
            actor: who does it.
            at: now.

        Raises:
            Conflict: the name was taken meanwhile.
        """
        ...

    def note_refusal(self, why: str, *, detail: Mapping[str, str], address: str | None, at: datetime) -> None:
        """Put a refused login into the audit log."""
        ...
