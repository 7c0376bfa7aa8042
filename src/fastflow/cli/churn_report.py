"""`fastflow churn report`: what an experiment's pipelines found, as one file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from fastflow.cli.access import open_api
from fastflow.cli.downloads import fetch_into, require_free
from fastflow.kit.quantities import size


def write_report(
    ctx: typer.Context,
    experiment_id: Annotated[int, typer.Argument(help="The experiment's number.", min=1, show_default=False)],
    target: Annotated[
        Path | None, typer.Argument(help="File to write; its ending, .html or .pdf, says the form.")
    ] = None,
    language: Annotated[Literal["en", "de"], typer.Option(help="Of its words.")] = "en",
) -> None:
    """Write the report of an experiment as one file that needs no other: report-ID.html when none is named."""
    from fastflow.kit.errors import InvalidInput

    named = target or Path(f"report-{experiment_id}.html")
    form = named.suffix.lower().removeprefix(".")
    if form not in ("html", "pdf"):
        problem = "ends neither with .html nor with .pdf"
        raise InvalidInput(
            f"{named} {problem}.", hint="The ending says which form is wanted.", fields={"target": problem}
        )
    require_free(named)
    with open_api(ctx) as api:
        path = f"/experiments/{experiment_id}/report"
        written = api.run(fetch_into(api, named, "GET", path, query={"format": form, "language": language}))
    typer.echo(f"{named} is written, {size(written)}.")
