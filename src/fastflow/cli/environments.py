"""`fastflow environments …`: what was built for the pipelines, and giving its space back."""

from typing import Annotated

import typer

from fastflow.cli.access import AsJson, open_api
from fastflow.cli.output import local_time, print_json, print_table
from fastflow.kit.quantities import seconds, size

app = typer.Typer(help="The Python environments built for pipelines.", no_args_is_help=True)


@app.command("list")
def list_environments(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Every environment on the server's machine, last used first."""
    with open_api(ctx) as api:
        found = api.get("/environments")
    if as_json:
        print_json(found)
        return
    print_table(
        found["items"],
        [
            ("hash", lambda one: one["hash"][:16]),
            ("interpreter", lambda one: one["interpreter"]),
            ("packages", lambda one: one["packages"]),
            ("size", lambda one: size(one["size_bytes"])),
            ("built", lambda one: local_time(one["built_at"])),
            ("build took", lambda one: seconds(one["build_seconds"])),
            ("last used", lambda one: local_time(one["last_used_at"])),
        ],
        empty="No environments yet.",
    )
    if found["items"]:
        typer.echo(f"{size(found['total_bytes'])} in all.", err=True)


@app.command("gc")
def collect_garbage(
    ctx: typer.Context,
    unused_days: Annotated[
        float | None, typer.Option(min=0, help="Days without use; left away: ENVIRONMENT_RETENTION_DAYS.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove environments that were not used for a while, ten minutes at least; a pipeline that needs one again gets the
    same one rebuilt."""
    with open_api(ctx) as api:
        collected = api.post("/environments/gc", {"unused_days": unused_days, "dry_run": dry_run})
    if as_json:
        print_json(collected)
        return
    for environment in collected["hashes"]:
        typer.echo(environment[:16])
    verb = "would be removed" if dry_run else "removed"
    count = len(collected["hashes"])
    typer.echo(f"{count} {verb}, {size(collected['freed_bytes'])} {'to gain' if dry_run else 'freed'}.", err=True)
    if not count:
        typer.echo("What runs use, or was used in the last ten minutes, always stays.", err=True)
