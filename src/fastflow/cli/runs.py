"""`fastflow runs …`: what ran, runs and will run."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, access, open_api
from fastflow.cli.output import duration, local_time, print_json, print_table, printable

app = typer.Typer(help="What ran, runs and will run.", no_args_is_help=True)

Ref = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The run's id, its last 6 or more digits, `last`, or `last:PIPELINE`.",
        show_default=False,
    ),
]


@app.command("list")
def list_runs(
    ctx: typer.Context,
    pipeline: Annotated[str | None, typer.Option(help="Only runs of this pipeline.")] = None,
    status: Annotated[str | None, typer.Option(help="Only PENDING, RUNNING, SUCCESS or FAILED ones.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="Only those that failed for this reason: exit, timeout, oom …")
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Runs, newest first; of each id its end, which every command takes."""
    from fastflow.cli.pipeline_refs import require_known
    from fastflow.cli.unserved import tell_if_unserved
    from fastflow.kit.ids import short_id

    with open_api(ctx) as api:
        page = api.get(
            "/runs",
            pipeline_name=pipeline,
            status=status.upper() if status else None,
            reason=reason,
            limit=limit,
            cursor=cursor,
        )
        require_known(api, pipeline, page["items"], cursor)
        tell_if_unserved(api, page["items"])
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("id", lambda run: short_id(run["id"])),
            ("pipeline", lambda run: run["pipeline_name"]),
            ("status", lambda run: run["status"]),
            ("reason", lambda run: run["reason"]),
            ("queued", lambda run: local_time(run["queued_at"])),
            ("took", lambda run: duration(run["started_at"], run["finished_at"])),
            ("by", lambda run: run["submitted_by"]),
        ],
        empty="No runs.",
    )
    tell_next(page)


@app.command("show")
def show_run(ctx: typer.Context, run: Ref, as_json: AsJson = False) -> None:
    """One run: state, result, parts, what it told."""
    from fastflow.cli.artifacts import list_artifacts
    from fastflow.cli.client import part
    from fastflow.cli.run_refs import find_run
    from fastflow.cli.run_summary import print_run
    from fastflow.cli.unserved import tell_if_unserved

    with open_api(ctx) as api:
        found = api.get(f"/runs/{part(find_run(api, run))}")
        artifacts = list_artifacts(api, found["id"])["items"] if not as_json and found["finished_at"] else []
        tell_if_unserved(api, [found])
    print_json(found) if as_json else print_run(found, artifacts)


@app.command("logs")
def show_logs(
    ctx: typer.Context,
    run: Ref,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, max=100_000, help="Only the last lines.")] = None,
    grep: Annotated[str | None, typer.Option(help="Only lines with this text (no regular expression).")] = None,
    times: Annotated[bool, typer.Option("--times", help="With time, stream and F (full) or P (part).")] = False,
) -> None:
    """The log of a run on stdout, the script's bytes as they are."""
    from fastflow.cli.errors import WrongUsage
    from fastflow.cli.logs import follow_log, print_log
    from fastflow.cli.run_refs import find_run

    if follow and times:
        raise WrongUsage("--times shows lines as stored and cannot be followed.", hint="Leave away -f or --times.")
    with open_api(ctx) as api:
        run_id = find_run(api, run)
        if follow:
            follow_log(api, run_id, tail=tail, grep=grep)
        else:
            print_log(api, run_id, tail=tail, grep=grep, times=times)


