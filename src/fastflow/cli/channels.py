"""`fastflow channels …`: where messages go."""

import sys
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import local_time, print_json, print_table, printable

app = typer.Typer(help="Where messages go: mail, chat, webhooks.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name.", show_default=False)]
Quiet = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HH:MM-HH:MM[@ZONE]",
        help="Hold messages back in these hours, such as 22:00-07:00@Europe/Berlin; may be repeated.",
    ),
]
Breaks = Annotated[
    str | None, typer.Option(help="From here on they are sent in quiet hours too: info, warning, critical or never.")
]
Window = Annotated[
    str | None, typer.Option(metavar="DURATION", help="Make one message of equal ones within so long; 0: send each.")
]


@app.command("list")
def list_channels(ctx: typer.Context, limit: Limit = 100, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """Every channel and how it fares; addresses are never shown."""
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get("/channels", limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("channel", lambda one: one["name"]),
            ("kinds", lambda one: one["kinds"]),
            ("state", lambda one: "off" if not one["enabled"] else "dead" if one["dead"] else "on"),
            ("quiet", lambda one: [f"{hours['start']}-{hours['end']} {hours['timezone']}" for hours in one["quiet"]]),
            ("last sent", lambda one: local_time(one["last_sent_at"])),
            ("last error", lambda one: one["last_error"]),
        ],
        empty="No channels: `fastflow channels add NAME` makes one.",
    )
    tell_next(page)


@app.command("add")
def add_channel(
    ctx: typer.Context,
    name: Name,
    url: Annotated[
        list[str] | None,
        typer.Option(help="An Apprise URL; others may see it in the list of processes, so better leave it to stdin."),
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    quiet: Quiet = None,
    breaks_quiet: Breaks = "critical",
    group_window: Window = "5m",
    as_json: AsJson = False,
) -> None:
    """Make a channel. Without --url, Apprise URLs are read from stdin, one a line (a terminal asks for one without showing
    it). They are kept encrypted and never shown again."""
    body: dict[str, Any] = {"name": name, "urls": url or _read_urls(name), "description": description}
    body |= _behaviour(quiet, breaks_quiet, group_window)
    with open_api(ctx) as api:
        made = api.post("/channels", body)
    if as_json:
        print_json(made)
    else:
        typer.echo(
            f"{made['name']} is made ({', '.join(made['kinds'])}); try it: fastflow channels test {made['name']}"
        )


@app.command("set")
def change_channel(
    ctx: typer.Context,
    name: Name,
    url: Annotated[list[str] | None, typer.Option(help="Other Apprise URLs; see `add`.")] = None,
    urls_from_stdin: Annotated[
        bool, typer.Option("--urls", help="Read other Apprise URLs from stdin, one a line.")
    ] = False,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    quiet: Quiet = None,
    no_quiet: Annotated[bool, typer.Option("--no-quiet", help="No quiet hours any more.")] = False,
    breaks_quiet: Breaks = None,
    group_window: Window = None,
    enable: Annotated[bool | None, typer.Option("--on/--off", help="Switch it on or off.")] = None,
) -> None:
    """Change a channel; what is left away stays."""
    from fastflow.cli.client import part

    body: dict[str, Any] = _behaviour(quiet, breaks_quiet, group_window)
    if no_quiet:
        body["quiet"] = []
    if description is not None:
        body["description"] = description
    if enable is not None:
        body["enabled"] = enable
    if url or urls_from_stdin:
        body["urls"] = url or _read_urls(name)
    with open_api(ctx) as api:
        api.patch(f"/channels/{part(name)}", body)
    typer.echo(f"{name} is changed.")


@app.command("test")
def try_channel(ctx: typer.Context, name: Name) -> None:
    """Send a test message now and say what became of it."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        told = api.post(f"/channels/{part(name)}/test")
    if told["delivered"]:
        typer.echo(f"{name} took the message.")
        return
    typer.echo(printable(f"{name} did not take the message: {told['problem']}."), err=True)
    raise typer.Exit(1)


@app.command("rm")
def remove_channel(
    ctx: typer.Context,
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Although rules send to it: they then reach nobody.")] = False,
) -> None:
    """Remove a channel with its addresses."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        api.delete(f"/channels/{part(name)}" + ("?force=true" if force else ""))
    typer.echo(f"{name} is removed.")


def _behaviour(quiet: list[str] | None, breaks_quiet: str | None, group_window: str | None) -> dict[str, Any]:
    from fastflow.cli.schedule_refs import read_seconds

    body: dict[str, Any] = {}
    if quiet:
        body["quiet"] = [_read_quiet(text) for text in quiet]
    if breaks_quiet is not None:
        body["breaks_quiet"] = None if breaks_quiet == "never" else breaks_quiet
    if group_window is not None:
        body["group_window"] = read_seconds(group_window, "--group-window")
    return body


def _read_quiet(text: str) -> dict[str, str]:
    from fastflow.cli.errors import WrongUsage

    hours, _, zone = text.partition("@")
    start, dash, end = hours.partition("-")
    if not dash:
        raise WrongUsage(
            f"--quiet {text[:80]!r} is no stretch of hours.",
            hint="Write it as 22:00-07:00 or 22:00-07:00@Europe/Berlin.",
        )
    return {"start": start.strip(), "end": end.strip(), "timezone": zone.strip() or "UTC"}


def _read_urls(name: str) -> list[str]:
    if sys.stdin.isatty():
        return [str(typer.prompt(f"Apprise URL of {name}", hide_input=True, err=True))]
    return [line.strip() for line in sys.stdin if line.strip()]
