"""`fastflow sync …`: pipelines from Git: what would change, making it active, going back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import print_json

app = typer.Typer(help="Pipelines from Git: what would change, making it active, going back.")

OneRepository = Annotated[
    str | None,
    typer.Argument(metavar="[REPOSITORY]", help="Its name; left away: every repository.", show_default=False),
]
Which = Annotated[str | None, typer.Option("--repository", help="Its name; may be left away when there is one alone.")]
Name = Annotated[str, typer.Argument(metavar="REPOSITORY", help="The repository's name.", show_default=False)]
Force = Annotated[
    bool, typer.Option("--force", help="In spite of what speaks against it; runs of what goes are stopped.")
]
Reason = Annotated[str | None, typer.Option(help="Why, for the history.")]
Branch = Annotated[str | None, typer.Option(help="Branch to follow.")]
Subfolder = Annotated[str | None, typer.Option(metavar="PATH", help="Where the pipelines are; empty: at the top.")]
Prefix = Annotated[str | None, typer.Option(metavar="TEXT", help="Put before the names of its pipelines.")]
Auth = Annotated[
    str | None, typer.Option(help="none, password, ssh or github-app; left away: password if --secret is given.")
]
Username = Annotated[str | None, typer.Option(help="Beside the password; left away: what GitHub expects.")]
Secret = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="Secret (set with --server-only) that is the token, SSH key or App's key."),
]
AppId = Annotated[str | None, typer.Option(help="Id of the GitHub App; left away: GITHUB_APP_ID.")]
Installation = Annotated[str | None, typer.Option("--installation-id", help="Of the App; left away: GitHub is asked.")]
HostKeys = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The SSH host's keys, as `ssh-keyscan HOST` prints them.")
]
WebhookSecret = Annotated[str | None, typer.Option(metavar="KEY", help="Secret that its host signs webhooks with.")]
Interval = Annotated[
    str | None, typer.Option(metavar="DURATION", help="Between two looks, such as 5m; 0: never by itself.")
]


@app.callback(invoke_without_command=True)
def sync(ctx: typer.Context) -> None:
    """Alone: `fastflow sync run`, of every repository."""
    if ctx.invoked_subcommand is None:
        run(ctx)


@app.command("run")
def run(
    ctx: typer.Context,
    repository: OneRepository = None,
    force: Force = False,
    reason: Reason = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait; print the syncs' ids.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch, plan, build environments, make it active; exit code 1 when a version was refused or could not be fetched."""
    _sync(ctx, {"repository": repository, "force": force, "reason": reason}, as_json=as_json, detach=detach)


@app.command("plan")
def plan(ctx: typer.Context, repository: OneRepository = None, as_json: AsJson = False) -> None:
    """What a sync would change: pipelines, dependencies, schedules, settings, faults. Changes nothing; exit code 1 when
    something speaks against it."""
    _sync(ctx, {"repository": repository, "plan_only": True}, as_json=as_json)


def _sync(ctx: typer.Context, body: Mapping[str, Any], *, as_json: bool, detach: bool = False) -> None:
    from fastflow.cli.sync_following import follow_syncs
    from fastflow.cli.sync_tables import is_well, print_outcome

    with open_api(ctx) as api:
        asked = api.post("/sync", body)["items"]
        if detach:
            typer.echo("\n".join(one["id"] for one in asked))
            return
        ended = follow_syncs(api, asked, is_quiet=as_json)
    if as_json:
        print_json({"items": ended})
    else:
        for one in ended:
            print_outcome(one)
    if not all(map(is_well, ended)):
        raise typer.Exit(1)


