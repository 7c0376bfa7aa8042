"""`fastflow churn …`: the churn workbench."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastflow.cli import (
    churn_experiments,
    churn_files,
    churn_ledger,
    churn_outbox,
    churn_report,
    churn_runs,
    churn_sql,
    churn_views,
)
from fastflow.cli.access import AsJson, open_api
from fastflow.cli.asking import Yes, confirm
from fastflow.cli.downloads import fetch_into, require_free
from fastflow.cli.output import local_time, print_fields, print_json, print_table
from fastflow.kit.quantities import size

if TYPE_CHECKING:
    pass

app = typer.Typer(help="The churn workbench.", no_args_is_help=True)
database_app = typer.Typer(help="Its database: snapshots, export, import.", no_args_is_help=True)
app.add_typer(database_app, name="db")
app.add_typer(churn_experiments.app, name="experiments")
app.add_typer(churn_outbox.app, name="outbox")
app.add_typer(churn_views.app, name="views")
churn_files.add_file_commands(app)
app.command("sql")(churn_sql.run_sql)
churn_runs.add_commands(app)
app.command("ledger")(churn_ledger.show_ledger)
app.command("report")(churn_report.write_report)


@app.command("paths")
def show_paths(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Where the workbench keeps things, and where each setting comes from."""
    with open_api(ctx) as api:
        found = api.get("/churn/paths")
    if as_json:
        print_json(found)
        return
    print_table(
        found["paths"],
        [
            ("setting", lambda one: one["setting"]),
            ("path", lambda one: one["path"]),
            ("origin", lambda one: one["origin"]),
            ("purpose", lambda one: one["purpose"]),
        ],
        empty="No paths.",
    )


@database_app.command("show")
def show_database(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Its revision, its size and its tables; while it cannot be read, why."""
    with open_api(ctx) as api:
        found = api.get("/churn/database")
    if as_json:
        print_json(found)
    else:
        _print_database(found)
    if found["problem"]:
        raise typer.Exit(1)


def _print_database(found: Mapping[str, Any]) -> None:
    print_fields(
        {
            "revision": found["revision"],
            "saved": local_time(found["last_updated"]),
            "document": size(found["size"]),
            "segments": f"{found['segment_count']}, {size(found['segment_bytes'])}",
            "problem": found["problem"] or "none",
        }
    )
    print_table(
        found["tables"],
        [
            ("table", lambda one: one["name"]),
            ("rows", lambda one: one["rows"]),
            ("kept in", lambda one: one["kind"]),
            ("written by", lambda one: one["source"]),
            ("holds", lambda one: one["description"]),
        ],
        empty="No tables.",
    )


@database_app.command("snapshots")
def list_snapshots(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The earlier states that are kept, newest first."""
    with open_api(ctx) as api:
        found = api.get("/churn/database/snapshots")
    if as_json:
        print_json(found)
        return
    print_table(
        found["items"],
        [
            ("revision", lambda one: one["revision"]),
            ("saved", lambda one: local_time(one["saved_at"])),
            ("size", lambda one: size(one["size"])),
            ("problem", lambda one: one["problem"] or "none"),
        ],
        empty="No snapshots: the database was saved once at most.",
    )


@database_app.command("restore")
def restore_snapshot(
    ctx: typer.Context,
    revision: Annotated[int, typer.Argument(help="Of a snapshot.", min=0, show_default=False)],
    yes: Yes = False,
) -> None:
    """Put an earlier state back; the present one becomes a snapshot."""
    confirm(
        "What was changed since then is only in the snapshots afterwards.", f"Put revision {revision} back?", yes=yes
    )
    with open_api(ctx) as api:
        done = api.post(f"/churn/database/snapshots/{revision}/restore")
    typer.echo(f"The revision {revision} is back, as revision {done['revision']}.")


@database_app.command("export")
def export_database(
    ctx: typer.Context, target: Annotated[Path, typer.Argument(help="File to write.", show_default=False)]
) -> None:
    """Write everything into one JSON document."""
    require_free(target)
    with open_api(ctx) as api:
        written = api.run(fetch_into(api, target, "GET", "/churn/database/export"))
    typer.echo(f"{target} is written, {size(written)}.")


@database_app.command("import")
def import_database(
    ctx: typer.Context,
    source: Annotated[
        Path, typer.Argument(help="A file that `export` wrote.", exists=True, dir_okay=False, show_default=False)
    ],
    yes: Yes = False,
) -> None:
    """Put an exported document in the place of everything; the state before becomes a snapshot."""
    confirm("Everything in the churn database is replaced.", f"Import {source}?", yes=yes)
    with open_api(ctx) as api:
        done = api.upload("/churn/database/import", source)
    typer.echo(f"{source} is imported, as revision {done['revision']}.")
