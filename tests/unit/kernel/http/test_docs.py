"""The pages that document the API, and what a browser without credentials sees instead."""

import httpx
import pytest
from fastapi import Request

from fastflow.kernel.http.app import build_app
from fastflow.kernel.http.docs import build_router
from fastflow.kit.errors import Forbidden, Unauthenticated
from fastflow.kit.identity import SYSTEM, Actor
from fastflow.testing.http import client_of

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


def authenticate(request: Request) -> Actor:
    who = request.headers.get("as")
    if who == "blocked":
        raise Forbidden("Change the password first.", code="password_change_required")
    if who is None:
        raise Unauthenticated("Who are you?")
    return SYSTEM


async def ask(path: str, **headers: str) -> httpx.Response:
    async with client_of(build_app([build_router()], authenticate=authenticate)) as client:
        return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_docs_when_a_browser_has_no_credentials_then_a_page_says_how_else_to_look(path: str) -> None:
    answer = await ask(path, accept=BROWSER)
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "fastflow openapi" in answer.text
    assert "Authorization: Bearer TOKEN" in answer.text
    assert "script" not in answer.text


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_docs_when_a_program_has_no_credentials_then_a_problem(path: str) -> None:
    answer = await ask(path, accept="application/json")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_docs_when_the_caller_may_not_yet_read_then_it_is_told_why() -> None:
    answer = await ask("/docs", accept=BROWSER, **{"as": "blocked"})
    assert (answer.status_code, answer.json()["code"]) == (403, "password_change_required")


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_docs_when_the_caller_may_read_then_they_are_shown(path: str) -> None:
    assert (await ask(path, accept=BROWSER, **{"as": "me"})).status_code == 200
