"""`fastflow alerts …`: what is worth a message, what was told, and what became of it."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import local_time, print_fields, print_json, print_table, printable

app = typer.Typer(help="What is worth a message, what was told, and what became of it.", no_args_is_help=True)

Ref = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id, or the end of it.", show_default=False)]
RuleRef = Annotated[str, typer.Argument(metavar="RULE", help="The rule's id, or the end of it.", show_default=False)]


@app.command("list")
def list_alerts(
    ctx: typer.Context,
    pipeline: Annotated[str | None, typer.Option(help="Only alerts of this pipeline.")] = None,
    event: Annotated[str | None, typer.Option(help="Only of this event.")] = None,
    is_open: Annotated[
        bool | None,
        typer.Option("--open/--closed", help="Only those that are neither acknowledged nor over, or others."),
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """What rules told of, latest first."""
    from fastflow.cli.pipeline_refs import require_known
    from fastflow.cli.runs import tell_next
    from fastflow.kit.ids import short_id

    query: dict[str, Any] = {"pipeline_name": pipeline, "event": event, "limit": limit, "cursor": cursor}
    if is_open is not None:
        query["open"] = str(is_open).lower()
    with open_api(ctx) as api:
        page = api.get("/alerts", **query)
        require_known(api, pipeline, page["items"], cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("id", lambda one: short_id(one["id"])),
            ("at", lambda one: local_time(one["at"])),
            ("severity", lambda one: one["severity"]),
            ("what", lambda one: one["title"]),
            ("state", _state),
        ],
        empty="No alerts.",
    )
    tell_next(page)


def _state(alert: Mapping[str, Any]) -> str:
    if alert["resolved_at"]:
        return "over"
    return f"known to {alert['acknowledged_by']}" if alert["acknowledged_at"] else "open"


@app.command("show")
def show_alert(ctx: typer.Context, alert: Ref, as_json: AsJson = False) -> None:
    """One alert in full, and who was told."""
    from fastflow.cli.references import find_by_tail

    with open_api(ctx) as api:
        found = find_by_tail(api, "/alerts", alert, "alert")
        sent = [] if as_json else api.get("/notifications", alert_id=found["id"], limit=100)["items"]
    if as_json:
        print_json(found)
        return
    typer.echo(printable(f"{found['title']}\n\n{found['text']}\n"))
    print_fields(
        {
            "id": found["id"],
            "rule": found["rule_name"],
            "at": local_time(found["at"]),
            "state": _state(found),
            "told": [f"{one['channel']}: {one['state']}, {one['why']}" for one in sent],
        }
    )


@app.command("ack")
def acknowledge(ctx: typer.Context, alert: Ref) -> None:
    """Say that you know: it is not told again."""
    from fastflow.cli.client import part
    from fastflow.cli.references import find_by_tail

    with open_api(ctx) as api:
        found = find_by_tail(api, "/alerts", alert, "alert")
        done = api.post(f"/alerts/{part(found['id'])}/acknowledge")
    typer.echo(printable(f"{done['title']} is {_state(done)}."))


@app.command("sent")
def list_sent(
    ctx: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only to this channel.")] = None,
    state: Annotated[str | None, typer.Option(help="Only waiting, sent, failed or dropped ones.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """What was sent, what waits and what was given up, and why; latest first."""
    from fastflow.cli.runs import tell_next
    from fastflow.kit.ids import short_id

    with open_api(ctx) as api:
        page = api.get("/notifications", channel=channel, state=state, limit=limit, cursor=cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("alert", lambda one: short_id(one["alert_id"])),
            ("made", lambda one: local_time(one["created_at"])),
            ("channel", lambda one: one["channel"]),
            ("what", lambda one: one["title"] or f"{one['event']} {one['pipeline_name'] or ''}".strip()),
            ("state", lambda one: one["state"]),
            ("why", lambda one: one["why"]),
        ],
        empty="Nothing was sent, and nothing waits.",
    )
    tell_next(page)


@app.command("rules")
def list_rules(
    ctx: typer.Context,
    pipeline: Annotated[str | None, typer.Option(help="Only rules of this pipeline.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Every rule: what it tells of, and whom."""
    from fastflow.cli.pipeline_refs import require_known
    from fastflow.cli.runs import tell_next
    from fastflow.kit.ids import short_id

    with open_api(ctx) as api:
        page = api.get("/alerts/rules", pipeline_name=pipeline, limit=limit, cursor=cursor)
        require_known(api, pipeline, page["items"], cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("id", lambda one: short_id(one["id"])),
            ("rule", lambda one: f"{one['pipeline_name'] or '*'}/{one['name']}"),
            ("on", lambda one: one["events"]),
            ("to", lambda one: one["channels"]),
            ("state", lambda one: "on" if one["enabled"] else "off"),
            ("from", lambda one: one["origin"]),
        ],
        empty="No rules: `fastflow alerts add PIPELINE --channel NAME` makes one.",
    )
    for one in page["items"]:
        if one["problem"]:
            typer.echo(printable(f"{one['pipeline_name'] or '*'}/{one['name']}: {one['problem']}"), err=True)
    tell_next(page)


