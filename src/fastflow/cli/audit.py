"""`fastflow audit …`: who changed what, and the proof that the list is whole."""

import sys
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import local_time, print_json, print_table

app = typer.Typer(help="Every change, who made it and from where.", invoke_without_command=True)

By = Annotated[str | None, typer.Option(help="Only what this actor did, such as user:admin.")]
Action = Annotated[str | None, typer.Option(help="Only this action, such as secret.set or `secret.`.")]
Subject = Annotated[str | None, typer.Option(help="Only changes of this thing.")]
Since = Annotated[str | None, typer.Option(help="Only this instant and later: ISO 8601 with its offset.")]
Until = Annotated[str | None, typer.Option(help="Only before this instant: ISO 8601 with its offset.")]
BROKEN = 1
"""Exit code of `verify` when the chain does not hold."""


@app.callback()
def audit(ctx: typer.Context) -> None:
    """Every change, who made it and from where; without a command: the newest."""
    if ctx.invoked_subcommand is None:
        _show(ctx, {"limit": 50}, as_json=False)


@app.command("list")
def list_entries(
    ctx: typer.Context,
    limit: Limit = 50,
    cursor: Cursor = None,
    actor: By = None,
    action: Action = None,
    subject: Subject = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Every change, who made it and from where; newest first."""
    wanted = {"actor": actor, "action": action, "subject": subject, "since": since, "until": until}
    _show(ctx, {"limit": limit, "cursor": cursor, **wanted}, as_json=as_json)


def _show(ctx: typer.Context, query: dict[str, Any], *, as_json: bool) -> None:
    from fastflow.cli.runs import tell_next

    with open_api(ctx) as api:
        page = api.get("/audit", **query)
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
        empty="No entry matches."
        if any(query[name] for name in query if name != "limit")
        else "Nothing was changed yet.",
    )
    tell_next(page)


@app.command("export")
def export(
    ctx: typer.Context,
    actor: By = None,
    action: Action = None,
    subject: Subject = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Every entry as JSON lines on stdout, oldest first, with its hashes."""
    query = {"actor": actor, "action": action, "subject": subject, "since": since, "until": until}
    wanted = {name: value for name, value in query.items() if value is not None}
    with open_api(ctx) as api:

        async def copy() -> None:
            async with api.open("GET", "/audit/export", query=wanted) as answer:
                async for chunk in answer.aiter_bytes():
                    sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()

        api.run(copy())


@app.command("anchor")
def anchor(ctx: typer.Context) -> None:
    """Where the log ends now, in one line. Kept where nobody of this server can write, it proves later that nothing
    before it was changed or cut off: `fastflow audit verify --anchor LINE`."""
    with open_api(ctx) as api:
        typer.echo(api.get("/audit/anchor")["anchor"])


@app.command("verify")
def verify(
    ctx: typer.Context,
    anchor: Annotated[
        str | None, typer.Option(help="An earlier anchor, which must still be part of the chain.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk the whole chain. Exits with 1 when it does not hold, and names the first entry at which it does not."""
    with open_api(ctx) as api:
        found = api.get("/audit/verify", anchor=anchor)
    if as_json:
        print_json(found)
    elif found["ok"]:
        removed = f"; {found['removed']} older ones were removed by the retention" if found["removed"] else ""
        typer.echo(f"{found['checked']} entries hold together{removed}.")
        typer.echo(f"anchor {found['anchor']}")
    else:
        typer.echo(_told(found["broken"]), err=True)
    if not found["ok"]:
        raise typer.Exit(BROKEN)


def _told(broken: Any) -> str:
    where = "" if broken["entry_id"] is None else f" at entry {broken['entry_id']}"
    return (
        f"The audit log does not hold{where} (lane {broken['lane']}, number {broken['seq']}): {broken['problem']}.\n"
        "Compare with a backup or an export, and see who could write to the database."
    )
