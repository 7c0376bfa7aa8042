from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from fastflow.kernel.http.problems import problem_response
from fastflow.ui.refusals import TOLD, Refusals

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9", "Sec-Fetch-Mode": "navigate"}


async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
    answer: Response = JSONResponse({})
    if scope["path"] != "/ui/fine":
        headers = {"Retry-After": "7", "Content-Security-Policy": "default-src 'none'"}
        answer = problem_response(403, detail="It <does> not.", code="forbidden", hint="Ask.", headers=headers)
    await answer(scope, receive, send)


def page(_: Request, problem: Mapping[str, Any]) -> Response:
    return HTMLResponse(f"page of {problem['code']}", headers={"Content-Security-Policy": "default-src 'self'"})


async def get(path: str, headers: Mapping[str, str], method: str = "GET") -> httpx.Response:
    app = Refusals(refuses, page=page, paths=("/ui/", "/auth/oidc/"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        return await client.request(method, path, headers=headers)


@pytest.mark.parametrize("path", ["/ui/runs", "/auth/oidc/callback"])
async def test_browser_when_it_is_refused_then_it_gets_a_page_with_the_status_and_one_policy(path: str) -> None:
    answer = await get(path, HTML)
    assert (answer.status_code, answer.text) == (403, "page of forbidden")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert (answer.headers["retry-after"], answer.headers["content-length"]) == ("7", str(len(answer.content)))


@pytest.mark.parametrize(
    ("path", "headers", "method"),
    [
        ("/ui/runs", {"Accept": "*/*"}, "GET"),
        ("/ui/runs", {**HTML, "Sec-Fetch-Mode": "cors"}, "GET"),
        ("/runs", HTML, "GET"),
        ("/auth/oidc/callback", HTML, "POST"),
    ],
)
async def test_others_when_they_are_refused_then_they_get_the_problem(
    path: str, headers: Mapping[str, str], method: str
) -> None:
    answer = await get(path, headers, method)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "It <does> not."


async def test_page_when_it_asks_for_its_own_words_then_whatever_it_called_is_told_by_it() -> None:
    answer = await get("/auth/login", {"Accept": "*/*", TOLD: "1"}, "POST")
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (403, "page of forbidden", "7")


async def test_browser_when_it_is_answered_then_nothing_is_changed() -> None:
    assert (await get("/ui/fine", HTML)).json() == {}
