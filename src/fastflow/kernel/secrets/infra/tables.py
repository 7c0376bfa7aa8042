"""Tables of secrets and parameters."""

from datetime import datetime

from sqlalchemy import Column, Text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime


class SecretRow(SQLModel, table=True):
    """A named secret, or a plain parameter that is kept beside the secrets."""

    __tablename__ = "secret"

    key: str = Field(primary_key=True, max_length=200)
    is_parameter: bool = False
    """True: a plain parameter whose value may be read again."""
    pipelines: list[str] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    """Names of the pipelines that may read it; None means every pipeline that lists it."""
    version: int
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class SecretVersionRow(SQLModel, table=True):
    """One version of a secret's value, encrypted."""

    __tablename__ = "secret_version"

    key: str = Field(primary_key=True, max_length=200, foreign_key="secret.key", ondelete="CASCADE")
    version: int = Field(primary_key=True)
    ciphertext: str = Field(sa_type=Text)
    """Fernet token."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=200)


class RetiredSecretRow(SQLModel, table=True):
    """A deleted secret's last version: one of the same key continues from there, so that a key and a version in a run's
    capsule never mean another value."""

    __tablename__ = "secret_retired"

    key: str = Field(primary_key=True, max_length=200)
    version: int
