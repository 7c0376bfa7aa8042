"""The web process: the ASGI app over the product's services, and the server that carries it.

`create_app` is also what the command line calls in-process, with a local actor in place of credentials. As a module
(`python -m fastflow.web`) it is the web child of `fastflow serve`.
"""

import argparse
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI

from fastflow import __version__
from fastflow.bootstrap import Product, build_product
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import current_revision, head_revision
from fastflow.kernel.http.access import Authenticate
from fastflow.kernel.http.app import build_app
from fastflow.kernel.http.health import Probe
from fastflow.kernel.locks import is_held
from fastflow.kit.errors import FastFlowError, InvalidInput, Unavailable
from fastflow.kit.identity import Actor
from fastflow.kit.log_lines import configure_logging
from fastflow.routers import Part, make_routers
from fastflow.serve import KEY_MADE, RUNNER_LOCK, Reporter
from fastflow.settings import load_settings
from fastflow.terms import uv_binary

RUNNER_FILE = "run/runner.json"
"""In DATA_DIR: written by the runner at every heartbeat."""
_RUNNER_SILENT_SECONDS = 15.0
_LOW_DISK_BYTES = 256 * 2**20
_EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: starting again would fail again; see `serve.py`."""


def create_app(product: Product, *, local_actor: Actor | None = None) -> FastAPI:
    """The whole API.

    Args:
        product: the services.
        local_actor: who every caller is, for the command line in-process; None asks for credentials.
    """
    from fastflow.kernel.executors.ray.folders import AttemptFolders
    from fastflow.kernel.executors.ray.ingest import Ingest
    from fastflow.kernel.executors.ray.router import build_router as agents_router
    from fastflow.kernel.runs.infra.agents import AttemptFence
    from fastflow.kernel.users.router import Authenticator

    authenticator = Authenticator(product.logins, product.tokens)
    attempts = AttemptFolders(product.settings.data_dir)
    agents = Ingest(attempts, is_current=AttemptFence(product.database), find_uv=uv_binary)
    app = _build(
        product,
        [*_about_the_server(product), *make_routers(product), agents_router(agents)],
        authenticate=authenticator if local_actor is None else lambda _request: local_actor,
        credentials_changed=authenticator.forget,
    )
    if not product.database.is_sqlite:
        from fastflow.kernel.http.forwarding import Forwarding
        from fastflow.kernel.runs.infra.agents import AgentPeers
        from fastflow.kernel.runs.wiring import read_host_id

        host = read_host_id(product.settings.data_dir)
        owners = AgentPeers(product.database, host=host, is_here=lambda key: attempts.of(key).exists())
        app.add_middleware(
            Forwarding, is_candidate=owners.is_candidate, find=owners.find, methods=("GET", "HEAD", "POST")
        )
    app.state.agents = agents
    return app


def create_part(product: Product, part: Part, *, local_actor: Actor) -> FastAPI:
    """The API at the part's paths alone, for the command line in-process."""
    return _build(product, [part.make(product)], authenticate=lambda _request: local_actor)


def _build(
    product: Product,
    routers: Sequence[APIRouter],
    *,
    authenticate: Authenticate,
    credentials_changed: Callable[[], None] = lambda: None,
) -> FastAPI:
    settings = product.settings
    app = build_app(
        routers,
        authenticate=authenticate,
        credentials_changed=credentials_changed,
        version=__version__,
        max_body_bytes=int(settings.max_body_mb * 2**20),
        cookie_secure=settings.cookie_secure,
        lifespan=partial(listening, product),
    )
    if not product.database.is_sqlite:
        from fastflow.kernel.http.forwarding import Forwarding
        from fastflow.kernel.runs.infra.peers import Peers
        from fastflow.kernel.runs.wiring import read_host_id

        peers = Peers(
            product.database,
            host=read_host_id(settings.data_dir),
            logs_dir=settings.logs_dir,
            artifacts_dir=settings.data_dir / "artifacts",
        )
        app.add_middleware(Forwarding, is_candidate=peers.is_candidate, find=peers.find)
    return app


