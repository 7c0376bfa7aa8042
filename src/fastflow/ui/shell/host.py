"""Brings NiceGUI up inside the running server, and gives every room's pages to it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI
from nicegui import Client, ui
from nicegui import app as framework
from starlette.requests import Request
from starlette.types import ASGIApp

from fastflow.kernel.http.access import Authenticate
from fastflow.kit.errors import FastFlowError, NotFound, Unauthenticated
from fastflow.ui.interface import language_of
from fastflow.ui.live import Hub
from fastflow.ui.manifest import Manifest, PageSpec
from fastflow.ui.shell.frame import Frame, put_problem
from fastflow.ui.shell.page import Page
from fastflow.ui.texts import Catalogue

_log = logging.getLogger("fastflow.ui")
_RECONNECT_SECONDS = 20.0
"""How long a page is kept for a browser that was cut off, such as a laptop's that was closed for a moment."""


async def open_pages(
    manifests: Sequence[Manifest],
    *,
    catalogue: Catalogue,
    authenticate: Authenticate,
    hub: Hub,
    version: str,
    opened: "asyncio.Future[ASGIApp]",
    ending: asyncio.Event,
) -> None:
    """Serve the pages until `ending`.

    Args:
        manifests: the rooms.
        catalogue: their words.
        authenticate: says who asks.
        hub: tells pages what happens.
        version: of the static files.
        opened: gets the app that answers.
        ending: set when the server stops.
    """
    host = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    framework.config.socket_io_js_transports = ["websocket"]  # nothing is changed by a POST of a page
    ui.run_with(
        host,
        title="Fast-Flow",
        favicon=None,
        dark=None,
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=_RECONNECT_SECONDS,
        show_welcome_message=False,
    )
    framework.config.quasar_config["notify"] = {"textColor": ""}  # else white by an !important, whatever our sheet says
    frame = Frame(manifests, version=version)

    def page_of(request: Request) -> Page:
        return Page(request, catalogue.texts(language_of(request)), authenticate=authenticate, hub=hub)

    for manifest in manifests:
        for spec in manifest.load():
            ui.page(spec.path, title="Fast-Flow", response_timeout=30.0)(_page(spec, frame, page_of))
    ui.page("/{rest:path}", title="Fast-Flow")(_page(_NOWHERE, frame, page_of))
    async with host.router.lifespan_context(host):
        opened.set_result(host)
        await ending.wait()


def count_pages() -> int:
    """Pages that are kept: those that browsers hold, and those that may come back in a moment."""
    return len(Client.instances)


def _page(spec: PageSpec, frame: Frame, page_of: Callable[[Request], Page]) -> Callable[[Request], Awaitable[None]]:
    async def show(request: Request) -> None:
        page = page_of(request)
        with frame.around(page, spec):
            try:
                await spec.build(page)
            except Unauthenticated:
                page.log_in_again()
            except FastFlowError as error:
                put_problem(page, error)
            except Exception:  # noqa: BLE001  # told on the page, and in the log
                _log.exception("ui.page_failed", extra={"fields": {"page": spec.path}})
                put_problem(page, None)

    return show


async def _nowhere(page: Page) -> None:
    raise NotFound(page.t("shell.not_found"), hint=page.t("shell.not_found_hint"))


_NOWHERE = PageSpec(path="", title="shell.not_found", build=_nowhere)
