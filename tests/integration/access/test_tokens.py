"""Bearer tokens: shown once, limited in rights and time, revoked at once."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from fastflow.kernel.db.engine import Database
from fastflow.kit.errors import Forbidden
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.testing.access import AccessRooms
from fastflow.testing.clock import FakeClock
from fastflow.testing.http import client_of

UNKNOWN_ID = "01890f7e-7c4b-7cc0-8000-000000000000"


async def test_token_when_made_is_shown_once_and_works(
    rooms: AccessRooms, admin: httpx.AsyncClient, database: Database
) -> None:
    made = await admin.post("/tokens", json={"name": "ci", "role": "operator", "pipelines": ["rfm"]})
    assert made.status_code == 201
    token = made.json()["token"]
    assert token.startswith("ff_")
    assert len(token) == 46
    listed = await admin.get("/tokens")
    assert "ci" in listed.text
    assert token not in listed.text
    async with client_of(rooms.app, token=token) as client:
        me = (await client.get("/auth/me")).json()
    assert me == {
        "name": "token:ci",
        "role": "operator",
        "pipelines": ["rfm"],
        "grants": [],
        "csrf_token": None,
        "is_from_provider": False,
        "must_change_password": False,
    }
    with database.read() as connection:
        kept = connection.execute(text("SELECT * FROM api_token")).all()
    assert token not in str(kept)


async def test_token_when_revoked_is_refused_at_once_in_this_process(
    rooms: AccessRooms, admin: httpx.AsyncClient
) -> None:
    made = (await admin.post("/tokens", json={"name": "ci", "role": "viewer"})).json()
    async with client_of(rooms.app, token=made["token"]) as client:
        assert (await client.get("/secrets")).status_code == 200
        assert (await admin.delete(f"/tokens/{made['id']}")).status_code == 204
        refused = await client.get("/secrets")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert (await admin.delete(f"/tokens/{made['id']}")).status_code == 404


async def test_token_when_revoked_by_another_process_is_believed_for_two_seconds_at_most(
    rooms: AccessRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(rooms.authenticator, "_now", lambda: now[0])
    token, secret = rooms.tokens.create("ci", Role.VIEWER, actor=SYSTEM)
    async with client_of(rooms.app, token=secret.reveal()) as client:
        assert (await client.get("/secrets")).status_code == 200
        rooms.tokens.delete(token.id, actor=SYSTEM)
        now[0] += 1.9
        assert (await client.get("/secrets")).status_code == 200
        now[0] += 0.2
        assert (await client.get("/secrets")).status_code == 401


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_token_when_expired_is_refused(rooms: AccessRooms, clock: FakeClock) -> None:
    ends = clock.now() + timedelta(hours=1)
    _, secret = rooms.tokens.create("ci", Role.VIEWER, expires_at=ends, actor=SYSTEM)
    clock.advance(3599)
    assert rooms.tokens.find(secret.reveal()) is not None
    clock.advance(1)
    assert rooms.tokens.find(secret.reveal()) is None


def test_token_when_used_often_is_noted_once_a_minute(rooms: AccessRooms, clock: FakeClock) -> None:
    _, secret = rooms.tokens.create("ci", Role.VIEWER, actor=SYSTEM)
    start = clock.now()

    def last_used() -> object:
        return rooms.tokens.list().items[0].last_used_at

    assert last_used() is None
    for seconds, expected in ((0, 0), (59, 0), (1, 60), (30, 60)):
        clock.advance(seconds)
        rooms.tokens.find(secret.reveal())
        assert last_used() == start + timedelta(seconds=expected)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer x", "Bearer ff_" + "a" * 43, "Basic YTpi", "ff_abc", "", "Bearer ff_\u00ff"]
)
async def test_credentials_when_wrong_are_refused_even_beside_a_session(
    rooms: AccessRooms, anonymous: httpx.AsyncClient, header: str
) -> None:
    answer = await anonymous.get("/auth/me", headers=[(b"Authorization", header.encode("latin-1"))])
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": "", "role": "viewer"}, 422, "name"),
        ({"name": "ci", "role": "owner"}, 422, "role"),
        ({"name": "ci", "role": "viewer", "pipelines": []}, 422, "pipelines"),
        ({"name": "ci", "role": "viewer", "pipelines": ["../x"]}, 422, "pipelines"),
        ({"name": "ci", "role": "admin", "pipelines": ["rfm"]}, 422, "pipelines"),
        ({"name": "ci", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}, 422, "expires_at"),
        ({"name": "ci", "role": "viewer", "expires_at": "2099-01-01T00:00:00"}, 422, "expires_at"),
        ({"name": "ci", "role": "viewer", "expires_at": "0001-01-01T00:00:00+14:00"}, 422, "expires_at"),
        ({"name": "ci", "role": "viewer", "expires_at": "soon"}, 422, "expires_at"),
    ],
)
async def test_token_when_unusable_is_refused_naming_the_field(
    admin: httpx.AsyncClient, body: dict[str, object], status: int, field: str
) -> None:
    answer = await admin.post("/tokens", json=body)
    assert answer.status_code == status
    assert field in answer.json()["fields"]


async def test_token_when_its_name_is_taken_is_refused(admin: httpx.AsyncClient) -> None:
    body = {"name": "ci", "role": "viewer"}
    assert (await admin.post("/tokens", json=body)).status_code == 201
    answer = await admin.post("/tokens", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "token_exists")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("token_id", "status"), [("x", 422), ("..", 404), (UNKNOWN_ID, 404)])
async def test_token_when_unknown_is_told(admin: httpx.AsyncClient, token_id: str, status: int) -> None:
    assert (await admin.delete(f"/tokens/{token_id}")).status_code == status


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_token_when_it_would_be_allowed_more_than_its_maker_is_refused(rooms: AccessRooms) -> None:
    operator = Actor(name="user:op", role=Role.OPERATOR)
    with pytest.raises(Forbidden, match="cannot grant"):
        rooms.tokens.create("x", Role.ADMIN, actor=operator)
    scoped = Actor(name="token:rfm", role=Role.OPERATOR, pipelines=["rfm"])
    for wider in (None, ("rfm", "other")):
        with pytest.raises(Forbidden, match="scope"):
            rooms.tokens.create("x", Role.VIEWER, pipelines=wider, actor=scoped)
    assert rooms.tokens.create("x", Role.VIEWER, pipelines=("rfm",), actor=scoped)[0].pipelines == ("rfm",)


async def test_token_when_sent_by_many_at_once_is_looked_up_without_error(rooms: AccessRooms) -> None:
    async with client_of(rooms.app, token=rooms.token(Role.VIEWER)) as client:
        answers = await asyncio.gather(*(client.get("/secrets") for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}
