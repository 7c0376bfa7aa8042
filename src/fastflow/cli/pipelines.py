"""`fastflow pipelines …`: what can be run, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fastflow.cli.access import AsJson, access, open_api
from fastflow.cli.output import local_time, print_fields, print_json, print_table, printable
from fastflow.kit.quantities import seconds, size

app = typer.Typer(help="What can be run, and what is wrong with it.", no_args_is_help=True)


@app.command("list")
def list_pipelines(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Every pipeline in PIPELINES_DIR and of repositories, then those that workbenches ship."""
    with open_api(ctx) as api:
        page = api.get("/pipelines")
    if as_json:
        print_json(page)
        return
    print_table(
        page["items"],
        [
            ("name", lambda one: one["name"]),
            ("from", _origin),
            ("ok", lambda one: "yes" if one["healthy"] else f"no: {_count(_errors(one), 'fault')}"),
            ("requirements", lambda one: one["has_requirements"]),
            ("environment", lambda one: one["environment"]["state"] if one["environment"] else None),
            ("warmed up", lambda one: local_time(one["last_cache_warmup"])),
            ("tags", lambda one: one["tags"]),
            ("description", lambda one: one["description"].split("\n")[0]),
        ],
        empty="No pipelines: put a folder with a main.py, or a .py file, into PIPELINES_DIR.",
    )


