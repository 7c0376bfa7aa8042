"""`fastflow churn run`, `jobs` and `demo`: experiments being computed."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
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
    pipeline: Annotated[Literal["churn", "cox", "cf"], typer.Argument(help="What to compute.", show_default=False)],
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

    started = api.post(f"/run/{pipeline}", body=body)
    if not wait:
        typer.echo(started["job_id"])
        return 0
    follow_log(api, started["job_id"], tail=None, grep=None)
    experiment = api.run(_settled(api, int(body["experiment_id"])))
    if experiment["status"] == "failed":
        typer.echo(f"The experiment {experiment['experiment_id']} failed: {experiment['reason']}", err=True)
        return 1
    typer.echo(
        f"The experiment {experiment['experiment_id']} is {experiment['status']}: {pipeline} is taken in.", err=True
    )
    return 0


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
    from fastflow.apps.churn.domain.demo import DICTIONARY, EXPERIMENT, demo_rows

    with open_api(ctx) as api, tempfile.TemporaryDirectory() as folder:
        _require_server(api)
        panel = Path(folder) / "demo.csv"
        panel.write_text("\n".join(demo_rows()) + "\n", encoding="utf-8")
        taken = api.upload("/churn/files", panel, name="demo.csv", dictionary=json.dumps(DICTIONARY))
        experiment = _demo_experiment(api, {**EXPERIMENT, "id_files": [taken["file"]["file_id"]]})
        number = experiment["experiment_id"]
        typer.echo(f"The experiment {number} stands on the file {taken['file']['file_id']}.", err=True)
        for pipeline in ("churn", "cox", None, "cf"):
            if pipeline is None:
                made = api.post(f"/experiments/{number}/materialize")
                typer.echo(f"Materialised: {made}.", err=True)
                continue
            code = _run(api, pipeline, {"experiment_id": number}, wait=True)
            if code:
                raise typer.Exit(code)
    typer.echo(f"All is computed: `fastflow churn experiments show {number}`.")


def _demo_experiment(api: "Api", wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The demo's experiment; one of an earlier demo on the same file is taken again."""
    known = api.get("/experiments", name=wanted["experiment_name"], file_id=wanted["id_files"][0])["items"]
    made: Mapping[str, Any] = known[0] if known else api.post("/experiments", body=dict(wanted))
    return made
