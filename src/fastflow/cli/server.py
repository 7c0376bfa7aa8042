"""`fastflow openapi`, `version`: small commands about the server as a whole."""

import typer

from fastflow.cli.access import AsJson, open_api
from fastflow.cli.output import print_json


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
