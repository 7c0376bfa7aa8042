"""`fastflow churn experiments …`: what is computed."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastflow.cli.access import AsJson, Cursor, Limit, open_api
from fastflow.cli.asking import Yes, confirm
from fastflow.cli.output import local_time, print_fields, print_json, print_table
from fastflow.kit.words import counted

if TYPE_CHECKING:
    from fastflow.cli.client import Api

app = typer.Typer(help="Its experiments.", no_args_is_help=True)
ExperimentId = Annotated[int, typer.Argument(help="The experiment's number.", min=1, show_default=False)]
Training = Annotated[str | None, typer.Option("--training", metavar="FROM-TO", help="Months, such as 199701-199712.")]
Backtest = Annotated[
    str | None, typer.Option("--backtest", metavar="FROM-TO", help="Months after the training window.")
]
Model = Annotated[str | None, typer.Option("--model", help="logistic, random_forest, gradient_boosting or auto.")]
Features = Annotated[str | None, typer.Option("--features", help="standard or enhanced.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting, its value as JSON or a word; repeatable."),
]
Files = Annotated[list[int] | None, typer.Option("--file", help="Number of a file to compute on; repeatable.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="WHEN", help="Only files taken in by then: a month, a day or an instant."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")]


@app.command("list")
def list_experiments(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="created, processing, processed or failed.")] = None,
    name: Annotated[str | None, typer.Option(help="What the name contains.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Experiments, newest first."""
    with open_api(ctx) as api:
        found = api.get("/experiments", status=status, name=name, limit=limit, cursor=cursor)
    if as_json:
        print_json(found)
        return
    print_table(
        found["items"],
        [
            ("id", lambda one: one["experiment_id"]),
            ("name", lambda one: one["experiment_name"]),
            ("status", lambda one: one["status"]),
            ("training", lambda one: f"{one['training_from']}-{one['training_to']}"),
            ("backtest", lambda one: f"{one['backtest_from']}-{one['backtest_to']}"),
            ("model", lambda one: one["model_type"]),
            ("changed", lambda one: local_time(one["updated_at"])),
        ],
        empty="No experiments.",
    )
    if found["next_cursor"]:
        typer.echo(f"More: --cursor {found['next_cursor']}", err=True)


@app.command("show")
def show_experiment(ctx: typer.Context, experiment_id: ExperimentId, as_json: AsJson = False) -> None:
    """One experiment: its windows, settings, status and results."""
    with open_api(ctx) as api:
        found = api.get(f"/experiments/{experiment_id}")
    if as_json:
        print_json(found)
        return
    print_fields(_shown(found))
    print_table(
        [{"table": name, "rows": rows} for name, rows in found["results"].items()],
        [("table", lambda one: one["table"]), ("rows", lambda one: one["rows"])],
        empty="No results.",
    )


def _shown(found: Mapping[str, Any]) -> dict[str, object]:
    return {
        "id": found["experiment_id"],
        "name": found["experiment_name"],
        "status": found["status"],
        "reason": found["reason"] or "none",
        "training": f"{found['training_from']}-{found['training_to']}",
        "backtest": f"{found['backtest_from']}-{found['backtest_to']}",
        "model": found["model_type"],
        "features": found["feature_set"],
        "files": ", ".join(map(str, found["id_files"])) or "none",
        "as of": found["as_of"] or "none",
        "data": found["data_fingerprint"] or "none",
        "settings": ", ".join(f"{name}={json.dumps(value)}" for name, value in found["hyperparameters"].items()),
        "runs": ", ".join(f"{name} {run}" for name, run in found["runs"].items()) or "none",
        "warnings": "; ".join(found["warnings"]) or "none",
        "steps": ", ".join(f"{one['name']} {one['status']}" for one in found["chain"].get("steps", [])) or "none",
        "created": local_time(found["created_at"]),
        "processed": local_time(found["processed_at"] or None),
    }


@app.command("create")
def create_experiment(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="For people.", show_default=False)],
    training: Training = None,
    backtest: Backtest = None,
    model: Model = None,
    features: Features = None,
    setting: Settings = None,
    file: Files = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """A new experiment; without --file on all files that there are now, or were as of then: refused if they contradict each other."""
    body = {"experiment_name": name, **_windows(training, backtest), **_choices(model, features, file)}
    body["as_of"] = as_of
    with open_api(ctx) as api:
        made = api.post("/experiments", {**body, "hyperparameters": _settings(setting)})
    if as_json:
        print_json(made)
    else:
        typer.echo(f"The experiment {made['experiment_id']} is created.")
    _warn(made)


