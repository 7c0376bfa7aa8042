"""`fastflow churn outbox …`: bundles that leave the workbench and come back."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, open_api
from fastflow.cli.churn_experiments import ExperimentId
from fastflow.cli.output import local_time, print_json, print_table
from fastflow.kit.quantities import size
from fastflow.kit.words import counted

app = typer.Typer(help="Bundles: results that leave and come back.", no_args_is_help=True)


@app.command("list")
def list_bundles(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Bundles in the outbox; of one that cannot be read, why."""
    with open_api(ctx) as api:
        found = api.get("/outbox/bundles")
    if as_json:
        print_json(found)
    else:
        _print_bundles(found["items"])


@app.command("export")
def export_experiment(ctx: typer.Context, experiment_id: ExperimentId, as_json: AsJson = False) -> None:
    """Write an experiment's results as bundles, one for each domain, in the place of earlier ones."""
    with open_api(ctx) as api:
        made = api.post(f"/experiments/{experiment_id}/outbox")
    if as_json:
        print_json(made)
    else:
        _print_bundles(made["items"])


@app.command("import")
def import_bundle(
    ctx: typer.Context,
    domain: Annotated[str, typer.Argument(help="churn, cox or counterfactuals.", show_default=False)],
    experiment_id: ExperimentId,
) -> None:
    """Put a bundle's rows in the place of the experiment's rows of that domain."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        done = api.post(f"/outbox/bundles/{part(domain)}/{experiment_id}/import")
    rows = sum(done["rows"].values())
    typer.echo(
        f"{counted(rows, 'row')} of {counted(len(done['rows']), 'table')} are in the experiment {experiment_id}."
    )


def _print_bundles(bundles: Sequence[Mapping[str, Any]]) -> None:
    print_table(
        bundles,
        [
            ("domain", lambda one: one["domain"]),
            ("experiment", lambda one: one["experiment_id"]),
            ("name", lambda one: one["experiment_name"]),
            ("tables", lambda one: len(one["rows"])),
            ("rows", lambda one: sum(one["rows"].values())),
            ("size", lambda one: size(one["size"])),
            ("exported", lambda one: local_time(one["exported_at"])),
            ("problem", lambda one: one["problem"] or "none"),
        ],
        empty="No bundles.",
    )
