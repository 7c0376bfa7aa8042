"""Bearer tokens for programs."""

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from fastflow.kernel.users.domain.accounts import Token, check_scope, check_token_name
from fastflow.kernel.users.domain.grants import check_grant, with_grant
from fastflow.kernel.users.ports import TokenStore
from fastflow.kernel.users.service.logins import hash_token
from fastflow.kit.clock import Clock
from fastflow.kit.errors import Forbidden, InvalidInput, Unavailable
from fastflow.kit.identity import Actor, Grant, Role
from fastflow.kit.ids import new_id, parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor
from fastflow.kit.secret_text import SecretText

_log = logging.getLogger("fastflow.users")

TOKEN_PREFIX = "ff_"  # noqa: S105  the beginning of every token, not one of them
"""Makes a leaked token findable by secret scanners."""
_TOUCH_EVERY = timedelta(minutes=1)


class TokenService:
    """Bearer tokens: made by administrators, shown once, revoked by deleting them.

    A token belongs to the installation, not to its maker: it goes on working when the maker leaves.
    """

    def __init__(self, tokens: TokenStore, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock

    def create(
        self,
        name: str,
        role: Role,
        *,
        pipelines: tuple[str, ...] | None = None,
        expires_at: datetime | None = None,
        grants: tuple[Grant, ...] = (),
        actor: Actor,
    ) -> tuple[Token, SecretText]:
        """A new token and its text, which cannot be had again.

        Raises:
            InvalidInput: the name, the scope, a grant or the expiry is not usable.
            Forbidden: the token would be allowed more than its maker.
            Conflict: the name is taken.
        """
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            raise InvalidInput(
                "The token would have expired already.",
                code="invalid_expiry",
                hint="Give a time in the future, or leave `expires_at` away for a token without end.",
                fields={"expires_at": "must be in the future"},
            )
        token = Token(
            id=new_id(),
            name=check_token_name(name),
            role=role,
            pipelines=check_scope(pipelines, role),
            created_by=actor.name[:100],
            created_at=now,
            expires_at=expires_at,
            last_used_at=None,
            grants=_checked(grants),
        )
        _require_no_more_rights(token, actor)
        text = TOKEN_PREFIX + secrets.token_urlsafe(32)
        self._tokens.add(token, hash_token(text), actor=actor)
        return token, SecretText(text)

    def list(self, *, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE) -> Page[Token]:
        """One page of tokens, by name; never their text.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        after = str(decode_cursor(cursor, (str,))[0]) if cursor else ""
        found = self._tokens.load(after_name=after, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].name) if len(found) > limit else None)

    def delete(self, token_id: str, *, actor: Actor) -> None:
        """Revoke a token; within two seconds no process accepts it any more.

        Raises:
            InvalidInput: `token_id` is no id.
            NotFound: there is no such token.
        """
        self._tokens.delete(parse_id(token_id, "token_id"), actor=actor, at=self._clock.now())

    def find(self, text: str) -> Token | None:
        """The valid token with this text; None when there is none. Notes its use, at most once a minute."""
        if not text.startswith(TOKEN_PREFIX):
            return None
        token = self._tokens.find(hash_token(text))
        now = self._clock.now()
        if token is None or (token.expires_at is not None and token.expires_at <= now):
            return None
        if token.last_used_at is None or now - token.last_used_at >= _TOUCH_EVERY:
            self._touch(token, now)
        return token

    def _touch(self, token: Token, now: datetime) -> None:
        """A database that cannot write at the moment (disk full) must not lock out those who only read."""
        try:
            self._tokens.touch(token.id, now)
        except Unavailable as error:
            _log.warning("token_use_not_noted", extra={"fields": {"token": token.name, "why": error.message}})


def _checked(grants: Sequence[Grant]) -> tuple[Grant, ...]:
    found: tuple[Grant, ...] = ()
    for each in grants:
        found = with_grant(found, check_grant(each.role, each.pipelines))
    return found


def _require_no_more_rights(token: Token, actor: Actor) -> None:
    highest = max([token.role, *(grant.role for grant in token.grants)])
    if highest > actor.role:
        raise Forbidden(
            f"{actor.name} is {actor.role.word} and cannot grant the role {highest.word}.",
            code="role_too_high",
            hint=f"Ask for the role {actor.role.word} or a lower one.",
        )
    if actor.pipelines is not None and (
        token.grants or token.pipelines is None or not set(token.pipelines) <= set(actor.pipelines)
    ):
        raise Forbidden(
            f"{actor.name} cannot grant access to pipelines beyond its own scope.",
            code="scope_too_wide",
            hint="Name only pipelines of your own scope.",
        )
