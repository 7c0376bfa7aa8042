"""`fastflow engine-gate`: a narrow way to the container engine, for a runner that must not have the engine's own socket."""

from pathlib import Path
from typing import Annotated

import typer


def engine_gate(
    listen: Annotated[Path, typer.Option(metavar="SOCKET", help="Unix socket to make: the runner's DOCKER_HOST.")],
    engine: Annotated[Path, typer.Option(metavar="SOCKET", help="The engine's own socket.")] = Path(
        "/var/run/docker.sock"
    ),
    image: Annotated[
        list[str] | None, typer.Option(help="Image that may be run; repeatable; left away: WORKER_BASE_IMAGE.")
    ] = None,
    folder: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of the engine's machine that may be mounted; repeatable; left away: DATA_DIR."),
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="Network that containers may join, besides none and bridge; repeatable.")
    ] = None,
) -> None:
    """Let the docker executor's requests through to the engine, and nothing else, until Ctrl-C."""
    from fastflow.kernel.executors.docker.gate import serve_gate
    from fastflow.kernel.executors.docker.gate_rules import NETWORKS, Allowed
    from fastflow.kit.log_lines import configure_logging
    from fastflow.settings import load_settings

    settings = load_settings()
    configure_logging("gate", settings.log_level, settings.log_format)
    allowed = Allowed(
        images=tuple(image or [settings.worker_base_image]),
        folders=tuple(folder or [settings.docker_data_dir or settings.data_dir]),
        networks=NETWORKS | set(network or ()),
    )
    typer.echo(f"The gate to {engine} is open at {listen}: {', '.join(allowed.images)} (Ctrl-C closes it).")
    serve_gate(listen, engine, allowed)
