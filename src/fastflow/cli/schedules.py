"""`fastflow schedules …`: when runs are due, and what became of every due time."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import print_json, printable

app = typer.Typer(help="When runs are due, and what became of every due time.", no_args_is_help=True)

Ref = Annotated[
    str,
    typer.Argument(
        metavar="SCHEDULE", help="PIPELINE/NAME, the name alone, the id, or the end of the id.", show_default=False
    ),
]
OptionalRef = Annotated[
    str | None,
    typer.Argument(
        metavar="[SCHEDULE]", help="PIPELINE/NAME, the name alone, the id, or the end of the id.", show_default=False
    ),
]
_FROM = "2026-11-21, 2026-11-21T04:35 (on this machine's clock) or 2026-11-21T04:35Z. Left away: now."
_TO = "Written like --from; itself left out. Left away: seven days after --from."
Zone = Annotated[str, typer.Option(help="IANA time zone, such as Europe/Berlin.")]
Cron = Annotated[
    str | None, typer.Option(metavar="LINE", help='A cron line, such as "30 2 * * *", or @daily and the like.')
]
Every = Annotated[str | None, typer.Option(metavar="DURATION", help="An interval, such as 5m.")]
At = Annotated[
    str | None, typer.Option(metavar="INSTANT", help="Once, such as 2026-11-21T04:35; in the zone without an offset.")
]
_OPTIONS = {
    "start_at": "--start", "end_at": "--end", "timezone": "--timezone", "jitter": "--jitter", "name": "--name",
    "catch_up_window": "--catch-up-window", "overlap": "--overlap", "missed": "--missed", "priority": "--priority",
}  # fmt: skip
"""Field of the API -> option."""
Pipeline = Annotated[str | None, typer.Option(help="All schedules of this pipeline.")]
System = Annotated[bool, typer.Option("--all", help="The whole system.")]


@app.command("list")
def list_schedules(
    ctx: typer.Context,
    pipeline: Annotated[str | None, typer.Option(help="Only schedules of this pipeline.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Every schedule: when it is due next, and what came of it last."""
    from fastflow.cli.pipeline_refs import require_known
    from fastflow.cli.runs import tell_next
    from fastflow.cli.schedule_tables import print_schedules

    with open_api(ctx) as api:
        page = api.get("/scheduler/jobs", pipeline_name=pipeline, limit=limit, cursor=cursor)
        require_known(api, pipeline, page["items"], cursor)
        status = None if as_json else api.get("/scheduler")
    if as_json:
        print_json(page)
        return
    print_schedules(page["items"])
    for pause in status["pauses"] if status else ():
        typer.echo(_paused(pause), err=True)
    tell_next(page)


