"""Logins and browser sessions."""

import hashlib
import secrets
from datetime import timedelta

from fastflow.kernel.users.domain.accounts import MAX_PASSWORD, Login, User, normalise_password
from fastflow.kernel.users.domain.errors import AccountDisabled, LoginRefused, TooManyLogins
from fastflow.kernel.users.ports import LoginAttempts, PasswordHasher, SessionHolder, SessionStore, UserStore
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor
from fastflow.kit.secret_text import SecretText

FAILURES_PER_USER = 5
FAILURES_PER_ADDRESS = 20
WINDOW_SECONDS = 15 * 60.0


class LoginService:
    """Who may begin a session, and whose session a cookie is.

    Args:
        session_hours: how long a session lasts; it is not prolonged by use.
    """

    def __init__(
        self,
        users: UserStore,
        sessions: SessionStore,
        attempts: LoginAttempts,
        hasher: PasswordHasher,
        clock: Clock,
        session_hours: float,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._attempts = attempts
        self._hasher = hasher
        self._clock = clock
        self._lifetime = timedelta(hours=session_hours)

    def login(self, name: str, password: SecretText, *, address: str | None) -> Login:
        """Begin a session.

        Every attempt is counted before the password is looked at, so that guesses sent at once cannot pass the limit;
        a right one takes its count back. Unknown names take as long as known ones.

        Raises:
            TooManyLogins: the limit of this user or address is reached.
            LoginRefused: name or password is wrong.
            AccountDisabled: both are right, but the account is disabled.
        """
        user = self.verify(name, password, address=address)
        return self.begin(user, address=address)

    def verify(self, name: str, password: SecretText, *, address: str | None) -> User:
        """The user of that name and password; counted and limited like every login. Raises as `login` does."""
        name = "".join(letter if letter.isprintable() else "?" for letter in name.strip().lower()[:100])
        user_subject = f"user:{name}"
        address_subject = f"address:{address}" if address else None
        self._count(user_subject, address_subject)
        found = self._users.find_with_hash(name)
        text = normalise_password(password)[: MAX_PASSWORD + 1]
        if not self._hasher.verify(text, found[1] if found else None) or found is None:
            self._sessions.note_refusal(found[0] if found else None, at=self._clock.now(), address=address)
            raise LoginRefused("The name or the password is wrong.")
        self._attempts.forgive(user_subject, address_subject)
        user = found[0]
        if user.disabled:
            raise AccountDisabled(f"The account {user.name!r} is disabled.")
        return user

    def begin(self, user: User, *, address: str | None) -> Login:
        """A new session of a user who has been verified."""
        cookie = secrets.token_urlsafe(32)
        now = self._clock.now()
        expires_at = now + self._lifetime
        actor = Actor(name=f"user:{user.name}", role=user.role, address=address)
        self._sessions.begin(hash_token(cookie), user, at=now, expires_at=expires_at, actor=actor)
        return Login(
            user=user,
            cookie=SecretText(cookie),
            expires_at=expires_at,
            lifetime_seconds=int(self._lifetime.total_seconds()),
        )

    def find_session(self, cookie: str) -> SessionHolder | None:
        """Whose session the cookie is; None when there is none that is still valid."""
        holder = self._sessions.find(hash_token(cookie))
        if holder is None or holder.user.disabled or holder.expires_at <= self._clock.now():
            return None
        return holder

    def logout(self, cookie: str, *, actor: Actor) -> None:
        """End the session. Idempotent."""
        self._sessions.end(hash_token(cookie), at=self._clock.now(), actor=actor)

    def _count(self, user_subject: str, address_subject: str | None) -> None:
        limits = [(user_subject, FAILURES_PER_USER)]
        if address_subject is not None:
            limits.append((address_subject, FAILURES_PER_ADDRESS))
        wait = self._attempts.reserve(limits, at=self._clock.now(), window_seconds=WINDOW_SECONDS)
        if wait is not None:
            raise TooManyLogins("Too many failed logins for this name or from this address.", retry_after_seconds=wait)


def hash_token(token: str) -> str:
    """What is kept of a cookie or a token: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
