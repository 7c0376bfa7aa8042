"""`fastflow run`: one run in the foreground, with or without a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastflow.cli.access import Access, access
from fastflow.cli.errors import WrongUsage
from fastflow.cli.places import find_local_pipeline, is_synced_pipeline
from fastflow.kit.addresses import without_credentials
from fastflow.kit.errors import NotFound

if TYPE_CHECKING:
    from fastflow.cli.client import Api


def run(
    ctx: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="SCRIPT_OR_NAME",
            help="A pipeline's name, or the path of a .py file or of a folder with a main.py.",
            show_default=False,
        ),
    ],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="KEY=VALUE", help="A parameter; may be repeated.", show_default=False),
    ] = None,
    json_params: Annotated[
        str | None, typer.Option(metavar="JSON", help="Parameters as a JSON object; -p wins.", show_default=False)
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(help="How long the run may take, such as 90s or 2h; left away: what the pipeline says."),
    ] = None,
    priority: Annotated[int, typer.Option(help="Higher starts first.")] = 0,
    idempotency_key: Annotated[
        str | None, typer.Option(help="A second submission with the same key and content follows the first run.")
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Begin no flow, whatever runs after this pipeline.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Do not wait: print the run's id. Needs a server.")
    ] = False,
) -> None:
    """Run a pipeline and follow it to its end.

    The script's stdout and stderr come out as they are. The exit code is the script's own; 124 after a timeout, 130 when
    cancelled (Ctrl-C cancels, a second Ctrl-C does not wait for the grace period), 137 out of memory, 125 when it could not
    be set up or was lost. Without a server the run is executed by this command, isolated in the same way, and kept in the
    same history.
    """
    from fastflow.cli.running import Order, detach_run, run_here, run_on_server
    from fastflow.kit.durations import parse_duration

    if not target.strip():
        raise WrongUsage(
            "SCRIPT_OR_NAME is empty.", hint="Give a pipeline's name: `fastflow pipelines list` shows them."
        )
    order = Order(
        pairs=tuple(param or ()),
        json_params=json_params,
        timeout=None if timeout is None else parse_duration(timeout, "--timeout"),
        priority=priority,
        idempotency_key=idempotency_key,
        alone=alone,
    )
    where = access(ctx)
    if where.url or where.connect:
        _refuse_path(target, where)
        with where.open() as api:
            code = detach_run(api, target, order) if detach else run_on_server(api, target, order)
    else:
        name, settings = find_target(target)
        with _open_here(where, settings) as (api, is_served):
            if detach and not is_served:
                raise WrongUsage(
                    "--detach needs a server that executes the run.",
                    hint="Start `fastflow serve`, or leave away --detach.",
                )
            if detach:
                code = detach_run(api, name, order)
            else:
                code = run_on_server(api, name, order) if is_served else run_here(api, name, order)
    raise typer.Exit(code)


def _refuse_path(target: str, where: Access) -> None:
    if where.url and ("/" in target or target.endswith(".py")):
        raise WrongUsage(
            f"{target!r} is a path, and the server at {without_credentials(where.url)} knows its own pipelines alone.",
            hint="Give a pipeline's name (`fastflow pipelines list`), or unset FASTFLOW_URL to run it here.",
        )


class _open_here:  # noqa: N801 - used as a function
    """The API inside this process, and whether a server's runner works on the same data folder."""

    def __init__(self, where: Access, settings: dict[str, Any]) -> None:
        self._api = where.open(warm_environments=0, **settings)

    def __enter__(self) -> "tuple[Api, bool]":
        from fastflow.cli.running import is_runner_at_work

        try:
            return self._api, is_runner_at_work(self._api.local.settings.data_dir)
        except BaseException:
            self._api.__exit__(None, None, None)
            raise

    def __exit__(self, *error: Any) -> None:  # noqa: PYI036 - handed on
        self._api.__exit__(*error)


def find_target(target: str) -> tuple[str, dict[str, Any]]:
    """The pipeline's name, and the settings under which it is found.

    A name that PIPELINES_DIR or a repository has is that pipeline; any other existing path is a pipeline whose catalogue
    is the folder it lies in, and that folder alone.

    Raises:
        NotFound: the target looks like a path, and nothing is there.
    """
    from fastflow.settings import load_settings

    path = Path(target)
    if path.name == target and path.suffix != ".py":
        settings = load_settings()
        if find_local_pipeline(target, settings.pipelines_dir) is not None or not path.exists():
            return target, {}
        if is_synced_pipeline(target, settings):
            return target, {}
    if not path.exists():
        raise NotFound(
            f"There is no file {target!r}.",
            code="unknown_script",
            hint="Give the path of a .py file or of a folder with a main.py, or a name from `fastflow pipelines list`.",
        )
    path = path.resolve()
    if path.name == "main.py":
        path = path.parent
    return path.stem if path.is_file() else path.name, {"pipelines_dir": path.parent}