@app.command("add")
def add_schedule(
    ctx: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="The pipeline's name.", show_default=False)],
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    timezone: Zone = "UTC",
    name: Annotated[str | None, typer.Option(help="What to call it; left away: one is found.")] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="KEY=VALUE", help="A parameter of every run; may be repeated."),
    ] = None,
    json_params: Annotated[str | None, typer.Option(metavar="JSON", help="The parameters as a JSON object.")] = None,
    start: Annotated[str | None, typer.Option(metavar="INSTANT", help="No due time before.")] = None,
    end: Annotated[str | None, typer.Option(metavar="INSTANT", help="No due time at or after it.")] = None,
    jitter: Annotated[str, typer.Option(metavar="DURATION", help="Put each start off by up to so long.")] = "0",
    overlap: Annotated[
        str, typer.Option(help="While an earlier run of it is not over: queue, skip or cancel-old.")
    ] = "queue",
    missed: Annotated[str, typer.Option(help="Missed due times to make up for: all, last or none.")] = "last",
    catch_up_window: Annotated[
        str, typer.Option(metavar="DURATION", help="Make up for nothing older; `unlimited`: whatever its age.")
    ] = "1d",
    priority: Annotated[int, typer.Option(help="Of every run; higher goes first.")] = 0,
    paused: Annotated[bool, typer.Option("--paused", help="Make it paused.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a schedule of a pipeline: one of --cron, --every and --at."""
    from fastflow.cli.client import part
    from fastflow.cli.params import parse_params
    from fastflow.cli.schedule_refs import UNLIMITED, naming_options, read_instant, read_seconds
    from fastflow.cli.schedule_tables import print_schedule

    trigger = _trigger(cron, every, at)
    with open_api(ctx) as api:
        schema = api.get(f"/pipelines/{part(pipeline)}")["params_schema"] if params else None
        body = {
            "pipeline_name": pipeline,
            "name": name,
            **trigger,
            "timezone": timezone,
            "params": parse_params(params or (), json_params, schema),
            "enabled": not paused,
            "start_at": read_instant(start, "--start", timezone),
            "end_at": read_instant(end, "--end", timezone),
            "jitter": read_seconds(jitter, "--jitter"),
            "overlap": overlap,
            "missed": missed,
            "catch_up_window": (
                None if catch_up_window == UNLIMITED else read_seconds(catch_up_window, "--catch-up-window")
            ),
            "priority": priority,
        }
        with naming_options(expression=_option_of(trigger), **_OPTIONS):
            made = api.post("/scheduler/jobs", body)
        ahead = [] if as_json else api.get(f"/scheduler/jobs/{part(made['id'])}/next", count=3)["items"]
    print_json(made) if as_json else print_schedule(made, ahead)


def _trigger(cron: str | None, every: str | None, at: str | None) -> Mapping[str, str]:
    from fastflow.cli.errors import WrongUsage

    given = {"cron": cron, "interval": every, "once": at}
    chosen = [(trigger, text) for trigger, text in given.items() if text is not None]
    if len(chosen) != 1:
        raise WrongUsage(
            "A schedule is due by one of --cron, --every and --at.",
            hint='Give one of them, such as --cron "30 2 * * *" or --every 5m.',
        )
    return {"trigger": chosen[0][0], "expression": chosen[0][1]}


def _option_of(trigger: Mapping[str, str] | None) -> str:
    options = {"cron": "--cron", "interval": "--every", "once": "--at"}
    return options[trigger["trigger"]] if trigger else "expression"


@app.command("show")
def show_schedule(ctx: typer.Context, schedule: Ref, as_json: AsJson = False) -> None:
    """One schedule: how it is set, what keeps it, when it is due next."""
    from fastflow.cli.client import part
    from fastflow.cli.schedule_refs import find_schedule
    from fastflow.cli.schedule_tables import print_schedule

    with open_api(ctx) as api:
        found = find_schedule(api, schedule)
        ahead = [] if as_json else api.get(f"/scheduler/jobs/{part(found['id'])}/next", count=5)["items"]
    print_json(found) if as_json else print_schedule(found, ahead)


@app.command("set")
def set_schedule(
    ctx: typer.Context,
    schedule: Ref,
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    timezone: Annotated[str | None, typer.Option(help="IANA time zone, such as Europe/Berlin.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call it.")] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="KEY=VALUE", help="A parameter of every run; the others stay."),
    ] = None,
    json_params: Annotated[
        str | None, typer.Option(metavar="JSON", help="All parameters anew, as a JSON object.")
    ] = None,
    start: Annotated[str | None, typer.Option(metavar="INSTANT", help="No due time before; `none`: no bound.")] = None,
    end: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="No due time at or after it; `none`: no bound.")
    ] = None,
    jitter: Annotated[str | None, typer.Option(metavar="DURATION", help="Put each start off by up to so long.")] = None,
    overlap: Annotated[
        str | None, typer.Option(help="While an earlier run of it is not over: queue, skip or cancel-old.")
    ] = None,
    missed: Annotated[str | None, typer.Option(help="Missed due times to make up for: all, last or none.")] = None,
    catch_up_window: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Make up for nothing older; `unlimited`: whatever its age.")
    ] = None,
    priority: Annotated[int | None, typer.Option(help="Of every run; higher goes first.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given of a schedule; all else stays as it is."""
    from fastflow.cli.client import part
    from fastflow.cli.schedule_changes import params_with, read_changes
    from fastflow.cli.schedule_refs import find_schedule, naming_options
    from fastflow.cli.schedule_tables import print_schedule

    trigger = _trigger(cron, every, at) if any(text is not None for text in (cron, every, at)) else None
    given = {
        "name": name, "timezone": timezone, "start": start, "end": end, "jitter": jitter, "overlap": overlap,
        "missed": missed, "catch_up_window": catch_up_window, "priority": priority,
    }  # fmt: skip
    with open_api(ctx) as api:
        found = find_schedule(api, schedule)
        changes = {**(trigger or {}), **read_changes(given, found["timezone"])}
        if params or json_params is not None:
            changes["params"] = params_with(api, found, params or (), json_params)
        with naming_options(expression=_option_of(trigger), **_OPTIONS):
            after = api.patch(f"/scheduler/jobs/{part(found['id'])}", changes) if changes else None
        if after is None:
            raise _nothing_to_set()
        ahead = [] if as_json else api.get(f"/scheduler/jobs/{part(found['id'])}/next", count=3)["items"]
    print_json(after) if as_json else print_schedule(after, ahead)


def _nothing_to_set() -> Exception:
    from fastflow.cli.errors import WrongUsage

    return WrongUsage(
        "It is not said what to change.",
        hint='Give at least one option, such as --cron "30 2 * * *" or --overlap skip; `pause` and `resume` switch it.',
    )


@app.command("pause")
def pause(
    ctx: typer.Context,
    schedule: OptionalRef = None,
    pipeline: Pipeline = None,
    system: System = False,
    reason: Annotated[str | None, typer.Option(help="Why; told at every due time meanwhile.")] = None,
) -> None:
    """Let one schedule, all of a pipeline (--pipeline) or all there are (--all) start nothing; due times go on getting
    their rows in the ledger."""
    _switch(ctx, "pause", schedule, pipeline, system, {"reason": reason})


@app.command("resume")
def resume(ctx: typer.Context, schedule: OptionalRef = None, pipeline: Pipeline = None, system: System = False) -> None:
    """Let them start runs again; what was due meanwhile is not made up for."""
    _switch(ctx, "resume", schedule, pipeline, system, None)


def _switch(ctx: typer.Context, verb: str, schedule: str | None, pipeline: str | None, system: bool, body: Any) -> None:
    from fastflow.cli.client import part
    from fastflow.cli.errors import WrongUsage
    from fastflow.cli.schedule_refs import find_schedule

    if sum((schedule is not None, pipeline is not None, system)) != 1:
        raise WrongUsage(
            f"It is not clear what to {verb}.", hint="Give a schedule, or --pipeline NAME, or --all; one of them."
        )
    with open_api(ctx) as api:
        if schedule is not None:
            found = find_schedule(api, schedule)
            job = api.post(f"/scheduler/jobs/{part(found['id'])}/{verb}", body)
            typer.echo(f"{job['pipeline_name']}/{job['name']} is {'on' if job['enabled'] else 'paused'}.")
            for other in job["pauses"]:
                if verb == "resume" or other["scope"] != "schedule":
                    typer.echo(_paused(other), err=True)
        elif pipeline is not None:
            api.post(f"/scheduler/pipelines/{part(pipeline)}/{verb}", body)
            typer.echo(f"The schedules of {pipeline} are {'paused' if verb == 'pause' else 'on'}.")
        else:
            api.post(f"/scheduler/{verb}", body)
            typer.echo(f"All schedules are {'paused' if verb == 'pause' else 'on'}.")


def _paused(pause: Mapping[str, Any]) -> str:
    from fastflow.cli.schedule_tables import describe_pause

    return printable(f"{describe_pause(pause)}.")


@app.command("rm")
def remove_schedule(ctx: typer.Context, schedule: Ref) -> None:
    """Remove a schedule with its ledger; its runs stay."""
    from fastflow.cli.client import part
    from fastflow.cli.schedule_refs import find_schedule

    with open_api(ctx) as api:
        found = find_schedule(api, schedule)
        api.delete(f"/scheduler/jobs/{part(found['id'])}")
    typer.echo(f"{found['pipeline_name']}/{found['name']} is removed.")


@app.command("next")
def show_next(
    ctx: typer.Context,
    schedule: Ref,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=500, help="Due times to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The next due times, with what changes of the clocks do to them."""
    from fastflow.cli.client import part
    from fastflow.cli.schedule_refs import find_schedule
    from fastflow.cli.schedule_tables import print_due_times

    with open_api(ctx) as api:
        found = find_schedule(api, schedule)
        ahead = api.get(f"/scheduler/jobs/{part(found['id'])}/next", count=count)
    print_json(ahead) if as_json else print_due_times(ahead["items"])


@app.command("ledger")
def show_ledger(
    ctx: typer.Context,
    schedule: Ref,
    outcome: Annotated[
        str | None, typer.Option(help="Only started, skipped, coalesced, missed or paused ones.")
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """What became of every due time, latest first."""
    from fastflow.cli.client import part
    from fastflow.cli.runs import tell_next
    from fastflow.cli.schedule_refs import find_schedule
    from fastflow.cli.schedule_tables import print_ledger

    with open_api(ctx) as api:
        found = find_schedule(api, schedule)
        path = f"/scheduler/jobs/{part(found['id'])}/occurrences"
        page = api.get(path, outcome=outcome, limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_ledger(page["items"], found["timezone"])
    tell_next(page)


@app.command("simulate")
def simulate(
    ctx: typer.Context,
    schedules: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCHEDULE]...", help="Only these; left away: all.", show_default=False),
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="INSTANT", help=_FROM)] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="INSTANT", help=_TO)] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only schedules of this pipeline.")] = None,
    cron: Cron = None,
    every: Every = None,
    at: At = None,
    timezone: Zone = "UTC",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Due times to show.")] = 100,
    as_json: AsJson = False,
) -> None:
    """What would be due between two instants, with the hours that clocks leave out or repeat; with --cron, --every or
    --at, of a schedule that is not made yet. Changes nothing."""
    from fastflow.cli.schedule_refs import find_schedule, naming_options
    from fastflow.cli.schedule_tables import print_simulation, span

    start, end = span(since, until)
    trial = _trigger(cron, every, at) if any(text is not None for text in (cron, every, at)) else None
    with open_api(ctx) as api:
        body = {
            "since": start,
            "until": end,
            "job_ids": [find_schedule(api, one)["id"] for one in schedules] if schedules else None,
            "pipeline_name": pipeline,
            "schedule": {**trial, "timezone": timezone} if trial else None,
            "limit": limit,
        }
        with naming_options(since="--from", until="--to", expression=_option_of(trial)):
            found = api.post("/scheduler/simulate", body)
    print_json(found) if as_json else print_simulation(found)
