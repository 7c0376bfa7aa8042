"""SQL of the churn workbench on the wire."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from fastflow.apps.churn.ports_sql import SqlAnswer

QueryText = Annotated[str, StringConstraints(min_length=1, max_length=100_000, pattern=r"^[^\x00]*$")]


class QueryIn(BaseModel):
    """A query."""

    model_config = ConfigDict(extra="forbid")

    query: QueryText = Field(description="One SELECT, WITH, VALUES, DESCRIBE or SUMMARIZE.")
    limit: int = Field(default=1000, ge=1, le=10_000, description="Rows of the answer at most.")


class SqlColumnOut(BaseModel):
    """A column."""

    name: str
    type: str = Field(description="As DuckDB calls it.")
    description: str = ""


class QueryOut(BaseModel):
    """Rows of a query."""

    columns: list[SqlColumnOut]
    rows: list[list[Any]]
    row_count: int = Field(description="Of `rows`.")
    truncated: bool = Field(description="There are more rows than these.")
    elapsed_ms: float = Field(description="In the engine.")

    @classmethod
    def of(cls, answer: SqlAnswer) -> "QueryOut":
        """They as the API shows them."""
        return cls.model_validate({**vars(answer), "row_count": len(answer.rows)})


class SqlTableOut(BaseModel):
    """A table or view."""

    name: str
    kind: str = Field(description="table or view.")
    columns: list[SqlColumnOut]
    description: str = ""


class MacroOut(BaseModel):
    """A function for months."""

    name: str
    definition: str


class SqlTablesOut(BaseModel):
    """What a query can read."""

    tables: list[SqlTableOut]
    broken: dict[str, str] = Field(description="Saved views that cannot be read, and why.")
    macros: list[MacroOut]


class ViewIn(BaseModel):
    """A view to save."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    sql: QueryText


class ViewOut(BaseModel):
    """A saved view."""

    name: str
    sql: str


class ViewsOut(BaseModel):
    """Saved views."""

    items: list[ViewOut]
    next_cursor: str | None = None

    @classmethod
    def of(cls, views: Sequence[Mapping[str, str]]) -> "ViewsOut":
        """They as the API shows them."""
        return cls(items=[ViewOut(**view) for view in views])
