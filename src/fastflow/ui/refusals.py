"""What a browser shows when it was sent somewhere and something went wrong: a page, in place of the API's problem.

Only navigations to addresses of the interface and of logins are answered so, and only when the browser asks for HTML: whoever
calls the API gets `application/problem+json` as everywhere. The page of the login calls the API itself; it says so in a header
(`TOLD`), and gets the problem in its reader's language.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastflow.kernel.http.problems import MEDIA_TYPE

MakePage = Callable[[Request, Mapping[str, Any]], Response]
"""Makes the page out of the request and the problem."""
TOLD = "X-Fastflow-Told"
"""Sent by our own pages that show what the API says to them."""
_OF_THE_PROBLEM = ("content-type", "content-length", "content-security-policy")


class Refusals:
    """Puts a page in the place of a problem.

    Args:
        app: what answers.
        page: makes the page.
        paths: beginnings of the addresses that people are sent to.
    """

    def __init__(self, app: ASGIApp, *, page: MakePage, paths: Sequence[str]) -> None:
        self._app = app
        self._page = page
        self._paths = tuple(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one connection."""
        if scope["type"] != "http" or not (TOLD in Headers(scope=scope) or self._is_navigation(scope)):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def send_or_keep(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await self._send_page(scope, receive, send, start, body)

        await self._app(scope, receive, send_or_keep)

    def _is_navigation(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        is_page = headers.get("sec-fetch-mode", "navigate") == "navigate" and "text/html" in headers.get("accept", "")
        return scope["method"] == "GET" and is_page and scope["path"].startswith(self._paths)

    async def _send_page(self, scope: Scope, receive: Receive, send: Send, start: Message, body: bytes) -> None:
        page = self._page(Request(scope), json.loads(body))
        page.status_code = start["status"]
        kept = MutableHeaders(raw=[*page.raw_headers])
        for name, value in Headers(raw=start["headers"]).items():
            if name not in _OF_THE_PROBLEM and name not in kept:
                kept.append(name, value)
        page.raw_headers = kept.raw
        await page(scope, receive, send)


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith(MEDIA_TYPE)
