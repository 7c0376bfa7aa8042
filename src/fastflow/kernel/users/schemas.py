"""Users, logins and tokens on the wire."""

from datetime import datetime
from typing import Annotated, Literal, cast

from pydantic import BaseModel, Field, SecretStr

from fastflow.kernel.http.params import Instant
from fastflow.kernel.http.schemas import PageOut, PipelineNames, RequestBody
from fastflow.kernel.users.domain.accounts import MAX_PASSWORD, Token, User
from fastflow.kit.identity import Role
from fastflow.kit.secret_text import SecretText

RoleWord = Literal["viewer", "operator", "admin"]
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


class TokenIn(RequestBody):
    """A new token."""

    name: Name
    role: RoleWord
    pipelines: PipelineNames | None = Field(
        None, max_length=1000, description="The only pipelines it may touch; null means all."
    )
    expires_at: Instant | None = Field(None, description="When it ends; null means never.")


class UserOut(BaseModel):
    """A person who may log in."""

    name: str
    role: RoleWord
    must_change_password: bool
    disabled: bool
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> "UserOut":
        """The user as the API shows it."""
        return cls.model_validate({**vars(user), "role": user.role.word})


class UserPage(PageOut[UserOut]):
    """One page of users, by name."""


class SessionOut(BaseModel):
    """A login that has begun; its cookie is in `Set-Cookie`."""

    name: str
    role: RoleWord
    must_change_password: bool
    expires_at: datetime


class MeOut(BaseModel):
    """The caller."""

    name: str = Field(description="`user:NAME`, `token:NAME` or `cli:OSUSER`.")
    role: RoleWord
    pipelines: list[str] | None = Field(description="The only pipelines the caller may touch; null means all.")
    must_change_password: bool


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

    @classmethod
    def of(cls, token: Token) -> "TokenOut":
        """The token as the API shows it."""
        return cls.model_validate({**vars(token), "role": token.role.word})


class NewTokenOut(TokenOut):
    """A token that was just made."""

    token: str = Field(description="Shown this once. Send it as `Authorization: Bearer TOKEN`.")


class TokenPage(PageOut[TokenOut]):
    """One page of tokens, by name."""
