"""`fastflow daemons …`: pipelines that are supervised services."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import local_time, print_json, print_table, printable

app = typer.Typer(help="Pipelines that are supervised services.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="PIPELINE", help="The pipeline's name.", show_default=False)]


@app.command("list")
def list_daemons(ctx: typer.Context, limit: Limit = 100, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """Every daemon: how it stands and how many instances run."""
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get("/daemons", limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("pipeline", lambda daemon: daemon["pipeline_name"]),
            ("state", lambda daemon: daemon["state"]),
            ("instances", lambda daemon: f"{_healthy(daemon)} of {daemon['wanted']} healthy"),
            ("crashes", lambda daemon: daemon["crashes"] or ""),
            ("next start", lambda daemon: local_time(daemon["next_start_at"]) if daemon["next_start_at"] else ""),
            ("trouble", lambda daemon: daemon["trouble"] or ""),
        ],
        empty="No daemons.",
    )
    tell_next(page)


@app.command("show")
def show_daemon(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """One daemon: its instances and what happened last, latest first."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        daemon = api.get(f"/daemons/{part(name)}")
        events = [] if as_json else api.get(f"/daemons/{part(name)}/events", limit=10)["items"]
    if as_json:
        print_json(daemon)
        return
    typer.echo(f"{daemon['pipeline_name']}: {daemon['state']}, {_healthy(daemon)} of {daemon['wanted']} healthy")
    if daemon["crashes"] and daemon["next_start_at"]:
        typer.echo(f"{daemon['crashes']} crashes in a row; next start {local_time(daemon['next_start_at'])}")
    if daemon["trouble"]:
        typer.echo(printable(f"Trouble: {daemon['trouble']}"))
    print_table(
        daemon["instances"],
        [
            ("number", lambda each: each["number"]),
            ("run", lambda each: each["run_id"] or "being submitted"),
            ("status", lambda each: each["status"] or ""),
            ("health", lambda each: each["health"]),
            ("port", lambda each: each["port"] or ""),
            ("stopping", lambda each: each["stopping"] or ""),
        ],
        empty="No instances.",
    )
    for event in events:
        typer.echo(printable(f"{local_time(event['at'])}  {event['kind']}: {event['text']}"))


@app.command("events")
def list_events(
    ctx: typer.Context, name: Name, limit: Limit = 50, cursor: Cursor = None, as_json: AsJson = False
) -> None:
    """What happened to a daemon, latest first."""
    from fastflow.cli.client import part
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get(f"/daemons/{part(name)}/events", limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    for event in page["items"]:
        typer.echo(
            printable(f"{local_time(event['at'])}  {event['kind']}: {event['text']}  {event['run_id'] or ''}".rstrip())
        )
    tell_next(page)


@app.command("start")
def start_daemon(ctx: typer.Context, name: Name) -> None:
    """Keep it running; a pause between restarts ends."""
    _ask(ctx, name, "start", "is started")


@app.command("stop")
def stop_daemon(ctx: typer.Context, name: Name) -> None:
    """End its instances; it stays stopped until it is started."""
    _ask(ctx, name, "stop", "is being stopped")


@app.command("restart")
def restart_daemon(ctx: typer.Context, name: Name) -> None:
    """Replace its instances by new ones, in the way its settings say."""
    _ask(ctx, name, "restart", "is being restarted")


@app.command("pause")
def pause_daemon(ctx: typer.Context, name: Name) -> None:
    """Leave it alone: instances go on, but none is started, stopped or replaced."""
    _ask(ctx, name, "pause", "is paused")


def _ask(ctx: typer.Context, name: str, verb: str, told: str) -> None:
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        daemon = api.post(f"/daemons/{part(name)}/{verb}")
    typer.echo(f"The daemon {daemon['pipeline_name']} {told}.")


def _healthy(daemon: Mapping[str, Any]) -> int:
    return sum(each["health"] == "healthy" for each in daemon["instances"])
