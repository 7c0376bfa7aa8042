"""`fastflow serve`: reads the settings, takes lock and port, then becomes the small parent that `serve.py` is.

A wrong setting, a taken port and a second server on the same data folder are found here; what takes the whole product to
find out (a newer schema, a wrong key) the children report to the parent, which tells it in the same form.
"""

import errno
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from fastflow.cli.errors import print_error
from fastflow.kit.errors import Conflict, InvalidInput, Unavailable

if TYPE_CHECKING:
    from fastflow.settings import Settings

LOCK_FILE = "run/serve.lock"
"""In DATA_DIR: held by the parent process for as long as it lives; its text tells where the server answers."""
BACKLOG = 2048
"""Connections that wait while the web process is being started (again)."""
_BLOCKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind, instead of HOST (127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to bind, instead of PORT (8000); 0 takes a free one.")
    ] = None,
    pipelines: Annotated[Path | None, typer.Option(metavar="DIR", help="Pipelines, instead of PIPELINES_DIR.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Data folder, instead of DATA_DIR.")] = None,
) -> None:
    """Serve API and runs of this machine until Ctrl-C. Runs go on when the server stops; the next start takes them up."""
    from fastflow.serve import EXIT_CONFIGURATION

    try:
        settings, listening, lock = _get_ready(host, port, pipelines, data)
    except InvalidInput as error:
        print_error(error)
        raise typer.Exit(EXIT_CONFIGURATION) from error
    if not settings.pipelines_dir.is_dir():
        typer.echo(f"{settings.pipelines_dir} does not exist yet: put pipelines there, or set PIPELINES_DIR.", err=True)
    _become_parent(settings, listening, lock)


def _get_ready(
    host: str | None, port: int | None, pipelines: Path | None, data: Path | None
) -> "tuple[Settings, socket.socket, TextIO]":
    from fastflow.settings import load_settings

    settings = load_settings(host=host, port=port, pipelines_dir=pipelines, data_dir=data)
    lock = take_lock(settings.data_dir)
    listening = bind(settings.host, settings.port)
    _note_url(lock, url_of(listening))
    return settings, listening, lock


def take_lock(data_dir: Path) -> TextIO:
    """Hold the data folder's server lock.

    Raises:
        Conflict: another server holds it.
        Unavailable: the folder cannot be used.
    """
    import fcntl

    path = data_dir / LOCK_FILE
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


def url_of(listening: socket.socket) -> str:
    """Where the socket answers a browser on this machine."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - every address includes this one
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _become_parent(settings: "Settings", listening: socket.socket, lock: TextIO) -> None:
    """Replace this process, and all it has in memory, by `serve.py`; signals wait until that one listens to them."""
    order = {
        "python": sys.executable,
        "url": url_of(listening),
        "data_dir": str(settings.data_dir),
        "listen_fd": listening.fileno(),
    }
    os.environ.update(  # noqa: TID251 - what the flags said, for the children, who read the environment alone
        HOST=settings.host,
        PORT=str(settings.port),
        PIPELINES_DIR=str(settings.pipelines_dir),
        DATA_DIR=str(settings.data_dir),
    )
    os.set_inheritable(listening.fileno(), True)
    os.set_inheritable(lock.fileno(), True)
    signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    sys.stdout.flush()
    sys.stderr.flush()
    script = Path(__file__).resolve().parent.parent / "serve.py"
    os.execv(sys.executable, [sys.executable, "-I", "-S", str(script), json.dumps(order)])  # noqa: S606
