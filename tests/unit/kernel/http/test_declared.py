"""Unknown query parameters are refused, on every route, after whoever needs credentials has shown them."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query, Request
from pydantic import BaseModel, SecretStr

from fastflow.kernel.http.access import Viewer
from fastflow.kernel.http.app import build_app
from fastflow.kernel.http.declared import field_at, query_names
from fastflow.kernel.http.params import Cursor, Limit
from fastflow.kernel.http.schemas import RequestBody
from fastflow.kit.errors import Unauthenticated
from fastflow.kit.identity import SYSTEM, Actor
from fastflow.testing.http import client_of


class _Inner(BaseModel):
    secret: SecretStr
    names: list[str] = []


class _Body(RequestBody):
    title: str
    inner: _Inner | None = None


class _Answer(BaseModel):
    ok: bool = True


def _authenticate(request: Request) -> Actor:
    if request.headers.get("as") is None:
        raise Unauthenticated("Who are you?")
    return SYSTEM


def _app() -> FastAPI:
    router = APIRouter(tags=["things"])

    @router.get("/open")
    def get_open() -> _Answer:
        return _Answer()

    @router.get("/things")
    def list_things(
        _actor: Viewer,
        cursor: Cursor = None,
        limit: Limit = 3,
        from_: Annotated[int | None, Query(alias="from")] = None,
    ) -> _Answer:
        return _Answer(ok=limit > 0 and (cursor is None or from_ is not None))

    @router.post("/things")
    def make_thing(body: _Body) -> _Answer:
        return _Answer(ok=bool(body.title))

    return build_app([router], authenticate=_authenticate)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(_app()) as started:
        yield started


async def test_query_when_a_name_is_misspelt_then_the_near_one_and_the_known_ones_are_told(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/things?limt=3", headers={"as": "me"})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "unknown_query_parameter")
    assert problem["detail"] == "'limt' is no query parameter of this path. Did you mean 'limit'?"
    assert problem["hint"] == "It takes cursor, from, limit."
    assert list(problem["fields"]) == ["limt"]


async def test_query_when_several_are_unknown_then_each_is_a_field(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/open?a=1&b=2&a=3")).json()
    assert problem["detail"] == "'a', 'b' are no query parameters of this path."
    assert (problem["hint"], set(problem["fields"])) == ("It takes none.", {"a", "b"})


async def test_query_when_every_name_is_known_then_nothing_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/things?limit=3&cursor=&from=2", headers={"as": "me"})).status_code == 200
    assert (await client.get("/open")).status_code == 200
    assert (await client.get("/open?")).status_code == 200


async def test_query_when_the_caller_has_no_credentials_then_nothing_is_said_of_it(client: httpx.AsyncClient) -> None:
    assert (await client.get("/things?limt=3")).status_code == 401


def route(app: FastAPI, endpoint: str) -> Any:
    included = [inner for router in app.routes for inner in getattr(router, "effective_candidates", list)()]
    contexts = [*app.routes, *(getattr(each, "original_route", each) for each in included)]
    return next(found for found in contexts if getattr(found, "name", None) == endpoint)


def test_query_names_when_asked_of_a_route_then_they_are_those_on_the_wire() -> None:
    assert query_names(route(_app(), "list_things")) == {"cursor", "limit", "from"}
    assert query_names(route(_app(), "make_thing")) == frozenset()


def test_field_at_when_given_a_location_then_the_nearest_declaration() -> None:
    listing, making = route(_app(), "list_things"), route(_app(), "make_thing")
    assert field_at(listing, ("query", "limit")) is not None
    assert field_at(listing, ("query", "nothing")) is None
    title = field_at(making, ("body", "title"))
    secret = field_at(making, ("body", "inner", "secret"))
    names = field_at(making, ("body", "inner", "names", 0))
    assert title is not None and title.annotation is str
    assert secret is not None and secret.annotation is SecretStr
    assert names is not None and names.annotation == list[str]
    assert field_at(None, ("query", "limit")) is None
