"""`fastflow churn ingest|files|dictionary`: the files that experiments are computed on."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, open_api
from fastflow.cli.asking import Yes, confirm
from fastflow.cli.output import local_time, print_json, print_table
from fastflow.kit.words import counted

Source = Annotated[
    Path, typer.Argument(help="CSV in UTF-8, or Parquet.", exists=True, dir_okay=False, show_default=False)
]
FileNumber = Annotated[int, typer.Argument(help="Number of the file.", min=1, show_default=False)]


def add_file_commands(app: typer.Typer) -> None:
    """Put the commands into `fastflow churn`."""
    app.command("ingest")(ingest_file)
    app.command("dictionary")(propose_dictionary)
    app.command("late")(list_late)
    files_app = typer.Typer(help="The files that were taken in.", invoke_without_command=True)
    files_app.callback()(list_files)
    files_app.command("delete")(delete_file)
    app.add_typer(files_app, name="files")


def ingest_file(
    ctx: typer.Context,
    source: Source,
    dictionary: Annotated[
        Path | None,
        typer.Option(help="JSON file with the roles of a panel's columns; without it they are guessed.", exists=True),
    ] = None,
    transactions: Annotated[bool, typer.Option("--transactions", help="It is a list of transactions.")] = False,
    gap_months: Annotated[
        int | None, typer.Option(help="Of transactions: months without one after which a customer is dead.")
    ] = None,
    through: Annotated[
        int | None, typer.Option(help="Of transactions: the last month observed to its end, YYYYMM.")
    ] = None,
    customer: Annotated[str | None, typer.Option(help="Of transactions: the customer's column [customer].")] = None,
    date: Annotated[str | None, typer.Option(help="Of transactions: the date's column [date].")] = None,
    amount: Annotated[str | None, typer.Option(help="Of transactions: a column summed as n_amount.")] = None,
    quantity: Annotated[str | None, typer.Option(help="Of transactions: a column summed as n_quantity.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take a file in: a panel, or transactions that become one. The same content is the same file."""
    query = {
        "name": source.name,
        "kind": "transactions" if transactions else "panel",
        "dictionary": None if dictionary is None else dictionary.read_text(encoding="utf-8"),
        "gap_months": gap_months,
        "through": through,
        "customer": customer,
        "date": date,
        "amount": amount,
        "quantity": quantity,
    }
    with open_api(ctx) as api:
        done = api.upload("/churn/files", source, **query)
    if as_json:
        print_json(done)
        return
    file = done["file"]
    told = f"{file['rows']} rows of {counted(file['customers'], 'customer')}"
    months = f"{file['first_month']} to {file['last_month']}"
    if done["is_new"]:
        typer.echo(f"{source} is taken in as the file {file['file_id']}: {told}, {months}.")
    else:
        typer.echo(f"{source} was there already, as the file {file['file_id']}: {told}, {months}.")
    for note in done["notes"]:
        typer.echo(f"Note: {note}")


def propose_dictionary(ctx: typer.Context, source: Source) -> None:
    """Print a data dictionary for a panel, to begin with; nothing is kept."""
    with open_api(ctx) as api:
        proposed = api.upload("/churn/dictionary", source)
    typer.echo(json.dumps(proposed, indent=1, ensure_ascii=False))


def list_late(
    ctx: typer.Context,
    experiment_id: Annotated[int, typer.Argument(help="The experiment's number.", min=1, show_default=False)],
    limit: Annotated[int, typer.Option(help="How many rows at most.", min=0, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Rows that arrived after an experiment's data, or have other values since."""
    with open_api(ctx) as api:
        found = api.get(f"/experiments/{experiment_id}/late", limit=limit)
    if as_json:
        print_json(found)
        return
    if not found["files"]:
        typer.echo(f"No file was taken in since {local_time(found['as_of'] or None)}.")
        return
    print_table(
        found["counts"],
        [
            ("file", lambda one: one["file_id"]),
            ("month", lambda one: one["month"]),
            ("new", lambda one: one["new"]),
            ("corrected", lambda one: one["corrected"]),
        ],
        empty="The files taken in since say nothing else.",
    )
    if not found["rows"]:
        return
    print_table(
        found["rows"],
        [
            ("file", lambda one: one["file_id"]),
            ("line", lambda one: one["source_line"]),
            ("customer", lambda one: one["customer"]),
            ("month", lambda one: one["month"]),
            ("change", lambda one: one["change"]),
            ("values", _cells),
        ],
        empty="No rows.",
    )
    untold = found["new"] + found["corrected"] - len(found["rows"])
    if untold:
        typer.echo(f"{counted(untold, 'more row')}: --limit, or SQL over rawdata and files.", err=True)


def _cells(row: Mapping[str, Any]) -> str:
    """Of a new row nothing, of a corrected one each value before and after."""
    if row["change"] == "new":
        return ""
    return ", ".join(f"{one['column']}: {_value(one['before'])} -> {_value(one['after'])}" for one in row["cells"])


def _value(value: object) -> str:
    return "empty" if value is None else str(value)


def list_files(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The files that were taken in."""
    if ctx.invoked_subcommand is not None:
        return
    with open_api(ctx) as api:
        found = api.get("/churn/files")
    if as_json:
        print_json(found)
    else:
        _print_files(found["items"])


def _print_files(files: Sequence[Mapping[str, Any]]) -> None:
    print_table(
        files,
        [
            ("file", lambda one: one["file_id"]),
            ("name", lambda one: one["name"]),
            ("kind", lambda one: one["kind"]),
            ("rows", lambda one: one["rows"]),
            ("customers", lambda one: one["customers"]),
            ("months", lambda one: f"{one['first_month']}-{one['last_month']}"),
            ("taken in", lambda one: local_time(one["ingested_at"])),
            ("by", lambda one: one["ingested_by"]),
        ],
        empty="No files: take one in with `fastflow churn ingest FILE`.",
    )


def delete_file(ctx: typer.Context, file_id: FileNumber, yes: Yes = False) -> None:
    """Remove a file and its rows; refused while an experiment is computed on it."""
    confirm("Its rows are only in the snapshots afterwards.", f"Delete the file {file_id}?", yes=yes)
    with open_api(ctx) as api:
        api.delete(f"/churn/files/{file_id}")
    typer.echo(f"The file {file_id} is deleted.")
