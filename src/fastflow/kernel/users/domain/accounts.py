"""Users, logins and tokens, and the rules they obey."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fastflow.kernel.users.domain.grants import check_grant, check_pattern
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Grant, Role
from fastflow.kit.secret_text import SecretText

MIN_PASSWORD = 10
MAX_PASSWORD = 200
"""Long enough for any passphrase; hashing cost grows with length, so there is an end."""
_MIN_DISTINCT = 4
_USER_NAME = re.compile(r"[a-z][a-z0-9._-]{0,62}")
_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,79}")


@dataclass(frozen=True, kw_only=True)
class User:
    """A person who may log in.

    Attributes:
        must_change_password: the password was set by somebody else; nothing but changing it is allowed.
        disabled: may not log in; ends every session.
        grants: roles on some pipelines, beside `role`.
    """

    id: str
    name: str
    role: Role
    must_change_password: bool
    disabled: bool
    created_at: datetime
    grants: tuple[Grant, ...] = ()

    @property
    def can_administer(self) -> bool:
        """Whether this is one of those of whom one has to be left."""
        return self.role == Role.ADMIN and not self.disabled


@dataclass(frozen=True, kw_only=True)
class UserChange:
    """What to change of a user; None leaves it."""

    role: Role | None = None
    disabled: bool | None = None
    password_hash: str | None = None
    must_change_password: bool | None = None
    grants: tuple[Grant, ...] | None = None

    @property
    def ends_sessions(self) -> bool:
        """Whether the user must log in again."""
        return self.password_hash is not None or self.disabled is True


LoginMethod = Literal["password", "oidc"]


@dataclass(frozen=True, kw_only=True)
class SessionOrigin:
    """How and from where a session began; it is shown to its owner, and binds nothing."""

    method: LoginMethod = "password"
    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, kw_only=True)
class OpenSession:
    """A session that has not ended.

    Attributes:
        last_seen_at: of its last request, to the minute.
        is_current: it is the one that asks.
    """

    id: str
    method: LoginMethod
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None
    is_current: bool = False


@dataclass(frozen=True, kw_only=True)
class Login:
    """A browser's session as it was just begun; `cookie` is handed out once and only its hash is kept."""

    user: User
    cookie: SecretText
    expires_at: datetime
    lifetime_seconds: int


@dataclass(frozen=True, kw_only=True)
class Token:
    """A bearer token for programs; the token itself is not kept.

    Attributes:
        pipelines: names and patterns of the only pipelines that `role` is for; None means all.
        grants: roles on some pipelines, beside `role`.
        created_by: the actor who made it.
        expires_at: None means never.
        last_used_at: to the minute; None means never.
    """

    id: str
    name: str
    role: Role
    pipelines: tuple[str, ...] | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    grants: tuple[Grant, ...] = ()


def check_user_name(name: str) -> str:
    """`name`, when it is a possible user name.

    Raises:
        InvalidInput: it is not.
    """
    if not _USER_NAME.fullmatch(name):
        raise InvalidInput(
            "The user name is not usable.",
            code="invalid_user_name",
            hint="Use 1 to 63 lower-case letters, digits, dots, dashes or underscores, beginning with a letter.",
            fields={"name": "must match [a-z][a-z0-9._-]{0,62}"},
        )
    return name


def check_token_name(name: str) -> str:
    """`name`, when it is a possible token name.

    Raises:
        InvalidInput: it is not.
    """
    if not _TOKEN_NAME.fullmatch(name):
        raise InvalidInput(
            "The token name is not usable.",
            code="invalid_token_name",
            hint="Use 1 to 80 letters, digits, spaces, dots, dashes, underscores or @, beginning with a letter or digit.",
            fields={"name": "must match [A-Za-z0-9][A-Za-z0-9 ._@-]{0,79}"},
        )
    return name


def check_scope(pipelines: tuple[str, ...] | None, role: Role) -> tuple[str, ...] | None:
    """The scope of a token without repeats; None means all pipelines.

    Raises:
        InvalidInput: it is empty, names something that cannot be a pipeline, or limits a token of the role admin or none.
    """
    if pipelines is None:
        return None
    if role == Role.ADMIN:
        raise _bad_scope("an admin token cannot be limited to pipelines; use the role operator")
    if role == Role.NONE:
        raise _bad_scope("a token of the role none has nothing to be limited; give it grants")
    if not pipelines:
        raise _bad_scope("an empty list would allow nothing; leave it away to allow every pipeline")
    return tuple(dict.fromkeys(check_pattern(name) for name in pipelines))


def _bad_scope(problem: str) -> InvalidInput:
    return InvalidInput(
        f"The pipelines of the token are not usable: {problem}.",
        code="invalid_scope",
        hint="Name the pipelines the token may touch, or leave `pipelines` away.",
        fields={"pipelines": problem},
    )


def check_password(password: SecretText, user_name: str, field: str = "password") -> str:
    """The password as it is hashed (Unicode NFKC), when it obeys the policy.

    Raises:
        InvalidInput: it does not; names `field` and never the password.
    """
    text = normalise_password(password)
    problem = None
    if len(text) < MIN_PASSWORD:
        problem = f"must have at least {MIN_PASSWORD} characters"
    elif len(text) > MAX_PASSWORD:
        problem = f"must have at most {MAX_PASSWORD} characters"
    elif user_name and not text.casefold().replace(user_name.casefold(), ""):
        problem = "must not be the user's name"
    elif len(set(text)) < _MIN_DISTINCT:
        problem = f"must have at least {_MIN_DISTINCT} different characters"
    if problem:
        raise InvalidInput(
            f"The {field.replace('_', ' ')} {problem}.",
            code="weak_password",
            hint="Choose another one: a few words that do not belong together serve well.",
            fields={field: problem},
        )
    return text


def normalise_password(password: SecretText) -> str:
    """The text that is hashed: the same for every way of typing the same characters."""
    return unicodedata.normalize("NFKC", password.reveal())


def parse_role(word: str) -> Role:
    """`"operator"` -> `Role.OPERATOR`.

    Raises:
        InvalidInput: there is no such role.
    """
    try:
        return Role[word.upper()]
    except KeyError as error:
        raise InvalidInput(
            f"{word[:80]!r} is not a role.",
            code="invalid_role",
            hint="Use none, viewer, operator or admin.",
            fields={"role": "must be none, viewer, operator or admin"},
        ) from error


def parse_grant(text: str, field: str = "grants") -> Grant:
    """`"operator:billing-*"` as a grant.

    Raises:
        InvalidInput: it is none; names the field.
    """
    role, colon, pipelines = text.partition(":")
    if not colon:
        raise InvalidInput(
            f"{text[:80]!r} is no grant.",
            code="invalid_grant",
            hint="Write the role, a colon, and the pipeline or pattern: `operator:billing-*`.",
            fields={field: "must be ROLE:PIPELINES"},
        )
    try:
        return check_grant(parse_role(role), pipelines)
    except InvalidInput as error:
        problem = next(iter(error.fields.values()))
        raise InvalidInput(error.message, code=error.code, hint=error.hint, fields={field: problem}) from error
