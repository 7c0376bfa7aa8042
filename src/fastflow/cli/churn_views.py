"""`fastflow churn views …`: saved views, which SQL reads like tables."""

from pathlib import Path
from typing import Annotated

import typer

from fastflow.cli.access import AsJson, open_api
from fastflow.cli.output import print_json, print_table

app = typer.Typer(help="Saved views: a name and its SELECT.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Of the view.", show_default=False)]


@app.command("list")
def list_views(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The saved views with their SELECT."""
    with open_api(ctx) as api:
        found = api.get("/sql/views")
    if as_json:
        print_json(found)
        return
    rows = [("name", lambda one: one["name"]), ("sql", lambda one: " ".join(one["sql"].split()))]
    print_table(found["items"], rows, empty="No saved views.")


@app.command("save")
def save_view(
    ctx: typer.Context,
    name: Name,
    query: Annotated[str | None, typer.Argument(help="One SELECT.", show_default=False)] = None,
    file: Annotated[Path | None, typer.Option(help="A file that holds it.", exists=True, dir_okay=False)] = None,
) -> None:
    """Save a view, or put another SELECT into one; it is judged before."""
    from fastflow.kit.errors import InvalidInput

    if (query is None) == (file is None):
        raise InvalidInput("Give the SELECT itself, or --file with a file that holds it.")
    text = query if file is None else file.read_text(encoding="utf-8")
    with open_api(ctx) as api:
        api.post("/sql/views", body={"name": name, "sql": text})
    typer.echo(f"The view {name} is saved.")


@app.command("delete")
def delete_view(ctx: typer.Context, name: Name) -> None:
    """Delete a saved view; refused while another one reads it."""
    with open_api(ctx) as api:
        api.delete(f"/sql/views/{name}")
    typer.echo(f"The view {name} is deleted.")