@app.command("artifacts")
def show_artifacts(
    ctx: typer.Context,
    run: Ref,
    download: Annotated[
        Path | None, typer.Option("--download", "-d", metavar="DIR", help="Fetch them into this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The files a run left in $FASTFLOW_ARTIFACTS; with --download they are fetched, and each path is printed."""
    from fastflow.cli.artifacts import download_artifacts, list_artifacts, print_artifacts
    from fastflow.cli.run_refs import find_run

    with open_api(ctx) as api:
        found = list_artifacts(api, find_run(api, run))
        if download is not None:
            download_artifacts(api, found["items"], download)
    if as_json:
        print_json(found)
    elif download is None:
        print_artifacts(found["items"])


@app.command("cancel")
def cancel_run(
    ctx: typer.Context,
    run: Ref,
    reason: Annotated[str | None, typer.Option(help="Why, for whoever looks at the run later.")] = None,
) -> None:
    """End a run: SIGTERM to all its processes, SIGKILL after its grace period."""
    from fastflow.cli.client import part
    from fastflow.cli.run_refs import find_run
    from fastflow.cli.unserved import is_unserved

    with open_api(ctx) as api:
        after = api.post(f"/runs/{part(find_run(api, run))}/cancel", {"reason": reason})
        is_left = not after["finished_at"] and is_unserved(api)
    if is_left:
        typer.echo(f"Run {after['id']} is to be stopped, but no server works here: `fastflow serve` stops it.")
    else:
        typer.echo(f"Run {after['id']} is {'cancelled' if after['finished_at'] else 'being stopped'}.")


@app.command("hurry")
def hurry_run(ctx: typer.Context, run: Ref) -> None:
    """Put a run that waits for a time, such as a retry, into the queue now."""
    from fastflow.cli.client import part
    from fastflow.cli.run_refs import find_run

    with open_api(ctx) as api:
        after = api.post(f"/runs/{part(find_run(api, run))}/hurry")
    typer.echo(f"Run {after['id']} is in the queue.")


@app.command("explain")
def explain_run(ctx: typer.Context, run: Ref, as_json: AsJson = False) -> None:
    """Why a run is where it is, and what comes next or is to be done: one sentence."""
    from fastflow.cli.client import part
    from fastflow.cli.hints import for_command_line
    from fastflow.cli.run_refs import find_run
    from fastflow.cli.unserved import tell_if_unserved

    with open_api(ctx) as api:
        run_id = find_run(api, run)
        explanation = api.get(f"/runs/{part(run_id)}/explain")
        if explanation["code"] not in ("ended", "runner_away"):
            tell_if_unserved(api, [api.get(f"/runs/{part(run_id)}")])
    print_json(explanation) if as_json else typer.echo(printable(for_command_line(explanation["text"])))


@app.command("why")
def explain_failure(ctx: typer.Context, run: Ref, as_json: AsJson = False) -> None:
    """Why a run may have failed: what changed since the last good run of its pipeline, and what is unusual."""
    from fastflow.cli.client import part
    from fastflow.cli.run_refs import find_run
    from fastflow.cli.run_why import print_why

    with open_api(ctx) as api:
        why = api.get(f"/runs/{part(find_run(api, run))}/why")
    print_json(why) if as_json else print_why(why)


@app.command("rerun")
def rerun_run(
    ctx: typer.Context,
    run: Ref,
    exact: Annotated[
        bool, typer.Option("--exact", help="Same code, environment, interpreter, secrets and limits as then.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow the new run to its end, as `fastflow run` does.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a run again with its parameters; prints the new run's id. With --follow the log comes out instead, and the exit
    code is that of `fastflow run`."""
    from fastflow.cli.client import part
    from fastflow.cli.errors import WrongUsage
    from fastflow.cli.run_refs import find_run

    if follow and as_json:
        raise WrongUsage("--follow gives the log, --json the new run.", hint="Give one of them.")
    with access(ctx).open(**({"warm_environments": 0} if follow else {})) as api:
        path = f"/runs/{part(find_run(api, run))}/rerun"
        if follow:
            from fastflow.cli.running import follow_submission

            raise typer.Exit(follow_submission(api, path, {"exact": exact}))
        again = api.post(path, {"exact": exact})
    if again["capsule"].get("inputs"):
        typer.echo(
            "A workbench gave it its inputs: what it leaves is there to be compared, and not taken in.", err=True
        )
    print_json(again) if as_json else typer.echo(again["id"])


@app.command("diff")
def diff_runs(
    ctx: typer.Context,
    left: Annotated[str, typer.Argument(metavar="A", help="A run, named as in `runs show`.", show_default=False)],
    right: Annotated[str, typer.Argument(metavar="B", help="Another run.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """What two runs differ in: code with its files, environment with its packages, parameters, limits, result."""
    from fastflow.cli.client import part
    from fastflow.cli.run_diff import print_diff
    from fastflow.cli.run_refs import find_run

    with open_api(ctx) as api:
        a, b = find_run(api, left), find_run(api, right)
        diff = api.get(f"/runs/{part(a)}/diff/{part(b)}")
    print_json(diff) if as_json else print_diff(diff)


@app.command("priority")
def set_priority(
    ctx: typer.Context,
    run: Ref,
    priority: Annotated[int, typer.Argument(metavar="N", help="Higher starts first.", show_default=False)],
) -> None:
    """Move a waiting run within the queue."""
    from fastflow.cli.client import part
    from fastflow.cli.run_refs import find_run

    with open_api(ctx) as api:
        after = api.patch(f"/runs/{part(find_run(api, run))}", {"priority": priority})
    typer.echo(f"Run {after['id']} waits with priority {after['priority']}.")


def tell_next(page: Mapping[str, Any]) -> None:
    """Where the list goes on, on stderr."""
    if page.get("next_cursor"):
        sys.stdout.flush()
        typer.echo(f"There are more: --cursor {page['next_cursor']}", err=True)
