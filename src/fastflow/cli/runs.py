"""`fastflow runs …`: what ran, runs and will run."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.output import duration, local_time, print_fields, print_json, print_table, printable, seconds, size

app = typer.Typer(help="What ran, runs and will run.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(metavar="ID", help="The run's id.", show_default=False)]


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
    """Runs, newest first."""
    with open_api(ctx) as api:
        page = api.get(
            "/runs",
            pipeline_name=pipeline,
            status=status.upper() if status else None,
            reason=reason,
            limit=limit,
            cursor=cursor,
        )
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("id", lambda run: run["id"]),
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
def show_run(ctx: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """One run: state, result, parts, what it told."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        run = api.get(f"/runs/{part(run_id)}")
        artifacts = api.get(f"/runs/{part(run_id)}/artifacts")["items"] if not as_json and run["finished_at"] else []
    if as_json:
        print_json(run)
        return
    capsule: Mapping[str, Any] = run["capsule"]
    print_fields(
        {
            "id": run["id"],
            "pipeline": run["pipeline_name"],
            "status": run["status"],
            "reason": f"{run['reason']}: {run['reason_text']}" if run["reason"] else None,
            "exit code": run["exit_code"],
            "parameters": run["params"],
            "submitted": f"{local_time(run['queued_at'])} by {run['submitted_by']} ({run['trigger']})",
            "priority": run["priority"] or None,
            "re-run of": run["rerun_of"],
            "started": local_time(run["started_at"]) if run["started_at"] else None,
            "ended": local_time(run["finished_at"]) if run["finished_at"] else None,
            "took": duration(run["started_at"], run["finished_at"]) if run["started_at"] else None,
            "setup took": seconds(run["setup_duration"]) if run["setup_duration"] is not None else None,
            "memory, peak": size(run["peak_memory_bytes"]) if run["peak_memory_bytes"] else None,
            "CPU time": seconds(run["cpu_seconds"]) if run["cpu_seconds"] is not None else None,
            "progress": run["progress"],
            "metrics": run["metrics"],
            "outputs": run["outputs"],
            "artifacts": [f"{item['path']} ({size(item['size_bytes'])})" for item in artifacts],
            "code": f"{capsule['tree_hash'][:12]}" + (f", commit {run['commit'][:12]}" if run["commit"] else ""),
            "environment": f"{run['environment'][:12]} ({run['interpreter']})" if run["environment"] else None,
            "secrets": list(capsule.get("secrets", {})),
            "isolation": run["isolation"],
            "log": "removed by retention" if run["log_deleted_at"] else run["log_file"],
        }
    )


@app.command("logs")
def show_logs(
    ctx: typer.Context,
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, max=100_000, help="Only the last lines.")] = None,
    grep: Annotated[str | None, typer.Option(help="Only lines with this text (no regular expression).")] = None,
    times: Annotated[bool, typer.Option("--times", help="With time, stream and F (full) or P (part).")] = False,
) -> None:
    """The log of a run on stdout, the script's bytes as they are."""
    from fastflow.cli.errors import WrongUsage
    from fastflow.cli.logs import follow_log, print_log

    if follow and times:
        raise WrongUsage("--times shows lines as stored and cannot be followed.", hint="Leave away -f or --times.")
    with open_api(ctx) as api:
        if follow:
            follow_log(api, run_id, tail=tail, grep=grep)
        else:
            print_log(api, run_id, tail=tail, grep=grep, times=times)


@app.command("cancel")
def cancel_run(
    ctx: typer.Context,
    run_id: RunId,
    reason: Annotated[str | None, typer.Option(help="Why, for whoever looks at the run later.")] = None,
) -> None:
    """End a run: SIGTERM to all its processes, SIGKILL after its grace period."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        run = api.post(f"/runs/{part(run_id)}/cancel", {"reason": reason})
    typer.echo(f"Run {run['id']} is {'cancelled' if run['finished_at'] else 'being stopped'}.")


@app.command("explain")
def explain_run(ctx: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """Why a run is where it is, in one sentence."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        explanation = api.get(f"/runs/{part(run_id)}/explain")
    print_json(explanation) if as_json else typer.echo(printable(explanation["text"]))


@app.command("rerun")
def rerun_run(
    ctx: typer.Context,
    run_id: RunId,
    exact: Annotated[
        bool, typer.Option("--exact", help="Same code, environment, interpreter, secrets and limits as then.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a run again with its parameters; prints the new run's id."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        run = api.post(f"/runs/{part(run_id)}/rerun", {"exact": exact})
    print_json(run) if as_json else typer.echo(run["id"])


@app.command("diff")
def diff_runs(
    ctx: typer.Context,
    left: Annotated[str, typer.Argument(metavar="A", help="A run's id.", show_default=False)],
    right: Annotated[str, typer.Argument(metavar="B", help="Another run's id.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """What two runs differ in: code, environment, parameters, limits, result."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        diff = api.get(f"/runs/{part(left)}/diff/{part(right)}")
    if as_json:
        print_json(diff)
        return
    print_table(
        diff["differences"],
        [
            ("field", lambda each: each["field"]),
            ("a", lambda each: _value(each["left"])),
            ("b", lambda each: _value(each["right"])),
        ],
        empty="No differences: the same parts and the same result.",
    )


@app.command("priority")
def set_priority(
    ctx: typer.Context,
    run_id: RunId,
    priority: Annotated[int, typer.Argument(metavar="N", help="Higher starts first.", show_default=False)],
) -> None:
    """Move a waiting run within the queue."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        run = api.patch(f"/runs/{part(run_id)}", {"priority": priority})
    typer.echo(f"Run {run['id']} waits with priority {run['priority']}.")


def tell_next(page: Mapping[str, Any]) -> None:
    """Where the list goes on, on stderr."""
    if page.get("next_cursor"):
        sys.stdout.flush()
        typer.echo(f"There are more: --cursor {page['next_cursor']}", err=True)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
