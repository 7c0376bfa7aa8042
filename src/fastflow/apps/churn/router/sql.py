"""`/sql…`: read-only SQL over the churn database."""

import os
from collections.abc import Iterator
from pathlib import Path as FilePath
from tempfile import mkdtemp
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import StreamingResponse

from fastflow.apps.churn.schemas_sql import (
    QueryIn,
    QueryOut,
    SqlTableOut,
    SqlTablesOut,
    ViewIn,
    ViewOut,
    ViewsOut,
)
from fastflow.apps.churn.service.sql import Sql
from fastflow.kernel.http.access import Operator, Viewer
from fastflow.kit.identity import Actor

Name = Annotated[str, Path(max_length=300, description="Of a table or view.")]
_MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_PIECE = 2**18


def add_sql(router: APIRouter, sql: Sql) -> None:
    """The operations: asking needs the role viewer, saving and deleting views operator, on the pipeline `churn`."""

    @router.get("/sql/tables")
    def list_sql_tables(actor: Viewer) -> SqlTablesOut:
        """All tables and views with their columns, and the functions for months."""
        return SqlTablesOut.model_validate(sql.tables(actor=actor))

    @router.get("/sql/schema/{table}")
    def get_sql_schema(actor: Viewer, table: Name) -> SqlTableOut:
        """One table with its columns."""
        return SqlTableOut.model_validate(sql.schema(table, actor=actor))

    @router.post("/sql/query")
    def run_sql_query(actor: Viewer, body: QueryIn) -> QueryOut:
        """Rows of a query; `line` and `column` of a refusal say where."""
        return QueryOut.of(sql.query(body.query, limit=body.limit, actor=actor))

    @router.post(
        "/sql/download",
        response_class=StreamingResponse,
        responses={200: {"description": "The rows.", "content": {kind: {"schema": {}} for kind in _MEDIA.values()}}},
    )
    def download_sql_query(
        actor: Viewer,
        body: QueryIn,
        kind: Annotated[Literal["csv", "parquet"], Query(description="Form of the file.")] = "csv",
    ) -> StreamingResponse:
        """Rows of a query as a file, a million at most; `limit` is not looked at."""
        return send_rows(sql, body.query, kind, "query", actor)

    @router.get("/sql/views")
    def list_sql_views(actor: Viewer) -> ViewsOut:
        """Saved views."""
        return ViewsOut.of(sql.views(actor=actor))

    @router.post("/sql/views", status_code=201)
    def save_sql_view(actor: Operator, body: ViewIn) -> ViewOut:
        """Save a view that queries can read like a table, or put another SELECT into one."""
        sql.save_view(body.name, body.sql, actor=actor)
        return ViewOut(name=body.name, sql=body.sql)

    @router.delete("/sql/views/{name}", status_code=204)
    def delete_sql_view(actor: Operator, name: Name) -> None:
        """Delete a saved view; refused while another one reads it."""
        sql.delete_view(name, actor=actor)


def send_rows(sql: Sql, query: str, kind: Literal["csv", "parquet"], name: str, actor: Actor) -> StreamingResponse:
    """Rows of a query as a file of this name."""
    sql.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = FilePath(mkdtemp(prefix="download-", dir=sql.folder))
    target = folder / f"query.{kind}"
    try:
        sql.download(query, target, kind, actor=actor)
        opened = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    finally:  # what is open is read to its end although its name is gone
        target.unlink(missing_ok=True)
        folder.rmdir()
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return StreamingResponse(_pieces(opened), media_type=_MEDIA[kind], headers=headers)


def _pieces(opened: int) -> Iterator[bytes]:
    with os.fdopen(opened, "rb") as file:
        while piece := file.read(_PIECE):
            yield piece
