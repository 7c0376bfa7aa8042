"""`fastflow churn sql`: read-only SQL over the churn database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastflow.cli.access import AsJson, open_api
from fastflow.cli.downloads import fetch_into
from fastflow.cli.output import print_json, print_table
from fastflow.kit.quantities import size
from fastflow.kit.words import counted

if TYPE_CHECKING:
    from fastflow.cli.client import Api


def run_sql(
    ctx: typer.Context,
    query: Annotated[str | None, typer.Argument(help="One SELECT, or WITH, VALUES, DESCRIBE, SUMMARIZE.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show at most.", min=1, max=10_000)] = 100,
    csv: Annotated[bool, typer.Option("--csv", help="Print all rows as CSV.")] = False,
    parquet: Annotated[Path | None, typer.Option(help="Write all rows into a Parquet file.")] = None,
    tables: Annotated[bool, typer.Option("--tables", help="List what can be read instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the churn database; nothing can be changed by it."""
    from fastflow.kit.errors import InvalidInput

    with open_api(ctx) as api:
        if tables or query is None:
            _print_tables(api.get("/sql/tables"), as_json=as_json)
        elif csv and parquet is not None:
            raise InvalidInput("Give --csv or --parquet, not both.")
        elif csv:
            api.run(_print_pieces(api, query))
        elif parquet is not None:
            kind, body = {"kind": "parquet"}, {"query": query}
            written = api.run(fetch_into(api, parquet, "POST", "/sql/download", query=kind, body=body))
            typer.echo(f"{parquet} is written, {size(written)}.")
        else:
            _print_rows(api.post("/sql/query", {"query": query, "limit": limit}), as_json=as_json)


def _print_tables(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_table(
        found["tables"],
        [
            ("name", lambda one: one["name"]),
            ("kind", lambda one: one["kind"]),
            ("columns", lambda one: ", ".join(column["name"] for column in one["columns"])),
        ],
        empty="No tables.",
    )


def _print_rows(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    columns = [(column["name"], lambda row, at=at: row[at]) for at, column in enumerate(found["columns"])]
    print_table(found["rows"], columns, empty="No rows.")
    if found["truncated"]:
        typer.echo(f"The first {counted(found['row_count'], 'row')}; --limit shows more, --csv all.", err=True)


async def _print_pieces(api: "Api", query: str) -> None:
    async with api.open("POST", "/sql/download", query={"kind": "csv"}, body={"query": query}) as answer:
        async for piece in answer.aiter_text():
            typer.echo(piece, nl=False)
