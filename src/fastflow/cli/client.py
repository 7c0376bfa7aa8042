"""The API as commands use it: synchronous calls that give JSON or raise; the same over the network and inside the process.

One event loop serves all calls of a command, so that background work of the app inside the process (and a run's own
dispatcher) can go on between them.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from fastflow.cli.errors import NoFastFlowServer, ServerProblem, ServerUnreachable, WrongUsage
from fastflow.cli.places import hint_at_local_pipeline
from fastflow.kit.addresses import without_credentials

T = TypeVar("T")

_PAGE = re.compile(r"/ui(/.*)?$")
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 120.0
"""Longer than any answer takes but streams, which have no limit of their own."""
_PIECE = 2**20
_PERHAPS_ASTRAY = (404, 405, 422)
"""What our own server answers, too, when the address has a path that belongs to something else there."""


class Api:
    """A connection to the API.

    Args:
        client: speaks to the server, or to the app inside this process.
        runner: the event loop of all calls.
        on_close: ends what the connection needs.
        local: the product inside this process; None for a server elsewhere.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        runner: "asyncio.Runner",
        *,
        on_close: Callable[[], Awaitable[None]] | None = None,
        local: Any = None,
    ) -> None:
        self.client = client
        self.local = local
        self._runner = runner
        self._on_close = on_close

    @property
    def server(self) -> str | None:
        """Address of the server that is asked; None: the app inside this process is."""
        return None if self.local is not None else without_credentials(str(self.client.base_url)).rstrip("/")

    def place_of(self, path: str) -> str:
        """Where the thing at the path was looked for, in words; with it a `not found` says which of several was asked."""
        if self.server is not None:
            return f"the server {self.server}"
        settings = self.local.settings
        if path.startswith("/pipelines"):
            return f"{settings.pipelines_dir} (PIPELINES_DIR)"
        return "the database of DATABASE_URL" if settings.database_url else f"{settings.data_dir} (DATA_DIR)"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._close())
        finally:
            self._runner.close()

    async def _close(self) -> None:
        await self.client.aclose()
        if self._on_close is not None:
            await self._on_close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the connection's event loop; Ctrl-C cancels it and raises KeyboardInterrupt."""
        return self._runner.run(work)

    # -- calls ----------------------------------------------------------------------------------------------------------

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at the path; query values of None are left out.

        Raises:
            ServerProblem: the API refuses; the message is its own.
            ServerUnreachable: nobody answers.
        """
        return self.run(self.call("GET", path, query=query))

    def post(self, path: str, body: Any = None) -> Any:
        """POST; raises as `get`."""
        return self.run(self.call("POST", path, body=body))

    def put(self, path: str, body: Any) -> Any:
        """PUT; raises as `get`."""
        return self.run(self.call("PUT", path, body=body))

    def patch(self, path: str, body: Any) -> Any:
        """PATCH; raises as `get`."""
        return self.run(self.call("PATCH", path, body=body))

    def delete(self, path: str, **query: Any) -> Any:
        """DELETE; raises as `get`."""
        return self.run(self.call("DELETE", path, query=query))

    def upload(self, path: str, file: Path, **query: Any) -> Any:
        """POST a file as the body; raises as `get`."""
        return self.run(self._upload(path, file, file.stat().st_size, query))

    async def _upload(self, path: str, file: Path, size: int, query: Mapping[str, Any]) -> Any:
        async def pieces() -> AsyncIterator[bytes]:
            with file.open("rb") as opened:
                while piece := opened.read(_PIECE):
                    yield piece

        wanted = {name: value for name, value in query.items() if value is not None}
        kind = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        request = self.client.build_request("POST", path, params=wanted, content=pieces(), headers=kind)
        async with _Opened(self, request) as answer:
            return json.loads(await answer.aread())

    async def call(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """One call; None when the answer has no body. Raises as `get`."""
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        async with self.open(method, path, query=wanted, body=body) as answer:
            await answer.aread()
            if not answer.content:
                return None
            try:
                return answer.json()
            except ValueError as error:
                raise NoFastFlowServer(self.server or "this machine") from error

    async def is_below_its_path(self) -> bool:
        """Whether the API answers below the path in the server's address, as it does behind a proxy; without one it does."""
        if self.local is not None or self.client.base_url.path == "/":
            return True
        answer = await self.client.get("/health")  # which needs no credentials
        try:
            told = answer.json()
        except ValueError:
            return False
        return isinstance(told, dict) and told.get("status") in ("ok", "degraded")

    def open(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> "_Opened":
        """An answer whose body is read as it comes: `async with api.open("GET", path) as answer`. Raises as `get`."""
        request = self.client.build_request(
            method, path, params=query or None, json=body
        )  # {} would drop what the path asks
        return _Opened(self, request)


class _Opened:
    """An answer being received; left, it is closed."""

    def __init__(self, api: Api, request: httpx.Request) -> None:
        self._api = api
        self._request = request
        self._answer: httpx.Response | None = None

    async def __aenter__(self) -> httpx.Response:
        try:
            self._answer = await self._api.client.send(self._request, stream=True)
            if not self._answer.is_success:
                await self._answer.aread()
                if self._answer.status_code in _PERHAPS_ASTRAY and not await self._api.is_below_its_path():
                    raise NoFastFlowServer(self._api.server or "")
        except httpx.TransportError as error:
            raise unreachable(self._request.url, error) from error
        if not self._answer.is_success:
            await self._answer.aclose()
            raise _problem(self._answer, self._api)
        return self._answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is not None:
            await self._answer.aclose()
        if isinstance(error, httpx.TransportError):
            raise unreachable(self._request.url, error) from error


def unreachable(url: httpx.URL, error: Exception) -> ServerUnreachable:
    """The error for a server that does not answer."""
    place = f"{url.scheme}://{url.netloc.decode()}"  # netloc is without the credentials
    return ServerUnreachable(f"The server at {place} does not answer: {str(error) or type(error).__name__}.")


def _problem(answer: httpx.Response, api: Api) -> ServerProblem:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    path = answer.request.url.path
    if not isinstance(problem, dict) or "code" not in problem:
        problem = {
            "detail": f"{api.place_of(path)} answered with status {answer.status_code} and no problem of ours.",
            "hint": "Check that FASTFLOW_URL names a Fast-Flow server.",
        }
    hint = str(problem.get("hint") or "")
    if answer.status_code == 401:
        hint = "Set FASTFLOW_TOKEN to a token from `fastflow tokens create` on the server's machine."
    elif answer.status_code == 403 and api.server is not None and "needs the role" in str(problem.get("detail")):
        hint = (
            f"{hint} On the server's own machine, whoever may open its DATA_DIR may do everything: "
            "`env -u FASTFLOW_URL -u FASTFLOW_TOKEN fastflow …`."
        )
    elif problem.get("code") == "pipeline_not_found" and api.server is not None:
        hint = f"{hint} {hint_at_local_pipeline(str(problem.get('pipeline', '')))}".strip()
    is_told = answer.status_code == 404 or (api.server is not None and answer.status_code != 422)
    return ServerProblem({**problem, "hint": hint}, answer.status_code, place=api.place_of(path) if is_told else "")


def part(text: str) -> str:
    """Text as one part of a path, whatever characters it has."""
    return quote(text, safe="") if text not in (".", "..") else text.replace(".", "%2E")


def open_remote(url: str, token: str | None) -> Api:
    """A connection to the server at `url`; copied from a browser it may name a page, whose path is left away.

    Raises:
        WrongUsage: the URL is none.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _bad_url(url) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise _bad_url(url)
    client = httpx.AsyncClient(
        base_url=parsed.copy_with(path=_PAGE.sub("", parsed.path) or "/", query=None, fragment=None),
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
    )
    return Api(client, asyncio.Runner())


def _bad_url(url: str) -> WrongUsage:
    return WrongUsage(
        f"FASTFLOW_URL = {without_credentials(url)[:200]!r} is not the address of a server.",
        hint="Write it as http://host:8000 or https://host.",
        fields={"FASTFLOW_URL": "not an http or https URL"},
    )
