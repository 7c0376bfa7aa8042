"""The server that carries an app: uvicorn. The web process alone imports it; the command line calls the app without."""

import asyncio
import gc
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI

from fastflow.kernel.http.protocol import LimitedHeadProtocol

_log = logging.getLogger("fastflow.web")

_SHUTDOWN_SECONDS = 2
"""How long open answers may take to end; streams are cut then, and their readers resume where they were."""


_MAX_MESSAGE_BYTES = 1024 * 1024
"""What a page may send at once; a filled-in form is far below it."""


def _websocket(**given: Any) -> asyncio.Protocol:
    """The protocol of a connection that stays open. Imported by the first one: most servers of an API never see any."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    return WebSocketsSansIOProtocol(**given)


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How an app is served.

    Attributes:
        host, port: what is bound when there is no socket yet.
        listen_fd: a bound socket to accept from; None: bind.
        ready: called with the URL once requests are answered.
        end_streams: called before open answers are waited for.
        trusted_proxies: addresses and networks, separated by commas, whose X-Forwarded-For and -Proto are believed.
    """

    host: str
    port: int
    listen_fd: int | None
    ready: Callable[[str], None] | None
    end_streams: Callable[[], None]
    trusted_proxies: str = "127.0.0.1"


def serve(app: FastAPI, serving: Serving) -> None:
    """Serve the app until a signal ends the process."""
    config = uvicorn.Config(
        app,
        host=serving.host,
        port=serving.port,
        loop="uvloop",
        http=LimitedHeadProtocol,
        ws=_websocket,  # type: ignore[arg-type]  # called as the class would be
        ws_max_size=_MAX_MESSAGE_BYTES,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(serving.trusted_proxies),
        forwarded_allow_ips=serving.trusted_proxies or None,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    sockets = None if serving.listen_fd is None else [socket.socket(fileno=serving.listen_fd)]
    _Server(config, serving).run(sockets)


class _Server(uvicorn.Server):
    """Tells when it answers, and ends live streams before it waits for open answers."""

    def __init__(self, config: uvicorn.Config, serving: Serving) -> None:
        super().__init__(config)
        self._serving = serving

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._serving.end_streams()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        gc.freeze()  # what the start has made stays: the collector need not look through it again and again
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        app: FastAPI = self.config.app  # type: ignore[assignment]  # what `serve` put there
        _log.info("web.ready", extra={"fields": {"url": url, "version": app.version, "pid": os.getpid()}})
        if self._serving.ready is not None:
            self._serving.ready(url)
