"""`fastflow churn ledger`: whom to contact, and how that did."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, open_api
from fastflow.cli.downloads import fetch_into, require_free
from fastflow.cli.output import print_fields, print_json, print_table
from fastflow.kit.quantities import size


def show_ledger(
    ctx: typer.Context,
    experiment_id: Annotated[int, typer.Argument(help="The experiment's number.", min=1, show_default=False)],
    csv: Annotated[Path | None, typer.Option(help="Write the whole list of contacts into this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Whom an experiment says to contact, its expected profit, and how that did as months came."""
    if csv is not None:
        require_free(csv)
    with open_api(ctx) as api:
        found = api.get(f"/experiments/{experiment_id}/ledger")
        if csv is not None:
            path = f"/experiments/{experiment_id}/ledger/contacts.csv"
            written = api.run(fetch_into(api, csv, "GET", path))
            typer.echo(f"{csv} is written, {size(written)}.", err=True)
    if as_json:
        print_json(found)
        return
    if found["decision"] is None:
        typer.echo("No list of contacts: the pipeline cf has not run.")
        return
    print_fields({name.replace("_", " "): _rounded(value) for name, value in found["decision"].items()})
    print_table(
        found["scores"],
        [
            ("month", lambda one: one["outcome_month"]),
            ("listed", lambda one: one["contacted"]),
            ("churned", lambda one: one["contacted_churned"]),
            ("predicted", lambda one: _rounded(one["contacted_predicted"])),
            ("beside the list", lambda one: one["others"]),
            ("churned there", lambda one: one["others_churned"]),
            ("predicted there", lambda one: _rounded(one["others_predicted"])),
            ("profit", lambda one: _rounded(one["realised_profit"])),
        ],
        empty="No month is known since.",
    )


def _rounded(value: Any) -> Any:
    """Money and counts to a tenth, shares to three figures."""
    if not isinstance(value, float):
        return value
    return round(value, 1) if abs(value) >= 1 else float(f"{value:.3g}")
