"""`fastflow webhooks …`: addresses at which other systems start a pipeline's run."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import local_time, print_json, print_table, printable

app = typer.Typer(help="Addresses at which other systems start a pipeline's run.", no_args_is_help=True)

Ref = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id, or the end of it.", show_default=False)]


@app.command("list")
def list_webhooks(
    ctx: typer.Context,
    pipeline: Annotated[str | None, typer.Option(help="Only webhooks of this pipeline.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Every webhook and how its calls fared; keys are never shown again."""
    from fastflow.cli.pipeline_refs import require_known
    from fastflow.cli.runs import tell_next
    from fastflow.kit.ids import short_id

    with open_api(ctx) as api:
        page = api.get("/webhooks", pipeline_name=pipeline, limit=limit, cursor=cursor)
        require_known(api, pipeline, page["items"], cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("id", lambda one: short_id(one["id"])),
            ("webhook", lambda one: f"{one['pipeline_name']}/{one['name']}"),
            ("signed", lambda one: one["scheme"]),
            ("key", lambda one: f"…{one['key_hint']}"),
            ("state", lambda one: "on" if one["enabled"] else "off"),
            ("calls", lambda one: one["calls"]),
            ("refused", lambda one: one["refused"]),
            ("last call", lambda one: local_time(one["last_call_at"])),
            ("last refusal", lambda one: one["last_refusal"]),
        ],
        empty="No webhooks: `fastflow webhooks create PIPELINE` makes one.",
    )
    tell_next(page)


@app.command("create")
def create_webhook(
    ctx: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="The pipeline's name.", show_default=False)],
    scheme: Annotated[str, typer.Option(help="How calls are signed: none, github, standard or stripe.")] = "none",
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="PARAM=POINTER",
            help="A parameter from the body, such as CITY=/customer/city, or from a header, such as EVENT=header:X-GitHub-Event; "
            "with ? at the end it may be missing; may be repeated.",
        ),
    ] = None,
    whole_body: Annotated[
        bool, typer.Option("--whole-body", help="The body's own members are the parameters.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="What to call it; left away: one is found.")] = None,
    address: Annotated[
        list[str] | None, typer.Option(help="Network calls may come from, such as 10.0.0.0/8; may be repeated.")
    ] = None,
    rate: Annotated[int, typer.Option(help="Calls it takes in a minute.")] = 60,
    tolerance: Annotated[str, typer.Option(metavar="DURATION", help="How far the signed time may be off.")] = "5m",
    secret_from_stdin: Annotated[
        bool, typer.Option("--secret", help="Read the signing secret from stdin; left away: one is made.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a webhook; its address, and a secret that was made, are shown this once."""
    from fastflow.cli.schedule_refs import read_seconds

    body: dict[str, Any] = {
        "pipeline_name": pipeline,
        "name": name,
        "scheme": scheme,
        "mapping": _read_mapping(mapping or ()),
        "whole_body": whole_body,
        "addresses": address or [],
        "rate_per_minute": rate,
        "tolerance": read_seconds(tolerance, "--tolerance"),
    }
    if secret_from_stdin:
        body["secret"] = sys.stdin.read().strip()
    with open_api(ctx) as api:
        made = api.post("/webhooks", body)
        server = api.server
    _tell(made, server, as_json=as_json)


@app.command("rotate")
def rotate_webhook(
    ctx: typer.Context,
    webhook: Ref,
    grace: Annotated[str, typer.Option(metavar="DURATION", help="How long the former key is taken too.")] = "0",
    secret: Annotated[bool, typer.Option("--secret", help="Make another signing secret as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a webhook another key, shown this once."""
    from fastflow.cli.client import part
    from fastflow.cli.references import find_by_tail
    from fastflow.cli.schedule_refs import read_seconds

    with open_api(ctx) as api:
        found = find_by_tail(api, "/webhooks", webhook, "webhook")
        body = {"secret": secret, "grace_seconds": read_seconds(grace, "--grace")}
        made = api.post(f"/webhooks/{part(found['id'])}/rotate", body)
        server = api.server
    _tell(made, server, as_json=as_json)


@app.command("set")
def change_webhook(
    ctx: typer.Context,
    webhook: Ref,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="PARAM=POINTER", help="Another mapping.")
    ] = None,
    address: Annotated[list[str] | None, typer.Option(help="Other networks calls may come from.")] = None,
    rate: Annotated[int | None, typer.Option(help="Calls it takes in a minute.")] = None,
    enable: Annotated[bool | None, typer.Option("--on/--off", help="Switch it on or off.")] = None,
) -> None:
    """Change a webhook; what is left away stays."""
    from fastflow.cli.client import part
    from fastflow.cli.references import find_by_tail

    body: dict[str, Any] = {"rate_per_minute": rate, "enabled": enable, "addresses": address}
    if mapping:
        body["mapping"] = _read_mapping(mapping)
    with open_api(ctx) as api:
        found = find_by_tail(api, "/webhooks", webhook, "webhook")
        done = api.patch(
            f"/webhooks/{part(found['id'])}", {key: each for key, each in body.items() if each is not None}
        )
    typer.echo(f"{done['pipeline_name']}/{done['name']} is {'on' if done['enabled'] else 'off'}.")


@app.command("rm")
def remove_webhook(ctx: typer.Context, webhook: Ref) -> None:
    """Remove a webhook; its runs stay."""
    from fastflow.cli.client import part
    from fastflow.cli.references import find_by_tail

    with open_api(ctx) as api:
        found = find_by_tail(api, "/webhooks", webhook, "webhook")
        api.delete(f"/webhooks/{part(found['id'])}")
    typer.echo(f"{found['pipeline_name']}/{found['name']} is removed.")


def _read_mapping(texts: list[str] | tuple[()]) -> dict[str, str]:
    from fastflow.cli.errors import WrongUsage

    found: dict[str, str] = {}
    for text in texts:
        name, equals, source = text.partition("=")
        if not equals or not name:
            raise WrongUsage(f"--map {text[:80]!r} names no parameter.", hint="Write it as CITY=/customer/city.")
        found[name] = source
    return found


def _tell(made: Mapping[str, Any], server: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    typer.echo(printable(f"{server or ''}{made['path']}"))
    if made["secret"]:
        typer.echo(f"secret  {made['secret']}")
    typer.echo("Keep it now: it is not shown again.", err=True)
