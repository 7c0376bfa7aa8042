"""Logins and browser sessions."""

import hashlib
import logging
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from fastflow.kernel.users.domain.accounts import (
    MAX_PASSWORD,
    Login,
    OpenSession,
    SessionOrigin,
    User,
    normalise_password,
)
from fastflow.kernel.users.domain.errors import AccountDisabled, LoginRefused, TooManyLogins
from fastflow.kernel.users.ports import (
    LoginAttempts,
    NewSession,
    PasswordHasher,
    SessionHolder,
    SessionStore,
    UserStore,
)
from fastflow.kernel.users.service.accounts import user_name_of
from fastflow.kit.clock import Clock
from fastflow.kit.errors import NotFound, Unavailable
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import new_id, parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor
from fastflow.kit.secret_text import SecretText

FAILURES_PER_USER = 5
FAILURES_PER_ADDRESS = 20
WINDOW_SECONDS = 15 * 60.0
_TOUCH_EVERY = timedelta(minutes=1)
_log = logging.getLogger("fastflow.users")


class LoginService:
    """Who may begin a session, and whose session a cookie is.

    Args:
        session_hours: how long a session lasts; it is not prolonged by use.
        idle_seconds: how long a session may go without a request.
    """

    def __init__(
        self,
        users: UserStore,
        sessions: SessionStore,
        attempts: LoginAttempts,
        hasher: PasswordHasher,
        clock: Clock,
        session_hours: float,
        idle_seconds: float = 7200.0,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._attempts = attempts
        self._hasher = hasher
        self._clock = clock
        self._lifetime = timedelta(hours=session_hours)
        self._idle = timedelta(seconds=idle_seconds)

    def login(self, name: str, password: SecretText, origin: SessionOrigin) -> Login:
        """Begin a session.

        Every attempt is counted before the password is looked at, so that guesses sent at once cannot pass the limit;
        a right one takes its count back. Unknown names take as long as known ones.

        Raises:
            TooManyLogins: the limit of this user or address is reached.
            LoginRefused: name or password is wrong.
            AccountDisabled: both are right, but the account is disabled.
        """
        user = self.verify(name, password, address=origin.address)
        return self.begin(user, origin)

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

    def begin(self, user: User, origin: SessionOrigin) -> Login:
        """A new session of a user who has been verified."""
        cookie = secrets.token_urlsafe(32)
        now = self._clock.now()
        expires_at = now + self._lifetime
        actor = Actor(name=f"user:{user.name}", role=user.role, address=origin.address)
        new = NewSession(id=new_id(), token_hash=hash_token(cookie), at=now, expires_at=expires_at)
        self._sessions.begin(new, user, origin, actor=actor)
        return Login(
            user=user,
            cookie=SecretText(cookie),
            expires_at=expires_at,
            lifetime_seconds=int(self._lifetime.total_seconds()),
        )

    def find_session(self, cookie: str) -> SessionHolder | None:
        """Whose session the cookie is; None when there is none that is still valid."""
        holder, now = self._sessions.find(hash_token(cookie)), self._clock.now()
        if (
            holder is None
            or holder.user.disabled
            or holder.expires_at <= now
            or now - holder.last_seen_at >= self._idle
        ):
            return None
        if now - holder.last_seen_at >= min(_TOUCH_EVERY, self._idle / 4):
            self._touch(holder, now)
        return holder

    def list_sessions(
        self, actor: Actor, cookie: str | None, *, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[OpenSession]:
        """One page of the actor's sessions that have not ended, oldest first.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Conflict: the actor is no user.
        """
        holder = self._sessions.find(hash_token(cookie)) if cookie else None
        found = self._load_sessions(user_name_of(actor), cursor=cursor, limit=limit)
        current = holder.session_id if holder else None
        return replace(found, items=[replace(session, is_current=session.id == current) for session in found.items])

    def list_sessions_of(
        self, name: str, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[OpenSession]:
        """One page of somebody's sessions that have not ended, oldest first; none of a user who does not exist.

        Raises:
            Forbidden: the actor does not administer users.
            InvalidInput: the cursor was not given out by this list.
        """
        actor.require(Role.ADMIN)
        return self._load_sessions(name, cursor=cursor, limit=limit)

    def end_sessions_of(self, name: str, *, actor: Actor) -> int:
        """End all of somebody's sessions; how many there were.

        Raises:
            Forbidden: the actor does not administer users.
        """
        actor.require(Role.ADMIN)
        return self._sessions.end_of(name, only=None, keep=None, at=self._clock.now(), actor=actor)

    def _load_sessions(self, name: str, *, cursor: str | None, limit: int) -> Page[OpenSession]:
        now = self._clock.now()
        after = str(decode_cursor(cursor, (str,))[0]) if cursor else ""
        found = self._sessions.load(name, seen_after=now - self._idle, at=now, after_id=after, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > limit else None)

    def end_session(self, actor: Actor, session_id: str) -> None:
        """End one of the actor's sessions.

        Raises:
            InvalidInput: not an id.
            NotFound: the actor has no such session.
            Conflict: the actor is no user.
        """
        only = parse_id(session_id, "session_id")
        if not self._sessions.end_of(user_name_of(actor), only=only, keep=None, at=self._clock.now(), actor=actor):
            raise NotFound(
                f"You have no session {only}.", code="unknown_session", hint="`GET /auth/sessions` lists yours."
            )

    def end_sessions(self, actor: Actor, *, keep: str | None) -> None:
        """End the actor's sessions, but for that of a cookie.

        Raises:
            Conflict: the actor is no user.
        """
        kept = hash_token(keep) if keep else None
        self._sessions.end_of(user_name_of(actor), only=None, keep=kept, at=self._clock.now(), actor=actor)

    def _touch(self, holder: SessionHolder, now: datetime) -> None:
        """A database that cannot write at the moment (disk full) must not lock out those who only read."""
        try:
            self._sessions.touch(holder.session_id, now)
        except Unavailable as error:
            _log.warning("session_use_not_noted", extra={"fields": {"user": holder.user.name, "why": error.message}})

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
