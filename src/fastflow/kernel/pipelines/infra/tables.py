"""Tables of pipelines: what has to be remembered beside the files themselves."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import UtcDateTime


class PipelineRow(SQLModel, table=True):
    """A pipeline that was seen in `PIPELINES_DIR` at least once."""

    __tablename__ = "pipeline"

    pipeline_name: str = Field(primary_key=True, max_length=200)
    has_requirements: bool = False
    last_cache_warmup: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When its environment was last made ready."""
    first_seen_at: datetime = Field(sa_type=UtcDateTime)


class CodeArchiveRow(SQLModel, table=True):
    """A copy of a pipeline's code on its way to the other servers of the database (PostgreSQL only)."""

    __tablename__ = "code_archive"

    tree_hash: str = Field(primary_key=True, max_length=64)
    archive: bytes = Field(sa_type=LargeBinary)
    """A gzipped tar of the copy's files."""
    stored_at: datetime = Field(sa_type=UtcDateTime)
