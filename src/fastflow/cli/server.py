"""`fastflow audit`, `openapi`, `version`: small commands about the server as a whole."""

from typing import Annotated

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import local_time, print_json, print_table


def audit(
    ctx: typer.Context,
    limit: Limit = 50,
    cursor: Cursor = None,
    actor: Annotated[str | None, typer.Option(help="Only what this actor did, such as user:admin.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, such as secret.set or `secret.`.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only changes of this thing.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every change, who made it and from where; newest first."""
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get("/audit", limit=limit, cursor=cursor, actor=actor, action=action, subject=subject)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("at", lambda one: local_time(one["at"])),
            ("actor", lambda one: one["actor"]),
            ("action", lambda one: one["action"]),
            ("subject", lambda one: one["subject"]),
            ("detail", lambda one: one["detail"] or ""),
            ("from", lambda one: one["address"] or ""),
        ],
        empty="Nothing was changed yet.",
    )
    tell_next(page)


def openapi(ctx: typer.Context) -> None:
    """The OpenAPI document of the HTTP API, as JSON."""
    with open_api(ctx) as api:
        print_json(api.get("/openapi.json"))


def print_version(wanted: bool) -> None:
    """For `--version`: the version alone, and nothing else is done."""
    if wanted:
        from fastflow import __version__

        typer.echo(f"fastflow {__version__}")
        raise typer.Exit


def version(as_json: AsJson = False) -> None:
    """The versions of Fast-Flow and Python."""
    import platform

    from fastflow import __version__

    if as_json:
        print_json({"fastflow": __version__, "python": platform.python_version()})
    else:
        typer.echo(f"fastflow {__version__} (Python {platform.python_version()})")
