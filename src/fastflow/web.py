"""The web process: the ASGI app over the product's services, and the server that carries it.

`create_app` is also what the command line calls in-process, with a local actor in place of credentials. As a module
(`python -m fastflow.web`) it is the web child of `fastflow serve`.
"""

import argparse
import gc
import json
import logging
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI

from fastflow import __version__
from fastflow.bootstrap import Product, build_product
from fastflow.kernel.audit.router import build_router as audit_router
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import current_revision, head_revision
from fastflow.kernel.environments.router import build_router as environments_router
from fastflow.kernel.http.app import build_app
from fastflow.kernel.http.docs import build_router as docs_router
from fastflow.kernel.http.health import Probe
from fastflow.kernel.http.health import build_router as health_router
from fastflow.kernel.http.protocol import LimitedHeadProtocol
from fastflow.kernel.pipelines.router import build_router as pipelines_router
from fastflow.kernel.runs.log_router import build_log_router as logs_router
from fastflow.kernel.runs.router import build_router as runs_router
from fastflow.kernel.secrets.router import build_router as secrets_router
from fastflow.kernel.users.router import Authenticator
from fastflow.kernel.users.router import build_router as users_router
from fastflow.kit.errors import FastFlowError, InvalidInput, Unavailable
from fastflow.kit.identity import Actor
from fastflow.kit.log_lines import configure_logging
from fastflow.serve import KEY_MADE, Reporter
from fastflow.settings import load_settings

_log = logging.getLogger("fastflow.web")

RUNNER_FILE = "run/runner.json"
"""In DATA_DIR: written by the runner at every heartbeat."""
_RUNNER_SILENT_SECONDS = 15.0
_LOW_DISK_BYTES = 256 * 2**20
_SHUTDOWN_SECONDS = 2
"""How long open answers may take to end; streams are cut then, and their readers resume where they were."""
_EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: starting again would fail again; see `serve.py`."""


def create_app(product: Product, *, local_actor: Actor | None = None) -> FastAPI:
    """The whole API.

    Args:
        product: the services.
        local_actor: who every caller is, for the command line in-process; None asks for credentials.
    """
    settings = product.settings
    authenticator = Authenticator(product.logins, product.tokens)
    return build_app(
        _routers(product),
        authenticate=authenticator if local_actor is None else lambda _request: local_actor,
        credentials_changed=authenticator.forget,
        version=__version__,
        max_body_bytes=int(settings.max_body_mb * 2**20),
        lifespan=partial(_listening, product),
    )


@asynccontextmanager
async def _listening(product: Product, _app: FastAPI) -> AsyncIterator[None]:
    """Hear the runner's messages for as long as the app serves."""
    receiver = product.runs_room.receiver(lambda _message: product.logs.notify())
    await receiver.open()
    try:
        yield
    finally:
        await receiver.close()
        product.logs.close()


def _routers(product: Product) -> list[APIRouter]:
    settings = product.settings
    return [
        health_router(__version__, _probes(product), needed=("database",)),
        docs_router(),
        pipelines_router(product.pipelines),
        runs_router(product.runs),
        logs_router(product.logs),
        environments_router(
            product.environments,
            in_use=product.environments_in_use,
            retention_days=settings.environment_retention_days,
        ),
        secrets_router(product.secrets),
        users_router(product.users, product.logins, product.tokens, cookie_secure=settings.cookie_secure),
        audit_router(product.audit),
    ]


def _probes(product: Product) -> Mapping[str, Probe]:
    settings, head = product.settings, head_revision()
    return {
        "database": lambda: _look_at_database(product.database, head),
        "disk": lambda: _look_at_disk({"DATA_DIR": settings.data_dir, "LOGS_DIR": settings.logs_dir}),
        "runner": lambda: _look_at_runner(settings.data_dir / RUNNER_FILE, datetime.now(UTC)),
    }


def _look_at_database(database: Database, head: str) -> Mapping[str, Any]:
    revision = current_revision(database)
    return {
        "ok": revision == head,
        "kind": "sqlite" if database.is_sqlite else "postgresql",
        "schema": revision,
    }


def _look_at_disk(folders: Mapping[str, Path]) -> Mapping[str, Any]:
    free: dict[str, int] = {}
    for name, folder in folders.items():
        try:
            free[name] = shutil.disk_usage(folder).free
        except OSError as error:
            raise Unavailable(f"{name} cannot be looked at: {error.strerror}.", code="disk_unreadable") from error
    return {"ok": min(free.values()) >= _LOW_DISK_BYTES, "free_bytes": free}


def _look_at_runner(heartbeat: Path, now: datetime) -> Mapping[str, Any]:
    """The runner is seen by the file it writes at every heartbeat: how old it is, and what it says about isolation."""
    try:
        seen = datetime.fromtimestamp(heartbeat.stat().st_mtime, UTC)
        told = json.loads(heartbeat.read_text())
    except FileNotFoundError as error:
        raise _no_runner("No runner has been seen on this machine.") from error
    except (OSError, ValueError) as error:
        raise _no_runner("The runner's heartbeat cannot be read.") from error
    silent = max(0.0, (now - seen).total_seconds())
    return {
        "ok": silent < _RUNNER_SILENT_SECONDS,
        "last_seen_at": seen.isoformat(),
        "silent_seconds": round(silent, 1),
        "executors": told.get("executors", {}),
    }


def _no_runner(message: str) -> Unavailable:
    return Unavailable(
        message,
        code="no_runner",
        hint="Runs stay in the queue until `fastflow serve` (its runner process) is up.",
    )


def serve_web(product: Product, *, listen_fd: int | None = None, ready: Callable[[str], None] | None = None) -> None:
    """Serve the API until a signal ends the process.

    Args:
        product: the services.
        listen_fd: a bound socket to accept from; None binds HOST and PORT of the settings.
        ready: called with the URL once requests are answered.
    """
    settings = product.settings
    config = uvicorn.Config(
        create_app(product),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=LimitedHeadProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    sockets = None if listen_fd is None else [socket.socket(fileno=listen_fd)]
    _Server(config, ready, product.logs.close).run(sockets)


class _Server(uvicorn.Server):
    """Tells when it answers, and ends live streams before it waits for open answers."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[str], None] | None, end_streams: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._end_streams = end_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_streams()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        gc.freeze()  # what the start has made stays: the collector need not look through it again and again
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        _log.info("web.ready", extra={"fields": {"url": url, "version": __version__, "pid": os.getpid()}})
        if self._ready is not None:
            self._ready(url)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the web process; the exit code. What it was told by argument is described in `serve.py`."""
    parser = argparse.ArgumentParser(prog="python -m fastflow.web")
    parser.add_argument("--listen-fd", type=int, help="a bound socket to accept from")
    parser.add_argument("--ready-fd", type=int, help="a pipe that is told once requests are answered")
    given = parser.parse_args(arguments)
    reporter = Reporter(given.ready_fd)
    try:
        settings = load_settings()
        configure_logging("web", settings.log_level)
        product = build_product(settings)
        product.secrets.verify_key()
        if product.made_key_file is not None:
            reporter.say(KEY_MADE.format(product.made_key_file))
        password = product.users.ensure_first_admin()
        if password is not None:
            reporter.say(f"Made the user admin with the one-time password {password} (shown this once).")
        serve_web(product, listen_fd=given.listen_fd, ready=lambda _url: reporter.ready())
    except FastFlowError as error:
        reporter.fail(error.message, error.hint, error.fields)
        return _EXIT_CONFIGURATION if isinstance(error, InvalidInput) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
