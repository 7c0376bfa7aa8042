"""Every error answers as a problem that names the field and the remedy, and gives nothing away."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field, SecretStr

from fastflow.kernel.http.app import build_app
from fastflow.kernel.http.problems import MEDIA_TYPE, response_to_error, status_of
from fastflow.kernel.http.schemas import RequestBody
from fastflow.kit import errors
from fastflow.kit.identity import SYSTEM
from fastflow.testing.http import client_of


class _Thing(RequestBody):
    name: str
    size: int = 0


class _Secret(RequestBody):
    name: str
    password: SecretStr = Field(max_length=20)


class _Answer(BaseModel):
    ok: bool


def _app() -> FastAPI:
    router = APIRouter(tags=["things"])

    @router.post("/things")
    def make(thing: _Thing) -> _Answer:
        return _Answer(ok=bool(thing.name))

    @router.put("/shelves/{name}")
    def put_up(name: str) -> _Answer:
        return _Answer(ok=bool(name))

    @router.delete("/shelves/{name}")
    def take_down(name: str) -> _Answer:
        return _Answer(ok=bool(name))

    @router.post("/secrets")
    def keep(secret: _Secret) -> _Answer:
        return _Answer(ok=bool(secret.name))

    @router.get("/fail/{kind}")
    def fail(kind: str) -> None:
        if kind == "secret":
            raise RuntimeError("password=hunter2")
        if kind == "bug":
            raise errors.Bug("an internal detail")
        if kind == "stray":
            raise errors.FastFlowError("An internal detail.", code="stray")
        if kind == "busy":
            raise errors.Unavailable("The database is away.", retry_after_seconds=1.2)
        raise errors.Unauthenticated("Who are you?")

    return build_app([router], authenticate=lambda _request: SYSTEM)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(_app()) as started:
        yield started


async def test_error_when_of_no_family_is_an_internal_one(client: httpx.AsyncClient) -> None:
    assert status_of(errors.FastFlowError("of no family")) == 500
    answer = await client.get("/fail/stray")
    assert (answer.status_code, answer.json()["code"]) == (500, "bug")


def test_leaf_when_its_family_is_nested_takes_the_nearest_status() -> None:
    class FileTooLarge(errors.TooLarge):
        pass

    assert status_of(FileTooLarge("too large")) == 413


def test_problem_when_answered_has_the_members_of_the_standard() -> None:
    answer = response_to_error(
        errors.Conflict(
            "It runs.", code="is_running", hint="Wait.", fields={"id": "runs"}, extra={"run": 1, "status": 0}
        )
    )
    assert answer.media_type == MEDIA_TYPE
    assert answer.status_code == 409
    assert json.loads(bytes(answer.body)) == {
        "type": "urn:fastflow:problem:is_running",
        "title": "Conflict with the current state",
        "status": 409,
        "detail": "It runs.",
        "code": "is_running",
        "hint": "Wait.",
        "fields": {"id": "runs"},
        "run": 1,
    }


async def test_retry_after_when_the_error_knows_it_is_whole_seconds_rounded_up(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fail/busy")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_missing_credentials_when_refused_say_how_to_authenticate(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fail/who")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("kind", ["secret", "bug"])
async def test_unexpected_error_when_raised_is_logged_under_an_id_and_shows_nothing(
    client: httpx.AsyncClient, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "fastflow.http"):
        answer = await client.get(f"/fail/{kind}")
    problem = answer.json()
    assert answer.status_code == 500
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert problem["code"] == "bug"
    assert "hunter2" not in answer.text
    assert "internal detail" not in answer.text
    record = caplog.records[-1]
    assert record.fields["error_id"] == problem["error_id"]  # type: ignore[attr-defined]  # our own extra
    assert record.exc_info


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "fields"),
    [
        (b"{bad", "application/json", 422, "invalid_json", {"body": "not valid JSON"}),
        (
            b'{"name": "x", "nmae": 1}',
            "application/json",
            422,
            "invalid_input",
            {"nmae": "is not a known field. Did you mean 'name'?"},
        ),
        (b"{}", "application/json", 422, "invalid_input", {"name": "is required"}),
        (b"", "application/json", 422, "invalid_input", {"body": "is required"}),
        (b"name=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type", {}),
        (b'{"name": "x"}', "text/plain", 415, "unsupported_media_type", {}),
        (b"\xff\xfe{}", "application/json", 422, "invalid_json", {"body": "not valid JSON"}),
        (b"[" * 100_000, "application/json", 400, "unreadable_request", {}),
        (b'{"name":"x","size":' + b"9" * 5000 + b"}", "application/json", 400, "unreadable_request", {}),
    ],
)
async def test_body_when_wrong_is_told_which_field_and_how(
    client: httpx.AsyncClient, body: bytes, content_type: str, status: int, code: str, fields: dict[str, str]
) -> None:
    answer = await client.post("/things", content=body, headers={"Content-Type": content_type})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["fields"]) == (status, code, fields)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert problem["hint"]


async def test_ill_typed_value_when_refused_is_told_with_what_is_wanted(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/things", json={"name": "x", "size": "many"})).json()
    assert problem["fields"] == {"size": "'many' is not a whole number"}
    assert problem["detail"] == "size: 'many' is not a whole number."


async def test_body_when_it_is_no_object_then_it_says_what_to_send(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/things", json=[1])).json()
    assert problem["fields"] == {"body": "is a list, not an object"}
    assert "JSON object" in problem["hint"]


async def test_secret_when_refused_in_any_form_is_not_repeated(client: httpx.AsyncClient) -> None:
    bodies: list[Any] = [
        {"name": "x", "password": ["hunter2"]},
        {"name": "x", "password": "hunter2" * 9},
        ["hunter2"],
        "hunter2",
        {"name": "x", "password": "ok", "pasword": "hunter2"},
    ]
    for body in bodies:
        answer = await client.post("/secrets", json=body)
        assert answer.status_code == 422
        assert "hunter2" not in answer.text


async def test_lone_surrogate_when_sent_as_a_field_name_does_not_break_the_answer(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/things", content=b'{"name": "x", "\\ud800": 1}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("unreadable_request", "invalid_input")


async def test_unknown_path_when_asked_for_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nothing/here")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_path")
    assert "/nothing/here" in answer.json()["detail"]


async def test_wrong_method_when_used_is_answered_with_the_allowed_ones(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things")
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "method_not_allowed", "POST")
    answer = await client.get("/shelves/a")
    assert (answer.status_code, answer.headers["allow"]) == (405, "PUT, DELETE")
    assert answer.json()["hint"] == "Possible there: PUT, DELETE."


async def test_trailing_slash_when_added_is_not_redirected(client: httpx.AsyncClient) -> None:
    assert (await client.post("/things/", json={"name": "x"}, follow_redirects=False)).status_code == 404
