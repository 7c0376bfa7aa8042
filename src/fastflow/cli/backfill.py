"""`fastflow backfill …`: a pipeline over a range of times. `fastflow backfill PIPELINE --from … --to …` is `backfill run`."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.errors import ServerProblem
from fastflow.cli.flows import change, list_some
from fastflow.cli.output import print_json, printable

_FLAGS = {"since": "--from", "until": "--to", "max_failures": "--max-failures"}
_FLAGS |= {name: f"--{name}" for name in ("step", "timezone", "order", "throttle", "priority", "maximum")}


def in_flags(error: ServerProblem) -> ServerProblem:
    """What is wrong with a backfill, with the names of flags for those of the API's fields."""
    for name, flag in _FLAGS.items():
        if name in error.fields:
            problem = error.fields.pop(name)
            error.message = error.message.replace(f"{name}: {problem}", f"{flag}: {problem}")
            error.fields[flag] = problem
    return error


class _Group(TyperGroup):
    """A group whose unknown first word is the pipeline of `run`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See click: the word is a command, else `run` gets it."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Group,
    help="A pipeline once for each time of a range: `fastflow backfill PIPELINE --from 2026-01-01 --to 2026-01-31`.",
    no_args_is_help=True,
)

Ref = Annotated[str, typer.Argument(metavar="BACKFILL", help="The id, the end of it, or `last`.", show_default=False)]


@app.command("run")
def run_backfill(
    ctx: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="The pipeline's name.", show_default=False)],
    since: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TIME",
            help="The first time: 2026-11-21, 2026-11-21T06:00 (on --timezone's clock) or 2026-11-21T06:00Z.",
        ),
    ],
    until: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The last one, itself included; written like --from.")
    ],
    step: Annotated[
        str, typer.Option(help='A length of time such as 1d or 6h, or a cron line such as "0 6 * * 1".')
    ] = "1d",
    timezone: Annotated[str, typer.Option(help="In which dates and cron lines are read.")] = "UTC",
    params: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="KEY=VALUE",
            help="A parameter; may hold {date}, {start}, {end}, {year}, {month}, {day}, {hour}, {time}, {number}.",
        ),
    ] = None,
    json_params: Annotated[str | None, typer.Option(metavar="JSON", help="The parameters as a JSON object.")] = None,
    order: Annotated[str, typer.Option(help="Which time goes first: oldest or newest.")] = "oldest",
    throttle: Annotated[int, typer.Option(min=1, max=10_000, help="Runs that may be under way at once.")] = 2,
    max_failures: Annotated[
        str, typer.Option(help="Failed runs after which no more start: a number or a share.")
    ] = "0",
    priority: Annotated[int, typer.Option(help="Of every run; ordinary runs have 0.")] = -100,
    maximum: Annotated[int, typer.Option(min=1, max=100_000, help="More runs than this are refused.")] = 10_000,
    again: Annotated[bool, typer.Option("--again", help="Also what an earlier backfill has done.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Make nothing, show what would run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the pipeline once for each time of a range, a few at a time and behind ordinary runs. Prints the backfill's
    id."""
    from fastflow.cli.client import part
    from fastflow.cli.flow_shapes import print_slots
    from fastflow.cli.params import parse_params

    with open_api(ctx) as api:
        schema = api.get(f"/pipelines/{part(pipeline)}")["params_schema"] if params else None
        body = {
            "pipeline_name": pipeline,
            "since": since,
            "until": until,
            "step": step,
            "timezone": timezone,
            "params": parse_params(params or (), json_params, schema),
            "order": order,
            "throttle": throttle,
            "max_failures": int(max_failures) if max_failures.isdecimal() else max_failures,
            "priority": priority,
            "maximum": maximum,
            "again": again,
            "dry_run": dry_run,
        }
        try:
            made = api.post("/backfills", body)
        except ServerProblem as error:
            raise in_flags(error) from error
    if as_json:
        print_json(made)
    elif dry_run:
        print_slots(made)
    else:
        typer.echo(made["backfill"]["id"])
        told = made["backfill"]["text"]
        typer.echo(printable(told if "to run" in told else f"{made['to_run']} to run. {told}"), err=True)


@app.command("list")
def list_backfills(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only RUNNING, SUCCESS or FAILED ones.")] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only backfills of this pipeline.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Backfills with their progress, newest first."""
    query = {"status": status, "pipeline_name": pipeline, "limit": limit, "cursor": cursor}
    list_some(ctx, "backfills", query, as_json=as_json)


@app.command("show")
def show_backfill(ctx: typer.Context, backfill: Ref, as_json: AsJson = False) -> None:
    """One backfill with its progress; `fastflow backfill elements BACKFILL` lists its runs."""
    from fastflow.cli.flow_shapes import get_flow, print_flow

    with open_api(ctx) as api:
        found = get_flow(api, backfill, kind="backfills")
    print_json(found) if as_json else print_flow(found)


@app.command("elements")
def list_runs(
    ctx: typer.Context,
    backfill: Ref,
    state: Annotated[str | None, typer.Option(help="Only WAITING, RUNNING, SUCCESS, FAILED or SKIPPED ones.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """The runs of a backfill, with every attempt, in the order of its times."""
    from fastflow.cli.flow_shapes import get_flow, show_elements

    with open_api(ctx) as api:
        found = get_flow(api, backfill, kind="backfills")
        step = found["steps"][0]["name"]
        show_elements(api, found["id"], step, state=state, limit=limit, cursor=cursor, as_json=as_json)


@app.command("cancel")
def cancel_backfill(
    ctx: typer.Context, backfill: Ref, reason: Annotated[str | None, typer.Option(help="Why, for people.")] = None
) -> None:
    """End a backfill: no more runs are started, and those under way are stopped."""
    change(ctx, backfill, "backfills", "cancel", {"reason": reason})


@app.command("resume")
def resume_backfill(
    ctx: typer.Context,
    backfill: Ref,
    exact: Annotated[bool, typer.Option("--exact", help="With the code of its beginning.")] = False,
) -> None:
    """Go on with a backfill that failed or was cancelled: what did not succeed runs again, the rest is kept."""
    change(ctx, backfill, "backfills", "resume", {"exact": exact})
