"""`fastflow serve`: reads the settings, takes lock and port, then goes on as the parent that `serve.py` is.

A wrong setting, a taken port and a second server on the same data folder are found here; what takes the whole product to
find out (a newer schema, a wrong key) the children report to the parent, which tells it in the same form.
"""

import errno
import os
import signal
import socket
import sys
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from fastflow.cli.errors import print_error
from fastflow.kit.errors import Conflict, InvalidInput, Unavailable

if TYPE_CHECKING:
    from fastflow.settings import Settings


class Part(StrEnum):
    """One of the server's two processes."""

    WEB = "web"
    RUNNER = "runner"


RUNNER_LOCK_FILE = "run/serve-runner.lock"
"""The same as LOCK_FILE for a runner that is served alone."""
LOCK_FILE = "run/serve.lock"
"""In DATA_DIR: held by the parent process for as long as it lives; its text tells where the server answers."""
BACKLOG = 2048
"""Connections that wait while the web process is being started (again)."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind, instead of HOST (127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to bind, instead of PORT (8000); 0 takes a free one.")
    ] = None,
    pipelines: Annotated[Path | None, typer.Option(metavar="DIR", help="Pipelines, instead of PIPELINES_DIR.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Data folder, instead of DATA_DIR.")] = None,
    only: Annotated[
        Part | None, typer.Option(help="Only this process, such as for a container of its own; left away: both.")
    ] = None,
    executor: Annotated[
        str | None, typer.Option(metavar="KIND", help="Where runs go that name no executor, instead of EXECUTOR.")
    ] = None,
) -> None:
    """Serve API and runs of this machine until Ctrl-C. Runs go on when the server stops; the next start takes them up."""
    from fastflow.serve import EXIT_CONFIGURATION

    given = {"host": host, "port": port, "pipelines_dir": pipelines, "data_dir": data, "executor": executor}
    try:
        settings, listening, lock = _get_ready(only, **given)
    except InvalidInput as error:
        print_error(error)
        raise typer.Exit(EXIT_CONFIGURATION) from error
    _tell_misspelt()
    if not settings.pipelines_dir.is_dir():
        typer.echo(f"{settings.pipelines_dir} does not exist yet: put pipelines there, or set PIPELINES_DIR.", err=True)
    raise typer.Exit(_become_parent(settings, listening, lock, only, flags=_named(given)))


def _named(given: Mapping[str, object]) -> Collection[str]:
    """The settings that flags name, of those that they may."""
    return [name for name, value in given.items() if value is not None]


def _tell_misspelt() -> None:
    from fastflow.settings import misspelt_settings

    for name, meant in misspelt_settings().items():
        typer.echo(f"{name} is no setting and has no effect: did you mean {meant}?", err=True)


def _get_ready(only: Part | None, **given: object) -> "tuple[Settings, socket.socket | None, TextIO]":
    """`given`: settings that flags name; None: left away."""
    from fastflow.settings import load_settings

    settings = load_settings(**given)
    if only is Part.RUNNER:
        lock = take_lock(settings.data_dir, RUNNER_LOCK_FILE)
        _note_url(lock, "the runner alone")
        return settings, None, lock
    lock = take_lock(settings.data_dir)
    listening = bind(settings.host, settings.port)
    _note_url(lock, url_of(listening))
    return settings, listening, lock


def take_lock(data_dir: Path, name: str = LOCK_FILE) -> TextIO:
    """Hold the data folder's server lock.

    Raises:
        Conflict: another server holds it.
        Unavailable: the folder cannot be used.
    """
    import fcntl

    path = data_dir / name
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        lock = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise Unavailable(
            f"The data folder {data_dir} cannot be used: {error.strerror}.",
            code="data_dir_unusable",
            hint="Set DATA_DIR to a folder that this user may write, or correct its owner.",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        told = lock.read().strip()
        raise Conflict(
            f"Another server already works on {data_dir}" + (f" ({told})." if told else "."),
            code="already_served",
            hint="Use that one, stop it first, or give this one a folder of its own: --data DIR (and --port).",
        ) from error
    return lock


def _note_url(lock: TextIO, url: str) -> None:
    lock.seek(0)
    lock.truncate()
    lock.write(f"process {os.getpid()}, {url}\n")
    lock.flush()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        InvalidInput: the address is none of this machine.
        Unavailable: the port is taken, or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"Port {port} of {host} is taken by another program.",
                code="port_taken",
                hint="Stop that program, or choose another port with --port or PORT.",
                fields={"PORT": "taken"},
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Unavailable(
                f"Port {port} may not be used by this user.",
                code="port_forbidden",
                hint="Choose a port from 1024 up with --port or PORT.",
                fields={"PORT": "not allowed"},
            ) from error
        raise InvalidInput(
            f"{host} is no address of this machine: {error.strerror}.",
            code="invalid_setting",
            hint="Set HOST to an address of this machine, 127.0.0.1 for itself alone or 0.0.0.0 for every address.",
            fields={"HOST": "no address of this machine"},
        ) from error
    listening.listen(BACKLOG)
    return listening


def url_of(listening: socket.socket, every_address: str = "localhost") -> str:
    """Where the socket answers; a socket that listens on every address of the machine is called `every_address`."""
    host, port = listening.getsockname()[:2]
    shown = every_address if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _become_parent(
    settings: "Settings",
    listening: socket.socket | None,
    lock: TextIO,
    only: Part | None,
    *,
    flags: Collection[str],
) -> int:
    """Go on as the parent that `serve.py` is, until all ends; the exit code. Signals wait until it listens to them."""
    from fastflow.children import SIGNALS
    from fastflow.effective import NOTED, note_origins
    from fastflow.serve import main

    url = None if listening is None else url_of(listening)
    passed_on = ("host", "port", "pipelines_dir", "data_dir", "executor", "server_url")
    os.environ[NOTED] = note_origins(passed_on, flags=flags, derived=("server_url",))  # noqa: TID251 - before they are there
    os.environ.update(  # noqa: TID251 - what the flags said, for the children, who read the environment alone
        HOST=settings.host,
        PORT=str(settings.port),
        PIPELINES_DIR=str(settings.pipelines_dir),
        DATA_DIR=str(settings.data_dir),
        EXECUTOR=settings.executor,
    )
    if listening is not None:
        os.environ.setdefault("SERVER_URL", settings.server_url or url_of(listening, socket.gethostname()))  # noqa: TID251
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    sys.stdout.flush()
    sys.stderr.flush()
    return main(
        data_dir=settings.data_dir,
        listen_fd=None if listening is None else listening.detach(),
        url=url,
        with_runner=only is not Part.WEB,
        own=[lock],
    )
