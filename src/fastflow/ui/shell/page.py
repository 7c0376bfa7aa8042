"""One open page: who looks at it, in which language, and how it hears, acts and tells what failed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments
from starlette.requests import Request

from fastflow.kernel.http.access import Authenticate, read_cookie, require_admin
from fastflow.kit.errors import FastFlowError, Unauthenticated
from fastflow.kit.identity import Actor, Role
from fastflow.ui.gate import ACTOR
from fastflow.ui.hints import as_told, problem_as_told
from fastflow.ui.live import Happening, Hub, concerns
from fastflow.ui.manifest import BASE as BASE  # noqa: PLC0414 - pages take it from here
from fastflow.ui.markup import Html, join
from fastflow.ui.texts import Data, Phrase, Texts

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger("fastflow.ui")

_PRESSED = """(event) => {
  const button = event.target.closest("button[data-act]");
  if (button) emit(button.dataset.act, button.dataset.of || "");
}"""
_FILLED = """(event) => {
  const field = event.target.closest("[data-of]");
  if (field) emit(field.dataset.at || "", field.dataset.of, field.value);
}"""
_ZONE_COOKIE = "fastflow_zone"
_GATHER_SECONDS = 0.3
"""What happens within this time is shown by one look."""


class Fragment:
    """A piece of HTML on a page, which is sent again only when it has changed."""

    def __init__(self, html: Html, tag: str = "div", cls: str = "") -> None:
        self._element = ui.html(html, sanitize=False, tag=tag).classes(cls)
        self._shown = html

    def show(self, html: Html) -> None:
        """Show this in its place."""
        if html != self._shown:
            self._shown = html
            self._element.set_content(html)

    def on_press(self, page: "Page", does: Mapping[str, Callable[[str], Awaitable[None]]]) -> None:
        """Let its buttons do something: one with `data-act="NAME"` does what that name stands for, with its `data-of`."""

        async def do(event: GenericEventArguments) -> None:
            name, of = (str(each) for each in event.args)
            if name in does:
                await does[name](of)

        act = page.act(do)

        async def press(event: GenericEventArguments) -> None:  # the framework hands over what is named alone
            await act(event)

        self._element.on("click", press, js_handler=_PRESSED)

    def on_change(self, page: "Page", do: Callable[[str, str, str], Awaitable[None]]) -> None:
        """Hear what is filled in in it: the field's `data-at`, its `data-of`, and its value."""
        act = page.act(do)

        async def hear(event: GenericEventArguments) -> None:
            at, of, value = (str(each) for each in event.args)
            await act(at, of, value)

        self._element.on("change", hear, js_handler=_FILLED)


