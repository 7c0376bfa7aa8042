"""Tables of environments: built ones, which lock a set of requirements was resolved to, and which could not be made."""

from datetime import datetime

from sqlalchemy import BigInteger, Text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import UtcDateTime


class EnvironmentRow(SQLModel, table=True):
    """A content-addressed environment. The folder on disk is the truth; this row is its catalogue card."""

    __tablename__ = "environment"

    hash: str = Field(primary_key=True, max_length=64)
    interpreter: str = Field(max_length=200)
    """Implementation and full version, e.g. `cpython-3.11.7`."""
    lock: str = Field(sa_type=Text)
    """The locked requirements with hashes that it was built from; empty for the empty environment."""
    uv_version: str = Field(max_length=40)
    size_bytes: int = Field(sa_type=BigInteger)
    packages: int
    build_seconds: float
    built_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime = Field(sa_type=UtcDateTime)


class EnvironmentResolutionRow(SQLModel, table=True):
    """Unlocked requirements, as written, and the environment they were first resolved to."""

    __tablename__ = "environment_resolution"

    input_hash: str = Field(primary_key=True, max_length=64)
    environment: str = Field(max_length=64, index=True)
    resolved_at: datetime = Field(sa_type=UtcDateTime)


class EnvironmentFailureRow(SQLModel, table=True):
    """Requirements whose environment could not be made ready when it was last tried."""

    __tablename__ = "environment_failure"

    input_hash: str = Field(primary_key=True, max_length=64)
    problem: str = Field(sa_type=Text)
    failed_at: datetime = Field(sa_type=UtcDateTime)
