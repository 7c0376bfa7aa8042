"""The table of ends whose traces were not sent yet."""

from datetime import datetime

from sqlalchemy import BigInteger, Integer
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import UtcDateTime


class TraceDueRow(SQLModel, table=True):
    """A run that ended while tracing was on."""

    __tablename__ = "trace_due"
    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    run_id: str = Field(max_length=36)
    lease_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Until then somebody is sending it."""