class Page:
    """What a page's content is built with.

    Attributes:
        t: the words, in the reader's language.
        actor: who opened it; may have changed since, see `who`.
        params: of its path.
        query: of its address.
        zone: the reader's own, as the browser said; UTC until it has.
    """

    def __init__(self, request: Request, t: Texts, *, authenticate: Authenticate, hub: Hub) -> None:
        self.t = t
        self.actor: Actor = request.scope[ACTOR]
        self.params: Mapping[str, str] = request.path_params
        self.query: Mapping[str, str] = request.query_params
        self.path = request.url.path
        self.zone = zone_of(request)
        self._request = request
        self._authenticate = authenticate
        self._hub = hub
        self.client = ui.context.client

    async def who(self) -> Actor:
        """Who the session belongs to now, with the rights they have now: asked before everything that is done.

        Raises:
            Unauthenticated: the session has ended.
        """
        answer = self._authenticate(self._request)
        return answer if isinstance(answer, Actor) else await answer

    async def administrator(self) -> Actor:
        """As `who`, for what only those may see and do who administer everything.

        Raises:
            Unauthenticated: the session has ended.
            Forbidden: they do not administer everything.
        """
        return require_admin(await self.who())

    @property
    def cookie(self) -> str | None:
        """Of the session that opened it."""
        return read_cookie(self._request)

    @property
    def origin(self) -> str:
        """Where the browser found the server, such as `https://flow.example.org`."""
        url = self._request.url
        return f"{url.scheme}://{url.netloc}"

    def may(self, role: Role, pipeline_name: str | None = None) -> bool:
        """Whether to offer something; whether it is allowed, the service decides."""
        if pipeline_name is None:
            return self.actor.highest_role >= role
        return self.actor.may_touch(pipeline_name, role)

    def may_everywhere(self, role: Role) -> bool:
        """Whether to offer what concerns every pipeline; whether it is allowed, the service decides."""
        return self.actor.reach(role) is None

    async def ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer of a service, computed in a thread."""
        return await asyncio.to_thread(function, *args, **kwargs)

    def live(
        self,
        refresh: Callable[[], Awaitable[None]],
        *,
        run_id: str | None = None,
        pipeline_name: str | None = None,
        kinds: Collection[str] | None = ("state",),
        every: float | None = None,
    ) -> None:
        """Look again whenever something happened.

        Args:
            refresh: brings the page up to date.
            run_id: only what happens to this run.
            pipeline_name: only what happens to this pipeline's runs.
            kinds: only events of these kinds; None: all.
            every: also after so many seconds, for what no event tells of.
        """
        watch = _Watch(self, refresh)

        def hear(happened: Sequence[Happening]) -> None:
            if concerns(happened, run_id=run_id, pipeline_name=pipeline_name, kinds=kinds):
                watch.look()

        self.client.on_delete(self._hub.subscribe(hear))
        if every is not None:
            ui.timer(every, watch.look, immediate=False)

    def act(self, do: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """A handler that tells what went wrong, with what can be done about it."""

        async def handler(*args: Any) -> None:
            try:
                await do(*args)
            except Unauthenticated:
                self.log_in_again()
            except FastFlowError as error:
                self.tell_problem(error)
            except Exception:  # noqa: BLE001  # told on the page, and in the log
                _log.exception("ui.action_failed", extra={"fields": {"page": self.path}})
                toast(self.t("shell.unforeseen"), self.t("shell.unforeseen_hint"), is_problem=True)

        return handler

    def tell_problem(self, error: FastFlowError) -> None:
        """Say that something failed."""
        toast(problem_as_told(self.t, error), as_told(self.t, error.hint), is_problem=True)

    def tell(self, phrase: Phrase) -> None:
        """Say that something was done."""
        toast(phrase, "", is_problem=False)

    def go(self, path: str) -> None:
        """Open another page of ours."""
        self.client.open(path)  # which the framework takes to be below its own

    def log_in_again(self) -> None:
        """The session has ended: ask for a login, and come back."""
        self.client.open(f"/login?to={quote(self.path, safe='/')}&ended=1")


def zone_of(request: Request) -> ZoneInfo:
    """The zone that the browser named in its cookie."""
    try:
        return ZoneInfo(request.cookies.get(_ZONE_COOKIE, "UTC"))
    except (ValueError, KeyError, OSError):  # made up, or not known here
        return ZoneInfo("UTC")


class _Watch:
    """Looks once for all that happens in a short time, and never twice at once."""

    def __init__(self, page: Page, refresh: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._refresh = refresh
        self._is_due = False
        self._is_looking = False

    def look(self) -> None:
        if self._is_due:
            return
        self._is_due = True
        if not self._is_looking:
            background_tasks.create(self._run(), name="ui refresh")

    async def _run(self) -> None:
        self._is_looking = True
        try:
            while self._is_due and not self._page.client.is_deleted:
                await asyncio.sleep(_GATHER_SECONDS)
                self._is_due = False
                await self._once()
        finally:
            self._is_looking = False

    async def _once(self) -> None:
        with self._page.client:
            try:
                await self._refresh()
            except Unauthenticated:
                self._page.log_in_again()
            except FastFlowError as error:  # the next look may succeed; the page says what it knew
                _log.warning("ui.not_refreshed", extra={"fields": {"page": self._page.path, "error": error.message}})


def toast(message: str, hint: str, *, is_problem: bool) -> None:
    """A note that goes by itself; a problem stays longer and can be closed."""
    has_marks = isinstance(message, Html) or isinstance(hint, Html)
    ui.notify(
        join(_as_child(message)) if has_marks else message,
        caption=join(_as_child(hint)) if has_marks else hint,
        html=has_marks,
        position="bottom-right",
        timeout=12_000 if is_problem else 3_000,
        close_button="✕" if is_problem else False,
        classes="toast problem" if is_problem else "toast",
        attrs={"role": "alert" if is_problem else "status"},
    )


def _as_child(text: str) -> Html | Data:
    return text if isinstance(text, Html) else Data(text)
