"""`fastflow churn run`, `jobs` and `demo`: experiments being computed."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fastflow.cli.access import AsJson, open_api
from fastflow.cli.output import local_time, print_json, print_table

if TYPE_CHECKING:
    from fastflow.cli.client import Api

ExperimentId = Annotated[int, typer.Argument(help="The experiment's number.", min=1, show_default=False)]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the log until it has ended and its results are taken in.")]
_LOOK_SECONDS = 0.5


def add_commands(app: typer.Typer) -> None:
    """The commands, at the workbench's."""
    app.command("run")(run_experiment)
    app.command("jobs")(list_jobs)
    app.command("demo")(run_demo)


def run_experiment(
    ctx: typer.Context,
    experiment_id: ExperimentId,
    pipeline: Annotated[
        Literal["churn", "cox", "cf", "all"],
        typer.Argument(help="What to compute; all: churn, cox, materialise, cf.", show_default=False),
    ],
    cutoff: Annotated[str | None, typer.Option(help="Of cox: first month not to be seen, for this run alone.")] = None,
    sample: Annotated[float | None, typer.Option(help="Of cf: share of the customers.")] = None,
    limit: Annotated[int | None, typer.Option(help="Of cf: at most so many customers; 0: all.")] = None,
    wait: Wait = False,
) -> None:
    """Compute an experiment on a server: the honest backtest, the survival analysis, or counterfactuals."""
    given = {"cutoff_exclusive": cutoff, "sample": sample, "limit": limit}
    body = {"experiment_id": experiment_id, **{name: value for name, value in given.items() if value is not None}}
    with open_api(ctx) as api:
        _require_server(api)
        raise typer.Exit(_run(api, pipeline, body, wait=wait))


def _require_server(api: "Api") -> None:
    from fastflow.cli.errors import WrongUsage
    from fastflow.cli.running import is_runner_at_work

    if api.local is not None and not is_runner_at_work(api.local.settings.data_dir):
        raise WrongUsage(
            "Experiments are computed by a server, and none works on this data folder.",
            hint="Start `fastflow serve`, here or elsewhere with FASTFLOW_URL set.",
        )


def _run(api: "Api", pipeline: str, body: Mapping[str, Any], *, wait: bool) -> int:
    """Start it; with `wait`, follow it until the experiment is settled. The exit code."""
    from fastflow.cli.logs import follow_log

    if pipeline == "all":
        return _run_all(api, body, wait=wait)
    started = api.post(f"/run/{pipeline}", body=body)
    if not wait:
        typer.echo(started["job_id"])
        return 0
    follow_log(api, started["job_id"], tail=None, grep=None)
    return _told(api.run(_settled(api, int(body["experiment_id"]))), pipeline)


def _told(experiment: Mapping[str, Any], what: str) -> int:
    """Say what became of the experiment. The exit code."""
    if experiment["status"] == "failed":
        typer.echo(f"The experiment {experiment['experiment_id']} failed: {experiment['reason']}", err=True)
        return 1
    typer.echo(f"The experiment {experiment['experiment_id']} is {experiment['status']}: {what} is taken in.", err=True)
    return 0


def _run_all(api: "Api", body: Mapping[str, Any], *, wait: bool) -> int:
    """Ask for all steps; the server takes them one after the other, whether somebody waits or not. The exit code."""
    number, options = int(body["experiment_id"]), {k: v for k, v in body.items() if k != "experiment_id"}
    asked = api.post(f"/experiments/{number}/run", body={"pipeline": "all", **options})
    if not wait:
        typer.echo(asked["message"])
        return 0
    return _follow_steps(api, number)


def _follow_steps(api: "Api", number: int) -> int:
    """Follow the log of each step's run, until the experiment is settled. The exit code."""
    from fastflow.cli.logs import follow_log

    followed: set[str] = set()
    while True:
        experiment, run_id = api.run(_next_run(api, number, followed))
        if run_id is None:
            return _told(experiment, "all of it")
        followed.add(run_id)
        follow_log(api, run_id, tail=None, grep=None)


async def _next_run(api: "Api", number: int, followed: set[str]) -> tuple[Mapping[str, Any], str | None]:
    """The experiment, and the first run of its steps that was not followed yet; None: it is settled, and there is none."""
    while True:
        found: Mapping[str, Any] = await api.call("GET", f"/experiments/{number}")
        runs = [step["run_id"] for step in found["chain"].get("steps", []) if step["run_id"]]
        new = [run_id for run_id in runs if run_id not in followed]
        if new or found["status"] != "processing":
            return found, new[0] if new else None
        await asyncio.sleep(_LOOK_SECONDS)


async def _settled(api: "Api", experiment_id: int) -> Mapping[str, Any]:
    """The experiment as soon as its results are taken in."""
    while True:
        found: Mapping[str, Any] = await api.call("GET", f"/experiments/{experiment_id}")
        if found["status"] != "processing":
            return found
        await asyncio.sleep(_LOOK_SECONDS)


def list_jobs(
    ctx: typer.Context,
    experiment: Annotated[int | None, typer.Option(help="Only this experiment's.", min=1)] = None,
    active: Annotated[bool, typer.Option("--active", help="Only those that have not ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """The newest runs of experiments, each with its phase."""
    with open_api(ctx) as api:
        found = api.get("/jobs", experiment_id=experiment, active=active)
    if as_json:
        print_json(found)
        return
    print_table(
        found["items"],
        [
            ("job", lambda one: one["job_id"]),
            ("experiment", lambda one: one["experiment_id"]),
            ("pipeline", lambda one: one["pipeline"]),
            ("status", lambda one: one["status"]),
            ("phase", lambda one: one["phase"]),
            ("started", lambda one: local_time(one["started_at"])),
            ("by", lambda one: one["submitted_by"]),
            ("reason", lambda one: one["reason"]),
        ],
        empty="No runs of experiments.",
    )


def run_demo(ctx: typer.Context) -> None:
    """Try it all on a server: take a small drawn panel in, make an experiment, compute churn, cox, materialise, and cf."""
    with open_api(ctx) as api:
        _require_server(api)
        made = api.post("/churn/demo")
        typer.echo(made["message"], err=True)
        code = _follow_steps(api, made["experiment_id"])
    if code:
        raise typer.Exit(code)
    typer.echo(f"All is computed: `fastflow churn experiments show {made['experiment_id']}`.")
