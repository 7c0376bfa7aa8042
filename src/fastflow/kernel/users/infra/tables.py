"""Tables of users, their sessions and tokens, and failed logins."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime


class UserRow(SQLModel, table=True):
    """A person who may log in."""

    __tablename__ = "user_account"
    __table_args__ = (Index("uq_user_account_oidc", "oidc_issuer", "oidc_subject", unique=True),)

    id: str = Field(primary_key=True, max_length=36)
    name: str = Field(max_length=100, unique=True)
    role: str = Field(max_length=10)
    """none, viewer, operator or admin."""
    password_hash: str = Field(max_length=300)
    must_change_password: bool = False
    disabled: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)
    grants: list[dict[str, str]] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    """Roles on some pipelines, beside `role`: `{"role", "pipelines"}`."""
    oidc_issuer: str | None = Field(default=None, max_length=500)
    oidc_subject: str | None = Field(default=None, max_length=255)
    """What the provider of that issuer calls them."""


class OidcAttemptRow(SQLModel, table=True):
    """A login through the provider that was begun."""

    __tablename__ = "oidc_attempt"

    state_hash: str = Field(primary_key=True, max_length=64)
    browser_hash: str = Field(max_length=64)
    nonce: str = Field(max_length=100)
    verifier: str = Field(max_length=128)
    return_to: str = Field(max_length=2000)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class SessionRow(SQLModel, table=True):
    """A login in a browser."""

    __tablename__ = "user_session"

    token_hash: str = Field(primary_key=True, max_length=64)
    """SHA-256 of the cookie's value."""
    user_id: str = Field(max_length=36, foreign_key="user_account.id", ondelete="CASCADE", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)
    id: str = Field(max_length=36, unique=True)
    """What it is called by where its cookie must not be shown."""
    last_seen_at: datetime = Field(sa_type=UtcDateTime)
    """Of its last request, to the minute."""
    method: str = Field(max_length=10)
    """password or oidc."""
    address: str | None = Field(default=None, max_length=60)
    user_agent: str | None = Field(default=None, max_length=200)


class TokenRow(SQLModel, table=True):
    """A bearer token for programs."""

    __tablename__ = "api_token"

    id: str = Field(primary_key=True, max_length=36)
    name: str = Field(max_length=100, unique=True)
    role: str = Field(max_length=10)
    token_hash: str = Field(max_length=64, unique=True)
    """SHA-256 of the token; the token itself is shown once."""
    pipelines: list[str] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    """Names and patterns of the pipelines that `role` is for; None means all."""
    grants: list[dict[str, str]] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    """Roles on some pipelines, beside `role`: `{"role", "pipelines"}`."""
    created_by: str = Field(max_length=100)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class LoginAttemptRow(SQLModel, table=True):
    """A failed login, kept for the rate limit."""

    __tablename__ = "login_attempt"
    __table_args__ = (Index("ix_login_attempt_subject_at", "subject", "at"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    subject: str = Field(max_length=200)
    """`user:NAME` or `address:IP`."""
    at: datetime = Field(sa_type=UtcDateTime)
