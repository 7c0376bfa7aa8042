"""The web process: the ASGI app over the product's services, and the server that carries it.

`create_app` is also what the command line calls in-process, with a local actor in place of credentials. As a module
(`python -m fastflow.web`) it is the web child of `fastflow serve`.
"""

import argparse
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI

from fastflow import __version__
from fastflow.bootstrap import Product, build_product
from fastflow.kernel.http.access import Authenticate
from fastflow.kernel.http.app import build_app
from fastflow.kit.errors import FastFlowError, InvalidInput
from fastflow.kit.identity import Actor
from fastflow.kit.log_lines import configure_logging
from fastflow.routers import Part, make_routers
from fastflow.serve import KEY_MADE, Reporter
from fastflow.settings import load_settings
from fastflow.terms import uv_binary
from fastflow.workbenches import UPLOADS, widened

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

    authenticator = Authenticator(product.logins, product.tokens, widen=lambda actor: widened(actor, product.pipelines))
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
    if local_actor is None:
        from fastflow.pages import make_interface  # commands without a server do without its imports
        from fastflow.ui.refusals import Refusals

        app.state.interface = make_interface(product, authenticator, forget=authenticator.forget)
        app.state.page_figures = app.state.interface.figures
        app.mount("/ui", app.state.interface)
        app.add_middleware(Refusals, page=app.state.interface.refusal, paths=("/ui/", "/auth/oidc/"))
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
        uploads=UPLOADS,
        max_upload_bytes=int(settings.max_upload_mb * 2**20),
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
    from fastflow.kernel.metrics.router import build_router as metrics_router
    from fastflow.probes import FOR_REQUESTS, build_probes, needed_for_runs

    health = health_router(
        __version__, build_probes(product), for_requests=FOR_REQUESTS, for_runs=needed_for_runs(product)
    )
    figures = metrics_router(product.metrics.metrics, version=__version__, is_public=product.settings.metrics_public)
    return [health, figures, docs_router()]


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
        app.state.interface.end()

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
        configure_logging("web", settings.log_level, settings.log_format)
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
