"""The interface as one ASGI app. It is there from the start of the server, but costs nothing until somebody looks.

The login page and the static files need no framework. NiceGUI (16 MB, half a second) is imported in a thread as soon as the
login page or a page is asked for, so that it is ready before anybody has typed a password.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fastflow.kernel.http.access import Authenticate
from fastflow.kernel.http.page_figures import PageFigures
from fastflow.kernel.http.problems import MEDIA_TYPE
from fastflow.kit.errors import FastFlowError, Unavailable
from fastflow.ui.finding import find
from fastflow.ui.gate import ACTOR, POLICY, Gate, is_own_path
from fastflow.ui.hints import as_told, plain, problem_as_told
from fastflow.ui.live import Hub, Listen
from fastflow.ui.login import login_page, refusal_page
from fastflow.ui.manifest import BASE, Manifest
from fastflow.ui.refusals import TOLD
from fastflow.ui.texts import Catalogue, choose_language

LANGUAGE_COOKIE = "fastflow_language"
STATIC = Path(__file__).parent / "static"
_MOST_WANTED = 200
"""Letters; nobody types more into the palette."""
_SHELL_TEXTS = Path(__file__).parent / "shell" / "texts.toml"
_NOT_KEPT = {"Cache-Control": "no-store"}
_FOR_A_YEAR = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class Interface:
    """Everything below `/ui`.

    Args:
        manifests: the rooms.
        authenticate: says who asks.
        listen: opens the stream of all events.
        has_provider: whether logins with an OpenID Connect provider are set up.
    """

    def __init__(
        self, manifests: Sequence[Manifest], *, authenticate: Authenticate, listen: Listen, has_provider: bool
    ) -> None:
        self._manifests = manifests
        self._authenticate = authenticate
        self._has_provider = has_provider
        self._hub = Hub(listen)
        self._gate = Gate(self._dispatch, authenticate=authenticate, base=BASE, is_public=_is_public)
        self._pages: asyncio.Task[ASGIApp] | None = None
        self._ending = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one connection."""
        await self._gate(scope, receive, send)

    def end(self) -> None:
        """Let everything stop that runs for open pages. Call it in the event loop; may be called again."""
        self._hub.close()
        self._ending.set()

    def figures(self) -> PageFigures:
        """How much is open. May be called in any thread."""
        running = self._running
        if running is None or self._pages is None or not self._pages.done():
            return PageFigures()
        from fastflow.ui.shell.host import count_pages

        return PageFigures(open=count_pages(), tasks=len(asyncio.all_tasks(running.get_loop())))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The words of all rooms."""
        return Catalogue([_SHELL_TEXTS, *(manifest.texts for manifest in self._manifests)])

    @cached_property
    def version(self) -> str:
        """Changes with the static files, so that browsers may keep them for ever."""
        digest = hashlib.sha256()
        for path in sorted(STATIC.iterdir()):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:12]

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(BASE)
        answer: Response | ASGIApp
        if scope["type"] != "http":
            answer = await self._load()
        elif path == "":
            answer = RedirectResponse(f"{BASE}/", 308)
        elif path.startswith("/static/"):
            answer = await asyncio.to_thread(_static, path)
        elif path == "/find":
            answer = await asyncio.to_thread(self._find, Request(scope))
        elif path in ("/login", "/password"):
            await self._begin_loading()
            answer = await asyncio.to_thread(self._login, Request(scope), is_password=path == "/password")
        else:
            answer = await self._load()
        await answer(scope, receive, send)

    def _find(self, request: Request) -> Response:
        texts = self.catalogue.texts(language_of(request))
        wanted = request.query_params.get("q", "")[:_MOST_WANTED]
        groups = find(self._manifests, texts, request.scope[ACTOR], wanted)
        return JSONResponse({"groups": groups}, headers=_NOT_KEPT)

    def _login(self, request: Request, *, is_password: bool) -> Response:
        to = request.query_params.get("to", "")
        return login_page(
            self.catalogue.texts(language_of(request)),
            base=BASE,
            version=self.version,
            to=to if is_own_path(to, BASE) else f"{BASE}/",
            is_password=is_password,
            is_own=is_password and request.query_params.get("own") == "1",
            has_provider=self._has_provider,
            has_ended=request.query_params.get("ended") == "1",
        )

    def refusal(self, request: Request, problem: Mapping[str, Any]) -> Response:
        """The page that a browser shows in place of a problem, or the problem in the words of the page that asks for it."""
        t = self.catalogue.texts(language_of(request))
        error = FastFlowError(str(problem["detail"]), code=str(problem["code"]), hint=str(problem["hint"]))
        if TOLD in request.headers:
            told = {"detail": plain(problem_as_told(t, error)), "hint": plain(as_told(t, error.hint))}
            return JSONResponse({**problem, **told}, media_type=MEDIA_TYPE, headers=_NOT_KEPT)
        is_login = not request.url.path.startswith(f"{BASE}/")
        page = refusal_page(t, base=BASE, version=self.version, error=error, is_login=is_login)
        page.headers["Content-Security-Policy"] = POLICY
        return page

    async def _load(self) -> ASGIApp:
        return await asyncio.shield(await self._begin_loading())

    async def _begin_loading(self) -> "asyncio.Task[ASGIApp]":
        if self._pages is None or (self._pages.done() and self._pages.exception() is not None):
            self._pages = asyncio.create_task(self._open())  # noqa: TID251  # awaited by whoever asks for a page
        return self._pages

    async def _open(self) -> ASGIApp:
        await asyncio.to_thread(_import_framework)
        from fastflow.ui.shell.host import open_pages

        opened: asyncio.Future[ASGIApp] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(  # noqa: TID251  # ended by `end`
            open_pages(
                self._manifests,
                catalogue=self.catalogue,
                authenticate=self._authenticate,
                hub=self._hub,
                version=self.version,
                opened=opened,
                ending=self._ending,
            )
        )
        either: tuple[asyncio.Future[Any], ...] = (self._running, opened)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done() and not self._running.cancelled():
            self._running.result()  # what kept it from being opened
        if not opened.done():
            raise Unavailable("The server is ending.", code="server_ending", hint="Try again when it is back.")
        return opened.result()


def language_of(request: Request) -> str:
    """The reader's language."""
    return choose_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def _import_framework() -> None:
    import fastflow.ui.shell.host  # noqa: F401  # in a thread: half a second in which the server goes on answering


def _is_public(path: str) -> bool:
    return path in ("", "/login", "/password") or path.startswith(("/static/", "/_nicegui/"))


def _static(path: str) -> Response:
    name = path.rsplit("/", 1)[-1]
    found = next((each for each in STATIC.iterdir() if each.name == name), None)
    return PlainTextResponse("", 404) if found is None else FileResponse(found, headers=_FOR_A_YEAR)
