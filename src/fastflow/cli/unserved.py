"""What commands on DATA_DIR say when no server works there: what they show of unfinished runs may be out of date."""

from collections.abc import Iterable, Mapping
from typing import Any

import typer

from fastflow.cli.client import Api
from fastflow.cli.running import is_runner_at_work


def is_unserved(api: Api) -> bool:
    """Whether nobody attends to the runs: the app inside this process was asked, and no runner holds its data folder.

    On a shared database another machine's server may attend to them; `runs explain` knows.
    """
    return (
        api.local is not None
        and not api.local.settings.database_url
        and not is_runner_at_work(api.local.settings.data_dir)
    )


def tell_if_unserved(api: Api, runs: Iterable[Mapping[str, Any]]) -> None:
    """Say on stderr, when there is an unfinished run among them and nobody attends to it, what that means."""
    states = {run["status"] for run in runs}
    if not states & {"PENDING", "RUNNING"} or not is_unserved(api):
        return
    meaning = {
        "RUNNING": "what is RUNNING may have ended meanwhile (a `fastflow run` in another terminal keeps its own run up to date)",
        "PENDING": "what is PENDING does not begin",
    }
    told = ", and ".join(text for state, text in meaning.items() if state in states)
    typer.echo(
        f"[fastflow] no server works on {api.local.settings.data_dir}: {told}, until `fastflow serve` runs there",
        err=True,
    )
