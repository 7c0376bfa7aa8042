"""Tables of figures: ends that were not counted yet, totals, and the places of pipelines."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime


class RunEndRow(SQLModel, table=True):
    """An end, written with it; added to a total soon after, and removed. It outlives its run."""

    __tablename__ = "run_end"
    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    pipeline_name: str = Field(max_length=200)
    status: str = Field(max_length=10)
    reason: str = Field(max_length=20)
    """Empty for a success."""
    queued_at: datetime = Field(sa_type=UtcDateTime)
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime = Field(sa_type=UtcDateTime)


class RunTotalRow(SQLModel, table=True):
    """Ended runs of a pipeline with one outcome, since the first one."""

    __tablename__ = "run_total"

    pipeline_name: str = Field(primary_key=True, max_length=200)
    status: str = Field(primary_key=True, max_length=10)
    reason: str = Field(primary_key=True, max_length=20)
    runs: int = Field(sa_type=BigInteger)
    histograms: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))


class RunTotalPlaceRow(SQLModel, table=True):
    """A pipeline's place among those that ended runs: the first have a label of their own."""

    __tablename__ = "run_total_place"

    pipeline_name: str = Field(primary_key=True, max_length=200)
    place: int = Field(unique=True)