@asynccontextmanager
async def listening(product: Product, _app: FastAPI | None = None) -> AsyncIterator[None]:
    """Hear the runner's messages for as long as the app serves."""

    def tell(_message: str) -> None:
        if product.has("logs"):
            product.logs.notify()

    receiver = product.runs_room.receiver(tell)
    await receiver.open()
    try:
        yield
    finally:
        await receiver.close()
        if product.has("logs"):
            product.logs.close()


def _about_the_server(product: Product) -> list[APIRouter]:
    from fastflow.kernel.http.docs import build_router as docs_router
    from fastflow.kernel.http.health import build_router as health_router

    return [health_router(__version__, _probes(product), needed=("database",)), docs_router()]


def _probes(product: Product) -> Mapping[str, Probe]:
    settings, head = product.settings, head_revision()
    probes: dict[str, Probe] = {
        "database": lambda: _look_at_database(product.database, head),
        "disk": lambda: _look_at_disk({"DATA_DIR": settings.data_dir, "LOGS_DIR": settings.logs_dir}),
        "runner": lambda: _look_at_runner(settings.data_dir, datetime.now(UTC)),
        "scheduler": product.schedules.schedules.health,
    }
    if settings.executor == "docker":
        probes["engine"] = lambda: _look_at_engine(settings.data_dir, datetime.now(UTC))
    if settings.executor == "ray" or settings.ray_address is not None:
        probes["cluster"] = lambda: _look_at_cluster(settings.data_dir, datetime.now(UTC))
    return probes


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


def _look_at_runner(data_dir: Path, now: datetime) -> Mapping[str, Any]:
    """The runner lives as long as its lock is held, and works as long as it writes its file at every heartbeat: how old
    that is, and what it says about isolation."""
    heartbeat = data_dir / RUNNER_FILE
    if not is_held(data_dir / RUNNER_LOCK):
        raise _no_runner("No runner works on this machine now.")
    try:
        seen = datetime.fromtimestamp(heartbeat.stat().st_mtime, UTC)
        told = json.loads(heartbeat.read_text())
    except FileNotFoundError as error:
        raise _no_runner("The runner on this machine is just starting.") from error
    except (OSError, ValueError) as error:
        raise _no_runner("The runner's heartbeat cannot be read.") from error
    silent = max(0.0, (now - seen).total_seconds())
    return {
        "ok": silent < _RUNNER_SILENT_SECONDS,
        "last_seen_at": seen.isoformat(),
        "silent_seconds": round(silent, 1),
        "executors": told.get("executors", {}),
    }


def _look_at_engine(data_dir: Path, now: datetime) -> Mapping[str, Any]:
    """The container engine as the runner sees it: this process never opens the engine's socket."""
    told = _look_at_runner(data_dir, now)["executors"].get("docker", {})
    if not told.get("reachable"):
        raise Unavailable(
            str(told.get("why") or "The runner has not looked at the container engine yet."),
            code="engine_away",
            hint="Container runs fail until it is back: start it, or let the server's user reach DOCKER_HOST.",
        )
    return {"ok": True, "version": told.get("engine"), "image": told.get("image"), "pool": told.get("pool")}


def _look_at_cluster(data_dir: Path, now: datetime) -> Mapping[str, Any]:
    """The Ray cluster as the runner sees it."""
    told = _look_at_runner(data_dir, now)["executors"].get("ray", {})
    if not told.get("reachable"):
        raise Unavailable(
            str(told.get("why") or "The runner has not looked at the cluster yet."),
            code="cluster_away",
            hint="Runs on the cluster go on; new ones fail until it answers: start it, or correct RAY_ADDRESS.",
        )
    return {name: told.get(name) for name in ("address", "version", "nodes")} | {"ok": True}


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
    from fastflow.kernel.http.server import Serving, serve  # uvicorn: the command line needs the app alone

    settings, app = product.settings, create_app(product)

    def end_streams() -> None:
        product.logs.close()
        app.state.agents.close()

    serving = Serving(
        host=settings.host,
        port=settings.port,
        listen_fd=listen_fd,
        ready=ready,
        end_streams=end_streams,
        trusted_proxies=settings.trusted_proxies,
    )
    serve(app, serving)


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