@app.command("add")
def add_rule(
    ctx: typer.Context,
    pipeline: Annotated[str | None, typer.Argument(help="The pipeline's name.", show_default=False)] = None,
    every_pipeline: Annotated[bool, typer.Option("--all", help="Every pipeline.")] = False,
    channel: Annotated[list[str] | None, typer.Option(help="Whom to tell; may be repeated.")] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on",
            help="failure, recovery, late, slow, deadline, crash-loop, approval or system; may be repeated. Left away: failure, recovery.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it; left away: one is found.")] = None,
    severity: Annotated[str | None, typer.Option(help="info, warning or critical.")] = None,
    reason: Annotated[
        list[str] | None, typer.Option(help="failure: only of this reason, such as oom; may be repeated.")
    ] = None,
    after: Annotated[str, typer.Option(metavar="DURATION", help="late: so long after the due time.")] = "5m",
    factor: Annotated[
        float | None, typer.Option(help="slow: so many times the median of earlier runs; 2 if --mad is left away too.")
    ] = None,
    mad: Annotated[
        float | None, typer.Option(help="slow: so many median absolute deviations above the median.")
    ] = None,
    min_history: Annotated[int, typer.Option(help="slow: successful runs there must be.")] = 5,
    by: Annotated[
        str | None, typer.Option(metavar="HH:MM", help="deadline: time by which a run shall have succeeded.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="deadline: IANA time zone, such as Europe/Berlin.")] = "UTC",
    day: Annotated[
        list[str] | None, typer.Option(help="deadline: only on this day, such as mon; may be repeated.")
    ] = None,
    within: Annotated[
        str, typer.Option(metavar="DURATION", help="deadline: how long before it a success counts.")
    ] = "1d",
    repeat_every: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Tell it again until somebody acknowledges it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a rule for a pipeline, or for every one (--all)."""
    from fastflow.cli.errors import WrongUsage
    from fastflow.cli.schedule_refs import read_seconds

    if (pipeline is None) != every_pipeline:
        raise WrongUsage("It is not clear what to watch.", hint="Give a pipeline's name, or --all; one of them.")
    body: dict[str, Any] = {
        "pipeline_name": pipeline,
        "name": name,
        "events": on or ["failure", "recovery"],
        "channels": channel or [],
        "severity": severity,
        "after": read_seconds(after, "--after"),
        "factor": 2.0 if factor is None and mad is None else factor,
        "mad": mad,
        "min_history": min_history,
        "by": by,
        "timezone": timezone,
        "within": read_seconds(within, "--within"),
        "repeat_every": read_seconds(repeat_every, "--repeat-every"),
    }
    if reason:
        body["reasons"] = reason
    if day:
        body["days"] = day
    with open_api(ctx) as api:
        made = api.post("/alerts/rules", body)
    if as_json:
        print_json(made)
    else:
        told = f"{made['pipeline_name'] or '*'}/{made['name']}"
        typer.echo(f"{told} tells {', '.join(made['channels'])} of {', '.join(made['events'])}.")


@app.command("rm")
def remove_rule(ctx: typer.Context, rule: RuleRef) -> None:
    """Remove a rule; what it told stays in the history."""
    from fastflow.cli.client import part
    from fastflow.cli.references import find_by_tail

    with open_api(ctx) as api:
        found = find_by_tail(api, "/alerts/rules", rule, "rule")
        api.delete(f"/alerts/rules/{part(found['id'])}")
    typer.echo(f"{found['pipeline_name'] or '*'}/{found['name']} is removed.")
