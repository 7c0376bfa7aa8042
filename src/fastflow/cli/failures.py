"""`fastflow failures …` and `fastflow dead-letters …`: what failed, in groups; and what failed for good."""

from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import local_time, print_fields, print_json, print_table, printable

app = typer.Typer(help="Failed runs in groups: those that end the same way count together.", no_args_is_help=True)
letters_app = typer.Typer(help="Runs that failed for good, until somebody decides.", no_args_is_help=True)
_PAGE = 500

Ref = Annotated[
    str, typer.Argument(metavar="RUN", help="The dead letter's run, named as in `runs show`.", show_default=False)
]
Pipeline = Annotated[str | None, typer.Option(help="Only those of this pipeline.")]
Group = Annotated[str | None, typer.Option("--failure", metavar="GROUP", help="Only failures of this group.")]
Params = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="KEY=VALUE", help="A parameter in place of the run's own; may be repeated."),
]
Exact = Annotated[bool, typer.Option("--exact", help="Same code, environment, secrets and limits as then.")]


@app.command("list")
def list_failures(
    ctx: typer.Context,
    pipeline: Pipeline = None,
    new_since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Seen for the first time since, such as 2026-11-21T04:35Z.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Groups of failures, the latest first; with how many there were on each of the last seven days."""
    from fastflow.cli.pipeline_refs import require_known
    from fastflow.cli.runs import tell_next
    from fastflow.kit.ids import short_id

    with open_api(ctx) as api:
        page = api.get("/failures", pipeline_name=pipeline, new_since=new_since, limit=limit, cursor=cursor)
        require_known(api, pipeline, page["items"], cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("group", lambda group: group["id"]),
            ("runs", lambda group: group["runs"]),
            ("last 7 days", lambda group: " ".join(str(count) for count in group["trend"])),
            ("first", lambda group: local_time(group["first_seen_at"])),
            ("last", lambda group: f"{local_time(group['last_seen_at'])} ({short_id(group['last_run_id'])})"),
            ("pipelines", lambda group: ", ".join(group["pipelines"])),
            ("what", lambda group: group["title"]),
        ],
        empty="No failures.",
    )
    tell_next(page)


@app.command("show")
def show_failure(
    ctx: typer.Context,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="As `failures list` shows it.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """One group: the way to the exception, and where it was seen."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        found = api.get(f"/failures/{part(group)}")
    if as_json:
        print_json(found)
        return
    print_fields(
        {
            "group": found["id"],
            "what": found["title"],
            "way": " > ".join(found["frames"]),
            "runs": found["runs"],
            "last seven days": " ".join(str(count) for count in found["trend"]),
            "pipelines": ", ".join(found["pipelines"]),
            "first seen": local_time(found["first_seen_at"]),
            "last seen": f"{local_time(found['last_seen_at'])}, run {found['last_run_id']}",
        }
    )


@letters_app.command("list")
def list_letters(
    ctx: typer.Context,
    pipeline: Pipeline = None,
    failure: Group = None,
    state: Annotated[str, typer.Option(help="open, replayed or dismissed.")] = "open",
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Runs that failed for good, newest first."""
    from fastflow.cli.pipeline_refs import require_known
    from fastflow.cli.runs import tell_next
    from fastflow.kit.ids import short_id

    with open_api(ctx) as api:
        page = api.get(
            "/dead-letters", pipeline_name=pipeline, failure_group=failure, state=state, limit=limit, cursor=cursor
        )
        require_known(api, pipeline, page["items"], cursor)
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("run", lambda letter: short_id(letter["run"]["id"])),
            ("pipeline", lambda letter: letter["run"]["pipeline_name"]),
            ("failed", lambda letter: local_time(letter["created_at"])),
            ("attempts", lambda letter: letter["run"]["attempt"]),
            ("state", lambda letter: letter["state"]),
            ("group", lambda letter: letter["run"]["failure_group"] or ""),
            ("why", lambda letter: f"{letter['run']['reason']}: {letter['run']['reason_text']}"),
        ],
        empty="No dead letters.",
    )
    tell_next(page)


@letters_app.command("show")
def show_letter(ctx: typer.Context, run: Ref, as_json: AsJson = False) -> None:
    """One dead letter with its run."""
    from fastflow.cli.client import part
    from fastflow.cli.run_refs import find_run
    from fastflow.cli.run_summary import print_run

    with open_api(ctx) as api:
        letter = api.get(f"/dead-letters/{part(find_run(api, run))}")
    if as_json:
        print_json(letter)
        return
    settled = f"{letter['state']} at {local_time(letter['settled_at'])} by {letter['settled_by']}"
    print_fields(
        {
            "dead letter": settled if letter["settled_at"] else "open",
            "replayed by": letter["replayed_by"] or "",
            "note": letter["note"] or "",
        }
    )
    print_run(letter["run"], [])


@letters_app.command("replay")
def replay_letters(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="One dead letter; without it, see --all.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open one that the other options allow.")] = False,
    pipeline: Pipeline = None,
    failure: Group = None,
    params: Params = None,
    exact: Exact = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="With --all: the newest so many.")] = 100,
    every: Annotated[
        str, typer.Option(metavar="DURATION", help="With --all: the time between two of them, such as 10s.")
    ] = "0",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --all: only say which.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit dead letters again; each once, however often it is asked for. Prints the new runs' ids."""
    from fastflow.cli.client import part
    from fastflow.cli.errors import WrongUsage
    from fastflow.cli.pipeline_refs import require_known
    from fastflow.cli.run_refs import find_run
    from fastflow.kit.durations import parse_duration

    if (run is None) != everything:
        raise WrongUsage("Name one dead letter, or give --all.", hint="`fastflow dead-letters list` shows them.")
    with open_api(ctx) as api:
        if run is not None:
            run_id = find_run(api, run)
            changed = read_changes(api, params, api.get(f"/dead-letters/{part(run_id)}")["run"]["pipeline_name"])
            again = api.post(f"/dead-letters/{part(run_id)}/replay", {"params": changed, "exact": exact})
            print_json(again) if as_json else typer.echo(again["id"])
            return
        body = {
            "pipeline_name": pipeline,
            "failure_group": failure,
            "params": read_changes(api, params, pipeline, failure=failure, limit=limit),
            "exact": exact,
            "limit": limit,
            "every": 0.0 if every == "0" else parse_duration(every, "--every"),
            "dry_run": dry_run,
        }
        done = api.post("/dead-letters/replay", body)
        require_known(api, pipeline, done["items"])
    if as_json:
        print_json(done)
        return
    for item in done["items"]:
        what = item["problem"] or item["replayed_by"] or "would be submitted again"
        typer.echo(printable(f"{item['run_id']}  {item['pipeline_name']}  {what}"))
    if not done["items"]:
        typer.echo("No dead letters.", err=True)
    if any(item["problem"] for item in done["items"]):
        raise typer.Exit(1)


@letters_app.command("dismiss")
def dismiss_letter(
    ctx: typer.Context,
    run: Ref,
    note: Annotated[str | None, typer.Option(help="Why, for whoever looks at it later.")] = None,
) -> None:
    """Put a dead letter aside."""
    from fastflow.cli.client import part
    from fastflow.cli.run_refs import find_run

    with open_api(ctx) as api:
        letter = api.post(f"/dead-letters/{part(find_run(api, run))}/dismiss", {"note": note})
    typer.echo(f"The dead letter {letter['run']['id']} is dismissed.")


def read_changes(
    api: Any, pairs: list[str] | None, pipeline: str | None, *, failure: str | None = None, limit: int = 100
) -> dict[str, Any] | None:
    """The parameters to put in place of the runs' own; None: there are none.

    The pipeline's schema says how each is read: the named one's, else that of the one pipeline all these dead letters are of.

    Raises:
        WrongUsage: the dead letters are of several pipelines.
    """
    from fastflow.cli.client import part
    from fastflow.cli.params import parse_params

    if not pairs:
        return None
    pipeline = pipeline or _only_pipeline(api, failure, limit)
    schema = None if pipeline is None else api.get(f"/pipelines/{part(pipeline)}")["params_schema"]
    return dict(parse_params(tuple(pairs), None, schema))


def _only_pipeline(api: Any, failure: str | None, limit: int) -> str | None:
    from fastflow.cli.errors import WrongUsage

    found = api.get("/dead-letters", failure_group=failure, limit=min(limit, _PAGE))["items"]
    names = sorted({letter["run"]["pipeline_name"] for letter in found})
    if len(names) > 1:
        raise WrongUsage(
            f"It is not clear how to read -p: these dead letters are of {', '.join(names[:5])}.",
            hint=f"Each pipeline has parameters of its own; name one, such as --pipeline {names[0]}.",
        )
    return names[0] if names else None