@app.command("show")
def show_pipeline(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The pipeline's name.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """One pipeline: settings, parameters, faults."""
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        one = api.get(f"/pipelines/{part(name)}")
    if as_json:
        print_json(one)
        return
    limits, concurrency = one["limits"], one["concurrency"]
    print_fields(
        {
            "name": one["name"],
            "description": one["description"],
            "tags": one["tags"],
            "from": _origin(one),
            "script": one["script"],
            "ok": one["healthy"],
            "dependencies": one["dependencies"],
            "environment": _environment(one["environment"]),
            "Python": one["python"],
            "timeout": seconds(one["timeout"]) if one["timeout"] else None,
            "idle timeout": seconds(one["idle_timeout"]) if one["idle_timeout"] else None,
            "wait timeout": seconds(one["wait_timeout"]) if one["wait_timeout"] else None,
            "memory": size(limits["memory_bytes"]) if limits["memory_bytes"] else None,
            "CPUs": limits["cpus"],
            "processes": limits["pids"],
            "runs at once": concurrency["limit"],
            "key": f"{concurrency['key']} ({concurrency['per_key']} at once)" if concurrency["key"] else None,
            "over the limit": concurrency["policy"] if concurrency["limit"] or concurrency["key"] else None,
            "secrets": one["secrets"],
            "network": one["network"],
            "notes": one["notes"],
        }
    )
    _print_parameters(one["params_schema"])
    for fault in one["faults"]:
        typer.echo(describe_fault(fault))


def _origin(one: Mapping[str, Any]) -> str:
    """Where it is from, in few words."""
    if one.get("workbench") is not None:  # an older server tells of none
        return f"shipped: {one['workbench']}"
    return str(one["repository"] or "PIPELINES_DIR")


def _environment(told: Mapping[str, Any] | None) -> str | None:
    """How far it is; of one that failed, what uv said."""
    if told is None:
        return None
    why = (told["why"] or "").strip()
    return f"{told['state']}: {why}" if why else str(told["state"])


def _print_parameters(schema: dict[str, Any] | None) -> None:
    properties: dict[str, Any] = (schema or {}).get("properties") or {}
    if not properties:
        return
    required = (schema or {}).get("required") or []
    typer.echo("")
    print_table(
        [{"name": name, **(part if isinstance(part, dict) else {})} for name, part in properties.items()],
        [
            ("parameter", lambda one: one["name"]),
            ("type", lambda one: one.get("type") or one.get("enum")),
            ("required", lambda one: one["name"] in required),
            ("default", lambda one: one.get("default")),
            ("description", lambda one: one.get("description", "")),
        ],
        empty="",
    )


@app.command("check")
def check_pipelines(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these pipelines.", show_default=False)
    ] = None,
    pipelines: Annotated[Path | None, typer.Option(help="The folder, instead of PIPELINES_DIR.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every fault with file, line and remedy; exit code 1 when a pipeline cannot run. Needs neither server nor
    database."""
    faults = _check_remote(ctx, names) if access(ctx).url and pipelines is None else _check_here(names, pipelines)
    errors = sum(fault["severity"] == "error" for fault in faults)
    if as_json:
        print_json({"items": faults, "errors": errors})
    else:
        for fault in faults:
            typer.echo(describe_fault(fault))
        warnings = len(faults) - errors
        if not names and pipelines is None:
            for note in _missing_there(ctx) if access(ctx).url else _missing_here():
                typer.echo(printable(f"Note: {note}."), err=True)
        typer.echo(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}.", err=True)
    if errors:
        raise typer.Exit(1)


def _check_remote(ctx: typer.Context, names: list[str] | None) -> list[dict[str, Any]]:
    from fastflow.cli.client import part

    with open_api(ctx) as api:
        found = [api.get(f"/pipelines/{part(name)}") for name in names] if names else api.get("/pipelines")["items"]
    return [fault for one in found for fault in one["faults"]]


def _check_here(names: list[str] | None, folder: Path | None) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from fastflow.kernel.executors.registry import kinds
    from fastflow.kernel.judges import GRAPH_JUDGES, JUDGES
    from fastflow.kernel.pipelines.wiring import check_folder, find_overlooked
    from fastflow.settings import load_settings

    pipelines_dir = (folder or load_settings().pipelines_dir).absolute()
    for name in find_overlooked(pipelines_dir):
        if not names or name in names:
            why = "has no main.py, so it is no pipeline: name its script main.py, unless its files are there for others"
            typer.echo(printable(f"Note: {name}/ {why}."), err=True)
    found = check_folder(
        pipelines_dir, names or None, known_executors=kinds(), judges=JUDGES, graph_judges=GRAPH_JUDGES
    )
    return [asdict(fault) for fault in found]


def _missing_there(ctx: typer.Context) -> Sequence[str]:
    from fastflow.cli.orphan_check import count_there, notes_on_orphans
    from fastflow.cli.schedule_check import notes_on_missing

    with open_api(ctx) as api:
        known = {one["name"] for one in api.get("/pipelines")["items"]}
        return [*notes_on_missing(api.get("/scheduler"), known), *notes_on_orphans(count_there(api), known)]


def _missing_here() -> Sequence[str]:
    """Of this machine's database, if there is one; it is not needed."""
    from fastflow.cli.orphan_check import notes_on_orphans
    from fastflow.cli.places import existing_database
    from fastflow.cli.schedule_check import look_at_status, notes_on_missing
    from fastflow.kernel.db.migrate import current_revision, head_revision
    from fastflow.kernel.runs.infra.active_counts import count_active_by_pipeline
    from fastflow.settings import load_settings

    settings = load_settings()
    with existing_database(settings) as database:
        if database is None or current_revision(database) != head_revision():
            return ()
        status, known = look_at_status(settings, database)
        return [*notes_on_missing(status, known), *notes_on_orphans(count_active_by_pipeline(database), known)]


def describe_fault(fault: dict[str, Any]) -> str:
    """`file:line:column: error: message (hint)`, as compilers write it, so that editors find the place."""
    place = ":".join(str(part) for part in (fault["file"], fault["line"], fault["column"]) if part is not None)
    hint = f" ({fault['hint']})" if fault["hint"] else ""
    return printable(f"{place}: {fault['severity']}: {fault['message']}{hint}")


def _errors(one: Mapping[str, Any]) -> int:
    return sum(fault["severity"] == "error" for fault in one["faults"])


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
