"""All commands in one tree."""

from typing import Annotated

import typer

from fastflow.cli import (
    alerts,
    audit,
    backfill,
    backup,
    channels,
    churn,
    daemons,
    doctor,
    engine_gate,
    environments,
    failures,
    flows,
    pipelines,
    run,
    runs,
    schedules,
    secrets,
    server,
    serving,
    sync,
    users,
    webhooks,
)
from fastflow.cli.access import Access
from fastflow.cli.errors import CommandGroup
from fastflow.cli.synonyms import Nouns

# Help is plain text: drawing it with Rich takes as long as everything else of `fastflow --help` together.
app = typer.Typer(
    name="fastflow",
    cls=CommandGroup,
    help="Runs plain Python scripts isolated, in milliseconds, with live logs and a lasting history.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Commands work on DATA_DIR of this machine; with FASTFLOW_URL and FASTFLOW_TOKEN set, on that server.",
)


@app.callback()
def root(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="FASTFLOW_URL", metavar="URL", help="Server to talk to; left away: DATA_DIR of this machine."
        ),
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="FASTFLOW_TOKEN", metavar="TOKEN", help="Bearer token for that server.")
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=server.print_version, help="Print the version and exit."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="FASTFLOW_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Where the commands work."""
    if not isinstance(ctx.obj, Access):
        ctx.obj = Access(url=url or None, token=token or None, debug=debug)


app.command("serve")(serving.serve)
app.command("run")(run.run)
app.add_typer(runs.app, name="runs")
app.add_typer(daemons.app, name="daemons")
app.add_typer(failures.app, name="failures")
app.add_typer(failures.letters_app, name="dead-letters")
app.add_typer(pipelines.app, name="pipelines")
app.add_typer(schedules.app, name="schedules")
app.add_typer(alerts.app, name="alerts")
app.add_typer(backup.app, name="backup")
app.command("restore")(backup.restore)
app.add_typer(channels.app, name="channels")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(flows.app, name="flows")
app.add_typer(backfill.app, name="backfill")
app.add_typer(sync.app, name="sync")
app.add_typer(environments.app, name="environments")
app.add_typer(secrets.app, name="secrets")
app.add_typer(users.app, name="users")
app.add_typer(users.tokens_app, name="tokens")
app.add_typer(audit.app, name="audit")
app.add_typer(churn.app, name="churn")
for group in app.registered_groups:
    if group.name != "backfill":  # whose unknown first word is a pipeline
        group.cls = Nouns
app.command("openapi")(server.openapi)
app.command("doctor")(doctor.doctor)
app.command("engine-gate", hidden=True)(engine_gate.engine_gate)
app.command("version")(server.version)
