"""Roles are compared, scopes keep out of administration, and pages of other sites cannot use a session."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Request

from fastflow.kernel.http.access import Admin, Operator, Viewer, refuse_forgery
from fastflow.kernel.http.app import build_app
from fastflow.kit.errors import Forbidden
from fastflow.kit.identity import Actor, Role
from fastflow.testing.http import client_of

_ROLES = {"viewer": Role.VIEWER, "operator": Role.OPERATOR, "admin": Role.ADMIN}


def _authenticate(request: Request) -> Actor:
    scope = request.headers.get("x-scope")
    return Actor(name="token:t", role=_ROLES[request.headers["x-role"]], pipelines=[scope] if scope else None)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter()

    @router.get("/viewer")
    def view(actor: Viewer) -> str:
        return actor.name

    @router.get("/operator")
    def operate(actor: Operator) -> str:
        return actor.name

    @router.get("/admin")
    def administer(actor: Admin) -> str:
        return actor.name

    async with client_of(build_app([router], authenticate=_authenticate)) as started:
        yield started


@pytest.mark.parametrize("needed", _ROLES)
@pytest.mark.parametrize("given", _ROLES)
async def test_endpoint_when_called_with_a_role_lets_in_that_role_and_higher(
    client: httpx.AsyncClient, given: str, needed: str
) -> None:
    answer = await client.get(f"/{needed}", headers={"X-Role": given})
    if _ROLES[given] >= _ROLES[needed]:
        assert (answer.status_code, answer.json()) == (200, "token:t")
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert needed in answer.json()["hint"]


async def test_admin_when_limited_to_pipelines_cannot_administer(client: httpx.AsyncClient) -> None:
    answer = await client.get("/admin", headers={"X-Role": "admin", "X-Scope": "rfm"})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_too_narrow")


async def test_authentication_when_it_has_to_wait_is_awaited() -> None:
    router = APIRouter()

    @router.get("/viewer")
    def view(actor: Viewer) -> str:
        return actor.name

    async def later(_request: Request) -> Actor:
        return Actor(name="user:late", role=Role.VIEWER)

    async with client_of(build_app([router], authenticate=later)) as client:
        assert (await client.get("/viewer")).json() == "user:late"


def _request(method: str, **headers: str) -> Request:
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    return Request(scope)


@pytest.mark.parametrize(
    "request_",
    [
        _request("GET", sec_fetch_site="cross-site"),
        _request("POST", sec_fetch_site="same-origin"),
        _request("POST", sec_fetch_site="none"),
        _request("POST", origin="http://ff.example:8000", host="ff.example:8000"),
        _request("POST", host="ff.example"),
    ],
)
def test_request_when_it_comes_from_our_own_pages_or_no_browser_is_let_through(request_: Request) -> None:
    refuse_forgery(request_)


@pytest.mark.parametrize(
    "request_",
    [
        _request("POST", sec_fetch_site="cross-site"),
        _request("DELETE", sec_fetch_site="same-site"),
        _request("PUT", origin="http://evil.example", host="ff.example"),
        _request("PATCH", origin="http://ff.example:81", host="ff.example:80"),
        _request("POST", origin="null", host="ff.example"),
        _request("POST", sec_fetch_site="cross-site", origin="http://ff.example", host="ff.example"),
    ],
)
def test_request_when_it_comes_from_another_site_is_refused(request_: Request) -> None:
    with pytest.raises(Forbidden) as caught:
        refuse_forgery(request_)
    assert caught.value.code == "cross_site_request"
