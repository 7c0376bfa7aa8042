"""Users, logins and tokens on the wire."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal, cast

from pydantic import BaseModel, Field, SecretStr

from fastflow.kernel.http.params import Instant
from fastflow.kernel.http.schemas import PageOut, PipelineNames, RequestBody
from fastflow.kernel.users.domain.accounts import MAX_PASSWORD, Token, User, parse_role
from fastflow.kit.identity import Grant, Role
from fastflow.kit.secret_text import SecretText

RoleWord = Literal["none", "viewer", "operator", "admin"]
GrantedRole = Literal["viewer", "operator", "admin"]
Password = Annotated[SecretStr, Field(max_length=MAX_PASSWORD)]
Name = Annotated[str, Field(max_length=100)]


def role_word(role: Role) -> RoleWord:
    """The role as the API writes it."""
    return cast("RoleWord", role.word)


def secret_text(value: SecretStr) -> SecretText:
    """A password from the wire as the services take it."""
    return SecretText(value.get_secret_value())


class LoginIn(RequestBody):
    """Name and password."""

    name: Name
    password: Password


class PasswordIn(RequestBody):
    """One's own new password."""

    current_password: Password
    new_password: Password = Field(description="At least 10 characters, and not the user's name.")


class UserIn(RequestBody):
    """A new user."""

    name: Name = Field(description="Lower-case letters, digits, dots, dashes, underscores; begins with a letter.")
    password: Password = Field(description="At least 10 characters; the user has to replace it at the first login.")
    role: RoleWord


class UserChangeIn(RequestBody):
    """What to change of a user; what is left away stays."""

    role: RoleWord | None = None
    disabled: bool | None = Field(None, description="A disabled user cannot log in; every session ends.")
    password: Password | None = Field(None, description="The user has to replace it at the next login.")


class GrantIn(RequestBody):
    """A role on some pipelines."""

    role: GrantedRole
    pipelines: str = Field(
        max_length=200, description="A pipeline's name, or a pattern in which `*` stands for any text: `billing-*`."
    )

    def record(self) -> Grant:
        """As the services take it."""
        return Grant(role=parse_role(self.role), pipelines=self.pipelines)


class GrantOut(BaseModel):
    """A role on some pipelines."""

    role: GrantedRole
    pipelines: str

    @classmethod
    def of(cls, grant: Grant) -> "GrantOut":
        """The grant as the API shows it."""
        return cls(role=cast("GrantedRole", grant.role.word), pipelines=grant.pipelines)


def grants_out(grants: Collection[Grant]) -> list[GrantOut]:
    """The grants as the API shows them."""
    return [GrantOut.of(grant) for grant in grants]


class GrantList(BaseModel):
    """What a user may do: the role everywhere, and roles on some pipelines."""

    name: str
    role: RoleWord
    items: list[GrantOut]

    @classmethod
    def of(cls, user: User) -> "GrantList":
        """The user's grants as the API shows them."""
        return cls(name=user.name, role=role_word(user.role), items=grants_out(user.grants))


class TokenIn(RequestBody):
    """A new token."""

    name: Name
    role: RoleWord
    pipelines: PipelineNames | None = Field(
        None,
        max_length=1000,
        description="Names and patterns (`billing-*`) of the only pipelines that the role is for; null means all.",
    )
    grants: list[GrantIn] | None = Field(
        None,
        max_length=200,
        description="Roles on some pipelines, which add to the role; with the role none, all it has.",
    )
    expires_at: Instant | None = Field(None, description="When it ends; null means never.")


class UserOut(BaseModel):
    """A person who may log in."""

    name: str
    role: RoleWord
    must_change_password: bool
    disabled: bool
    created_at: datetime
    grants: list[GrantOut]

    @classmethod
    def of(cls, user: User) -> "UserOut":
        """The user as the API shows it."""
        return cls.model_validate({**vars(user), "role": user.role.word, "grants": grants_out(user.grants)})


class UserPage(PageOut[UserOut]):
    """One page of users, by name."""


class SessionOut(BaseModel):
    """A login that has begun; its cookie is in `Set-Cookie`."""

    name: str
    role: RoleWord
    must_change_password: bool
    expires_at: datetime
    csrf_token: str = Field(description="Sent as X-CSRF-Token with every change that the cookie authenticates.")


class MeOut(BaseModel):
    """The caller."""

    name: str = Field(description="`user:NAME`, `token:NAME` or `cli:OSUSER`.")
    role: RoleWord
    pipelines: list[str] | None = Field(
        description="Names and patterns of the only pipelines that the role is for; null means all."
    )
    grants: list[GrantOut] = Field(description="Roles on some pipelines, which add to the role.")
    csrf_token: str | None = Field(
        description="Sent as X-CSRF-Token with every change that the cookie authenticates; null for other callers."
    )
    is_from_provider: bool = Field(
        description="The login of this browser was made with the OpenID Connect provider: after `POST /auth/logout`, "
        "`GET /auth/oidc/logout` ends it there as well."
    )
    must_change_password: bool


class OpenSessionOut(BaseModel):
    """A login of one's own that has not ended."""

    id: str
    is_current: bool = Field(description="The one that asks.")
    method: Literal["password", "oidc"]
    created_at: datetime
    last_seen_at: datetime = Field(description="To the minute.")
    expires_at: datetime = Field(description="Earlier when it is not used: see SESSION_IDLE.")
    address: str | None
    user_agent: str | None


class OpenSessionPage(PageOut[OpenSessionOut]):
    """One page of one's logins, oldest first."""


class TokenOut(BaseModel):
    """A bearer token; the token itself is not kept."""

    id: str
    name: str
    role: RoleWord
    pipelines: list[str] | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    grants: list[GrantOut]

    @classmethod
    def of(cls, token: Token) -> "TokenOut":
        """The token as the API shows it."""
        return cls.model_validate({**vars(token), "role": token.role.word, "grants": grants_out(token.grants)})


class NewTokenOut(TokenOut):
    """A token that was just made."""

    token: str = Field(description="Shown this once. Send it as `Authorization: Bearer TOKEN`.")


class TokenPage(PageOut[TokenOut]):
    """One page of tokens, by name."""
