"""The API inside this process: the same routes that `fastflow serve` serves, on the database of DATA_DIR, as a local admin."""

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastflow.cli.client import Api
from fastflow.kit.errors import Unavailable
from fastflow.kit.identity import Actor, Role
from fastflow.kit.log_lines import configure_logging

if TYPE_CHECKING:
    from fastflow.bootstrap import Product
    from fastflow.routers import Part

_BUFFERED_MESSAGES = 16
"""Parts of an answer that may wait for their reader before the app has to wait."""


class StreamingTransport(httpx.AsyncBaseTransport):
    """Calls an ASGI app and hands its answer on while it is being made (httpx's own transport waits for the end, which a
    followed log does not have)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request; returns once the head of the answer is there."""
        exchange = _Exchange(request, await request.aread())
        exchange.begin(self._app)
        try:
            head = await exchange.next_message()
        except BaseException:
            await exchange.aclose()
            raise
        assert head is not None, "the app ended without an answer"
        return httpx.Response(head["status"], headers=head.get("headers", []), stream=exchange)


class _Exchange(httpx.AsyncByteStream):
    """One request and its answer, which is also the stream of its body."""

    def __init__(self, request: httpx.Request, body: bytes) -> None:
        self._scope = _scope_of(request)
        self._body: bytes | None = body
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(_BUFFERED_MESSAGES)
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self, app: ASGIApp) -> None:
        """Start the app's work on it."""
        self._task = asyncio.create_task(self._work(app))  # noqa: TID251 - kept, and awaited in `aclose`

    async def _work(self, app: ASGIApp) -> None:
        try:
            await app(self._scope, self._receive, self._messages.put)
        finally:
            if not self._gone.is_set():  # else nobody reads on
                await self._messages.put(None)

    async def _receive(self) -> Message:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def next_message(self) -> Message | None:
        """What the app sends next; None after the last. Raises what the app raised."""
        message = await self._messages.get()
        if message is None and self._task is not None:
            await self._task
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self.next_message()) is not None:
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body", False):
                return

    async def aclose(self) -> None:
        """The reader goes: let the app end."""
        self._gone.set()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _scope_of(request: httpx.Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": ("local", 80),
        "client": None,
        "root_path": "",
    }


def open_local(*, debug: bool = False, **overrides: Any) -> Api:
    """The app on DATA_DIR, opened.

    Args:
        debug: let the product's own log be seen, on stderr; else errors are told by the command alone.
        overrides: settings that win over the environment.

    Raises:
        InvalidInput: a setting is wrong.
        Unavailable: the data folder or the database cannot be used.
    """
    from fastflow.bootstrap import open_product
    from fastflow.settings import load_settings

    settings = load_settings(**{"log_stream_rate_limit": 0, **overrides})
    configure_logging("cli", settings.log_level if debug else "CRITICAL")
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        # a folder that was named is a catalogue of its own, such as somebody's clone of a repository that is synced
        product = open_product(settings, with_repositories="pipelines_dir" not in overrides)
    except OSError as error:
        raise Unavailable(
            f"The data folder {settings.data_dir} cannot be used: {error.strerror or error}.",
            code="data_dir_unusable",
            hint="Set DATA_DIR to a folder that can be written, run as the user the server runs as, or set FASTFLOW_URL "
            "and FASTFLOW_TOKEN to go through a server.",
        ) from error
    return mount(product)


def mount(product: "Product") -> Api:
    """The API over a product that is built already, opened; tests use it too."""
    app = LocalApp(product, local_actor())
    client = httpx.AsyncClient(transport=StreamingTransport(app), base_url="http://local", timeout=None)  # noqa: S113
    return Api(client, asyncio.Runner(), on_close=app.aclose, local=product)


class LocalApp:
    """The API in parts: what answers at a path is made when it is first asked.

    Args:
        product: the services.
        actor: who every caller is.
    """

    def __init__(self, product: "Product", actor: Actor) -> None:
        self._product = product
        self._actor = actor
        self._apps: dict[Any, ASGIApp] = {}
        self._open = AsyncExitStack()
        self._listens = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        from fastflow.routers import find_part

        part = find_part(scope["path"])
        if (part is None or part.waits) and not self._listens:
            from fastflow.web import listening

            self._listens = True
            await self._open.enter_async_context(listening(self._product))
        if part not in self._apps:
            self._apps[part] = self._make(part)
        await self._apps[part](scope, receive, send)

    def _make(self, part: "Part | None") -> ASGIApp:
        from fastflow.web import create_app, create_part

        if part is None:
            return create_app(self._product, local_actor=self._actor)
        return create_part(self._product, part, local_actor=self._actor)

    async def aclose(self) -> None:
        """Give back what it holds."""
        await self._open.aclose()


def local_actor() -> Actor:
    """Whoever may open the data folder may do everything with it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return Actor(name=f"cli:{name}", role=Role.ADMIN)
