"""Finds out who a request comes from: a bearer token, else a session cookie."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from fastapi import Request

from fastflow.kernel.http.access import read_cookie, refuse_forgery, refuse_without_csrf_token
from fastflow.kernel.users.domain.errors import PasswordChangeRequired
from fastflow.kernel.users.service import LoginService, TokenService
from fastflow.kit.errors import Unauthenticated
from fastflow.kit.identity import Actor

REMEMBERED_SECONDS = 2.0
"""How long a verified credential is believed without asking the database: a revoked one ends within this time."""
_MAX_REMEMBERED = 10_000
_ALLOWED_BEFORE_PASSWORD_CHANGE = frozenset({"/auth/me", "/auth/logout", "/auth/password"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Remembered:
    actor: Actor
    must_change_password: bool
    until: float


class Authenticator:
    """Answers at once for a credential it has just verified, else asks the database in a thread.

    Args:
        widen: gives a caller what follows from the rights that were given; None: nothing does.
        seconds: a clock that never jumps.
    """

    def __init__(
        self,
        logins: LoginService,
        tokens: TokenService,
        *,
        widen: Callable[[Actor], Actor] | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._widen = widen
        self._now = seconds
        self._logins = logins
        self._tokens = tokens
        self._remembered: dict[str, _Remembered] = {}

    def __call__(self, request: Request) -> Actor | Awaitable[Actor]:
        """The caller.

        Raises:
            Unauthenticated: no or no valid credentials.
            Forbidden: a forged request, or the password has to be changed first.
        """
        credential = _credential(request)
        remembered = self._remembered.get(credential)
        if remembered is not None and self._now() < remembered.until:
            return _admit(remembered, request, credential)
        return self._look_up(credential, request)

    def forget(self) -> None:
        """Believe nothing without asking again: credentials have just changed."""
        self._remembered = {}

    async def _look_up(self, credential: str, request: Request) -> Actor:
        kept_in = self._remembered
        found = await asyncio.to_thread(self._verify_and_widen, credential)
        if len(kept_in) >= _MAX_REMEMBERED:
            kept_in.clear()
        kept_in[credential] = found
        return _admit(found, request, credential)

    def _verify_and_widen(self, credential: str) -> _Remembered:
        found = self._verify(credential)
        return found if self._widen is None else replace(found, actor=self._widen(found.actor))

    def _verify(self, credential: str) -> _Remembered:
        until = self._now() + REMEMBERED_SECONDS
        kind, _, text = credential.partition(" ")
        if kind == "bearer":
            token = self._tokens.find(text)
            if token is None:
                raise Unauthenticated("The token is not valid: it is unknown, was revoked, or has expired.")
            actor = Actor(name=f"token:{token.name}", role=token.role, pipelines=token.pipelines, grants=token.grants)
            return _Remembered(actor=actor, must_change_password=False, until=until)
        holder = self._logins.find_session(text)
        if holder is None:
            raise Unauthenticated("The session has ended.", code="session_ended", hint="Log in again.")
        user = holder.user
        actor = Actor(name=f"user:{user.name}", role=user.role, grants=user.grants)
        return _Remembered(actor=actor, must_change_password=user.must_change_password, until=until)


def _credential(request: Request) -> str:
    """`bearer TOKEN` or `session COOKIE`; a bearer token goes first, as nothing sends it by itself."""
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("The Authorization header is not of the form `Bearer TOKEN`.")
        return f"bearer {token.strip()}"
    cookie = read_cookie(request)
    if cookie:
        refuse_forgery(request)
        return f"session {cookie}"
    raise Unauthenticated("This needs credentials.")


def _admit(found: _Remembered, request: Request, credential: str) -> Actor:
    kind, _, text = credential.partition(" ")
    if kind == "session":
        refuse_without_csrf_token(request, text)
    if found.must_change_password and request.url.path not in _ALLOWED_BEFORE_PASSWORD_CHANGE:
        raise PasswordChangeRequired("The password has to be changed before anything else.")
    return replace(found.actor, address=request.client.host if request.client else None)
