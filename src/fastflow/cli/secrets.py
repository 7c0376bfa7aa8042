"""`fastflow secrets …`: values that runs get as environment variables."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.asking import Yes, confirm
from fastflow.cli.output import local_time, print_json, print_table, printable

if TYPE_CHECKING:
    from fastflow.cli.client import Api

app = typer.Typer(help="Values that runs get as environment variables.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="KEY", help="Name of the environment variable.", show_default=False)]


@app.command("list")
def list_secrets(ctx: typer.Context, limit: Limit = 100, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """Every key; values of plain parameters only."""
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get("/secrets", limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("key", lambda one: one["key"]),
            ("kind", lambda one: "parameter" if one["is_parameter"] else "secret"),
            ("value", lambda one: one["value"] if one["is_parameter"] else "********"),
            ("pipelines", lambda one: _readers(one["pipelines"])),
            ("version", lambda one: one["version"]),
            ("changed", lambda one: local_time(one["updated_at"])),
        ],
        empty="No secrets.",
    )
    tell_next(page)


def _readers(pipelines: list[str] | None) -> str:
    if pipelines is None:
        return "all"
    return ", ".join(pipelines) or "none: the server's own"


@app.command("set")
def set_secret(
    ctx: typer.Context,
    key: Key,
    value: Annotated[
        str | None,
        typer.Option(help="The value; other users may see it in the list of processes, so better leave it to stdin."),
    ] = None,
    parameter: Annotated[
        bool, typer.Option("--parameter", help="A plain parameter: readable again, and not masked in logs.")
    ] = False,
    pipeline: Annotated[
        list[str] | None, typer.Option(help="Only this pipeline may read it; may be repeated. Left away: all.")
    ] = None,
    all_pipelines: Annotated[bool, typer.Option("--all-pipelines", help="Every pipeline may read it (again).")] = False,
    server_only: Annotated[
        bool,
        typer.Option("--server-only", help="No pipeline may read it: for the server itself, such as a Git token."),
    ] = False,
    keep_value: Annotated[
        bool, typer.Option("--keep-value", help="Only change who may read it; the value stays what it is.")
    ] = False,
) -> None:
    """Make a secret, or give it a new value. Without --value the value is read from stdin (a terminal asks for it
    without showing it; one newline at the end is left away)."""
    from fastflow.cli.client import part
    from fastflow.cli.errors import ServerProblem, WrongUsage

    readers = sum((bool(pipeline), all_pipelines, server_only))
    if readers > 1:
        raise WrongUsage("--pipeline, --all-pipelines and --server-only exclude each other.", hint="Give one of them.")
    if keep_value and (value is not None or not readers):
        raise WrongUsage(
            "--keep-value changes who may read a secret, and nothing else.",
            hint="Give it with --pipeline, --all-pipelines or --server-only, and without --value.",
        )
    change: dict[str, Any] = {} if keep_value else {"value": _read_value(key) if value is None else value}
    if readers:
        change["pipelines"] = [] if server_only else pipeline or None
    with open_api(ctx) as api:
        try:
            secret = api.put(f"/secrets/{part(key)}", change)
        except ServerProblem as error:
            if error.code != "unknown_secret" or keep_value:
                raise
            secret = api.post("/secrets", {"pipelines": None, **change, "key": key, "is_parameter": parameter})
        else:
            if parameter != secret["is_parameter"] and parameter:
                typer.echo(f"{key} was made as a secret and stays one; remove it first to change that.", err=True)
        unknown = _unknown_pipelines(api, pipeline or [])
    typer.echo(f"{secret['key']} is set (version {secret['version']}).")
    for told in unknown:
        typer.echo(printable(f"Warning: {told}"), err=True)


def _unknown_pipelines(api: "Api", names: list[str]) -> list[str]:
    """A sentence on each of the names that no pipeline has (yet): a secret may be there before its pipeline is."""
    from fastflow.kit.words import did_you_mean

    if not names:
        return []
    known = [one["name"] for one in api.get("/pipelines")["items"]]
    return [
        f"there is no pipeline {name!r} now.{did_you_mean(name, known)} Nobody else can read the secret until there is one."
        for name in dict.fromkeys(names)
        if name not in known
    ]


def _read_value(key: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(f"Value of {key}", hide_input=True, err=True))
    text = sys.stdin.read()
    return text.removesuffix("\n").removesuffix("\r")


@app.command("rm")
def remove_secret(ctx: typer.Context, key: Key, yes: Yes = False) -> None:
    """Remove a secret with all its versions; runs that had it cannot be repeated exactly any more."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        if not yes:
            versions = len(api.get(f"/secrets/{part(key)}/versions")["items"])
            confirm(_consequence(api, key, versions), f"Remove {key}?", yes=False)
        api.delete(f"/secrets/{part(key)}")
    typer.echo(f"{key} is removed.")


def _consequence(api: "Api", key: str, versions: int) -> str:
    """What is lost with the secret."""
    from fastflow.cli.client import part

    names = [one["name"] for one in api.get("/pipelines")["items"]]
    readers = [name for name in names if key in api.get(f"/pipelines/{part(name)}")["secrets"]]
    named = ", ".join(readers[:10]) + (f" and {len(readers) - 10} more" if len(readers) > 10 else "")
    return (
        f"{key} goes with {'its one version' if versions == 1 else f'all its {versions} versions'}; "
        f"{f'these pipelines ask for it: {named}' if readers else 'no pipeline asks for it now'}. "
        "Runs that had it cannot be repeated exactly any more."
    )


@app.command("rotate")
def rotate_secrets(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Encrypt every value anew with the first key of ENCRYPTION_KEY, so that the others can be dropped."""
    with open_api(ctx) as api:
        done = api.post("/secrets/rotate")
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{done['encrypted_anew']} of {done['checked']} values were encrypted anew.")