@app.command("change")
def change_experiment(
    ctx: typer.Context,
    experiment_id: ExperimentId,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    training: Training = None,
    backtest: Backtest = None,
    model: Model = None,
    features: Features = None,
    setting: Settings = None,
    file: Files = None,
) -> None:
    """Change some of an experiment; what is left away stays."""
    with open_api(ctx) as api:
        body = _present(api, experiment_id)
        settings = {**_still_meant(body), **_settings(setting)}
        body = {**body, **_windows(training, backtest, body), **_choices(model, features, file)}
        changed = api.put(
            f"/experiments/{experiment_id}",
            {**body, **({"experiment_name": name} if name is not None else {}), "hyperparameters": settings},
        )
    typer.echo(f"The experiment {experiment_id} is changed.")
    _warn(changed)


def _warn(decided: Mapping[str, Any]) -> None:
    for warning in decided["warnings"]:
        typer.echo(f"Warning: {warning}", err=True)


@app.command("reset")
def reset_experiment(
    ctx: typer.Context, experiment_id: ExperimentId, dry_run: DryRun = False, yes: Yes = False
) -> None:
    """Put an experiment back to `created`, without its results."""
    path = f"/experiments/{experiment_id}/reset"
    with open_api(ctx) as api:
        would = api.post(f"{path}?dry_run=true")["removed"]
        if dry_run:
            _print_removal(would)
            return
        confirm(f"Results go: {counted(would['row_count'], 'row')}.", f"Reset the experiment {experiment_id}?", yes=yes)
        done = api.post(path)["removed"]
    typer.echo(
        f"The experiment {experiment_id} is created again; {counted(done['row_count'], 'row')} of results are gone."
    )


@app.command("materialize")
def materialize_experiment(ctx: typer.Context, experiment_id: ExperimentId, as_json: AsJson = False) -> None:
    """Put an experiment's customers into tables of its own, and refresh the view over all experiments."""
    with open_api(ctx) as api:
        done = api.post(f"/experiments/{experiment_id}/materialize")
    if as_json:
        print_json(done)
        return
    for kind in ("churn", "cox"):
        typer.echo(f"{done[f'{kind}_table']}: {counted(done[f'{kind}_rows'], 'row')}")
    typer.echo(f"{done['view']} joins them.")


@app.command("delete")
def delete_experiment(
    ctx: typer.Context,
    experiment_id: ExperimentId,
    cascade: Annotated[bool, typer.Option("--cascade", help="Its results go as well.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Remove an experiment and its results; files stay."""
    path = f"/experiments/{experiment_id}"
    with open_api(ctx) as api:
        would = api.delete(path, dry_run=True)
        if dry_run:
            _print_removal(would)
            return
        confirm(f"{counted(would['row_count'], 'row')} would go.", f"Delete the experiment {experiment_id}?", yes=yes)
        done = api.delete(path, cascade=cascade)
    typer.echo(f"The experiment {experiment_id} is deleted, with {counted(done['row_count'], 'row')}.")


def _print_removal(removal: Mapping[str, Any]) -> None:
    print_table(
        [{"table": name, "rows": rows} for name, rows in removal["rows"].items()],
        [("table", lambda one: one["table"]), ("rows that would go", lambda one: one["rows"])],
        empty="Nothing would go.",
    )


def _present(api: "Api", experiment_id: int) -> dict[str, Any]:
    """The experiment as a body to send back."""
    found = api.get(f"/experiments/{experiment_id}")
    kept = ("experiment_name", "model_type", "feature_set", "hyperparameters", "id_files", "as_of")
    months = ("training_from", "training_to", "backtest_from", "backtest_to")
    return {name: found[name] for name in (*kept, *months)}


def _still_meant(body: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, but for a cutoff that only followed from the training window: it follows the next one."""
    from fastflow.apps.churn.domain.month import Month

    follows = (Month.parse(body["training_to"]) + 1).yyyymm
    settings = body["hyperparameters"]
    return {name: value for name, value in settings.items() if (name, value) != ("cutoff_exclusive", follows)}


def _windows(training: str | None, backtest: str | None, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    months: dict[str, Any] = {}
    for name, said in (("training", training), ("backtest", backtest)):
        if said is None and known is not None:
            continue
        first, _, last = (said or "").partition("-")
        months |= {f"{name}_from": _month(first), f"{name}_to": _month(last)}
    return months


def _month(text: str) -> int | str | None:
    """As the API takes it; what is no number, it refuses with the reason."""
    word = text.strip()
    return int(word) if word.isascii() and word.isdigit() else word or None


def _choices(model: str | None, features: str | None, files: list[int] | None) -> dict[str, Any]:
    chosen = {"model_type": model, "feature_set": features, "id_files": files or None}
    return {name: value for name, value in chosen.items() if value is not None}


def _settings(words: list[str] | None) -> dict[str, Any]:
    settings = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals:
            raise typer.BadParameter(f"{word} is not NAME=VALUE.", param_hint="--set")
        try:
            settings[name.strip()] = json.loads(value)
        except ValueError:
            settings[name.strip()] = value
    return settings