@app.command("rollback")
def rollback(
    ctx: typer.Context,
    commit: Annotated[
        str | None,
        typer.Argument(metavar="[COMMIT]", help="Its beginning; left away: the last one before.", show_default=False),
    ] = None,
    repository: Which = None,
    force: Force = False,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Make a version active again that was active before, at once; runs under way keep their code. What was rolled back
    from is held until a person syncs again."""
    from fastflow.cli.sync_tables import print_outcome

    with open_api(ctx) as api:
        body = {"repository": repository, "commit": commit, "force": force, "reason": reason}
        done = api.post("/sync/rollback", body)
    print_json(done) if as_json else print_outcome(done)


@app.command("status")
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """What is active of every repository, since when and by whom; what its host has; what is under way."""
    from fastflow.cli.sync_tables import print_status

    with open_api(ctx) as api:
        told = api.get("/sync/status")
    print_json(told) if as_json else print_status(told["items"])


@app.command("history")
def history(
    ctx: typer.Context, repository: Which = None, limit: Limit = 20, cursor: Cursor = None, as_json: AsJson = False
) -> None:
    """Every sync, latest first: who asked, why, and what came of it."""
    from fastflow.cli.runs import tell_next
    from fastflow.cli.sync_tables import print_history

    with open_api(ctx) as api:
        page = api.get("/sync/history", repository=repository, limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_history(page["items"])
    tell_next(page)


@app.command("show")
def show(
    ctx: typer.Context,
    sync_id: Annotated[str, typer.Argument(metavar="SYNC", help="The sync's id.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """One sync with its plan."""
    from fastflow.cli.client import part
    from fastflow.cli.sync_tables import print_outcome

    with open_api(ctx) as api:
        one = api.get(f"/sync/history/{part(sync_id)}")
    print_json(one) if as_json else print_outcome(one)


@app.command("list")
def list_repositories(ctx: typer.Context, limit: Limit = 100, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """Every repository."""
    from fastflow.cli.runs import tell_next
    from fastflow.cli.sync_tables import print_repositories

    with open_api(ctx) as api:
        page = api.get("/sync/repositories", limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_repositories(page["items"])
    tell_next(page)


@app.command("add")
def add(
    ctx: typer.Context,
    name: Name,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="https://…, ssh://… or user@host:path.", show_default=False)
    ],
    branch: Branch = None,
    subfolder: Subfolder = None,
    prefix: Prefix = None,
    auth: Auth = None,
    username: Username = None,
    secret: Secret = None,
    app_id: AppId = None,
    installation_id: Installation = None,
    host_keys: HostKeys = None,
    webhook_secret: WebhookSecret = None,
    interval: Interval = None,
    as_json: AsJson = False,
) -> None:
    """Add a repository; nothing is fetched before `fastflow sync run`."""
    given = _given(
        branch=branch,
        subfolder=subfolder,
        prefix=prefix,
        auth=auth or ("password" if secret else None),
        username=username,
        secret=secret,
        app_id=app_id,
        installation_id=installation_id,
        host_keys=host_keys,
        webhook_secret=webhook_secret,
        interval=interval,
    )
    with open_api(ctx) as api:
        made = api.post("/sync/repositories", {"name": name, "url": url, **given})
    if as_json:
        print_json(made)
    else:
        typer.echo(
            f"{made['name']} follows {made['branch']} of {made['url']}; `fastflow sync plan` says what it brings."
        )


@app.command("set")
def change(
    ctx: typer.Context,
    name: Name,
    url: Annotated[str | None, typer.Option(help="https://…, ssh://… or user@host:path.")] = None,
    branch: Branch = None,
    subfolder: Subfolder = None,
    prefix: Prefix = None,
    auth: Auth = None,
    username: Username = None,
    secret: Secret = None,
    app_id: AppId = None,
    installation_id: Installation = None,
    host_keys: HostKeys = None,
    webhook_secret: WebhookSecret = None,
    interval: Interval = None,
    as_json: AsJson = False,
) -> None:
    """Change a repository, from the next sync on."""
    from fastflow.cli.client import part

    given = _given(
        url=url,
        branch=branch,
        subfolder=subfolder,
        prefix=prefix,
        auth=auth,
        username=username,
        secret=secret,
        app_id=app_id,
        installation_id=installation_id,
        host_keys=host_keys,
        webhook_secret=webhook_secret,
        interval=interval,
    )
    with open_api(ctx) as api:
        changed = api.patch(f"/sync/repositories/{part(name)}", given)
    print_json(changed) if as_json else typer.echo(f"{changed['name']} is changed.")


def _given(**values: Any) -> dict[str, Any]:
    """The options that were given, as the API takes them."""
    from fastflow.cli.errors import WrongUsage
    from fastflow.kit.durations import parse_duration

    given = {name: value for name, value in values.items() if value is not None}
    if "interval" in given:
        text = given["interval"]
        given["interval"] = 0 if text == "0" else parse_duration(text, "--interval")
    if "host_keys" in given:
        try:
            given["host_keys"] = given["host_keys"].read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUsage(
                f"--host-keys {given['host_keys']} cannot be read: {error}.",
                hint="Write `ssh-keyscan HOST` into a file.",
            ) from error
    return given


@app.command("rm")
def remove(ctx: typer.Context, name: Name, force: Force = False) -> None:
    """Remove a repository with its pipelines; its history stays."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        api.delete(f"/sync/repositories/{part(name)}{'?force=true' if force else ''}")
    typer.echo(f"{name} is removed.")
