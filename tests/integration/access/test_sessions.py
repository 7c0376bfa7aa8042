"""Sessions are hard to steal, to forge and to forget: cookies, CSRF tokens, limits, the list of one's own."""

import asyncio

import httpx
import pytest

from fastflow.kernel.http.access import SESSION_COOKIE
from fastflow.kit.errors import Forbidden
from fastflow.kit.identity import Actor, Role
from fastflow.testing.access import PASSWORD, AccessRooms
from fastflow.testing.clock import FakeClock
from fastflow.testing.http import client_of


async def _login(client: httpx.AsyncClient, name: str = "ann") -> str:
    answer = await client.post("/auth/login", json={"name": name, "password": PASSWORD})
    return str(answer.json()["csrf_token"])


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_cookie_when_over_https_is_for_this_host_and_https_alone(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann")
    anonymous.base_url = httpx.URL("https://fastflow.test")
    answer = await anonymous.post("/auth/login", json={"name": "ann", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"__Host-{SESSION_COOKIE}=")
    assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert (await anonymous.get("/auth/me")).status_code == 200
    planted = {"Cookie": f"{SESSION_COOKIE}={answer.cookies['__Host-' + SESSION_COOKIE]}"}
    async with client_of(rooms.app) as other:
        other.base_url = anonymous.base_url
        assert (await other.get("/auth/me", headers=planted)).status_code == 401, "a sibling domain can set this one"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_change_when_the_csrf_token_is_missing_or_wrong_is_refused(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann", Role.ADMIN)
    token = await _login(anonymous)
    assert (await anonymous.get("/auth/me")).json()["csrf_token"] == token
    body = {"name": "bob", "password": PASSWORD, "role": "viewer"}
    async with client_of(rooms.app) as other:
        foreign = await _login(other)
    for headers, code in (
        ({}, "csrf_token_missing"),
        ({"X-CSRF-Token": ""}, "csrf_token_wrong"),
        ({"X-CSRF-Token": foreign}, "csrf_token_wrong"),
        ({"X-CSRF-Token": "ä"}, "csrf_token_wrong"),
    ):
        for method, path in (("POST", "/users"), ("DELETE", "/users/ann"), ("POST", "/auth/logout")):
            given = [(name.encode(), value.encode()) for name, value in headers.items()]
            refused = await anonymous.request(method, path, json=body, headers=given)
            assert (refused.status_code, refused.json()["code"]) == (403, code), (method, path)
    assert (await anonymous.post("/users", json=body, headers={"X-CSRF-Token": token})).status_code == 201
    async with client_of(rooms.app, token=rooms.token()) as program:
        assert (await program.delete("/users/bob")).status_code == 204, "a bearer token needs none"


async def test_session_when_not_used_ends_and_when_used_goes_on(
    rooms: AccessRooms, anonymous: httpx.AsyncClient, clock: FakeClock
) -> None:
    rooms.user("ann")
    await _login(anonymous)
    cookie = anonymous.cookies[SESSION_COOKIE]
    for _ in range(3):
        clock.advance(7200 - 1)
        assert rooms.logins.find_session(cookie) is not None
    clock.advance(7200)
    assert rooms.logins.find_session(cookie) is None
    assert (await anonymous.get("/auth/sessions")).status_code == 401


async def test_login_when_there_was_a_session_ends_it(rooms: AccessRooms, anonymous: httpx.AsyncClient) -> None:
    rooms.user("ann")
    await _login(anonymous)
    first = anonymous.cookies[SESSION_COOKIE]
    await _login(anonymous)
    assert anonymous.cookies[SESSION_COOKIE] != first
    assert rooms.logins.find_session(first) is None


async def test_login_when_there_was_a_session_of_another_user_then_the_audit_log_says_whose(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann")
    rooms.user("bob")
    await _login(anonymous)
    await _login(anonymous, "bob")
    entries = await asyncio.to_thread(rooms.audit.list, limit=100)
    ended = [(entry.actor, entry.subject) for entry in entries.items if entry.action == "user.logout"]
    assert ended == [("user:bob", "ann")]


async def test_sessions_when_listed_are_ones_own_and_can_be_ended(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann")
    rooms.user("bob")
    async with client_of(rooms.app, address="192.0.2.7") as other, client_of(rooms.app) as bob:
        other.headers["User-Agent"] = "telephone"
        await _login(other)
        await _login(bob, "bob")
        anonymous.headers["X-CSRF-Token"] = await _login(anonymous)
        items = (await anonymous.get("/auth/sessions")).json()["items"]
        assert [(one["address"], one["is_current"], one["method"]) for one in items] == [
            ("192.0.2.7", False, "password"),
            ("127.0.0.1", True, "password"),
        ]
        assert items[0]["user_agent"] == "telephone"
        (of_bob,) = (await bob.get("/auth/sessions")).json()["items"]
        foreign = await anonymous.delete(f"/auth/sessions/{of_bob['id']}")
        assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown_session")
        assert (await anonymous.delete(f"/auth/sessions/{items[0]['id']}")).status_code == 204
        assert (await other.get("/auth/me")).status_code == 401
        await _login(other)
        assert (await anonymous.delete("/auth/sessions")).status_code == 204
        assert (await other.get("/auth/me")).status_code == 401
        assert (await anonymous.get("/auth/me")).status_code == 200
        assert (await bob.get("/auth/me")).status_code == 200
    entries = await asyncio.to_thread(rooms.audit.list, limit=100)
    assert sum(entry.action == "user.end_session" for entry in entries.items) == 2


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_sessions_when_asked_for_by_a_token_are_told_not_to_be(
    rooms: AccessRooms, admin: httpx.AsyncClient
) -> None:
    answer = await admin.get("/auth/sessions")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_password")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_sessions_of_somebody_when_an_administrator_asks_are_seen_and_ended(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann")
    await _login(anonymous)
    root = Actor(name="user:root", role=Role.ADMIN)
    seen = await asyncio.to_thread(rooms.logins.list_sessions_of, "ann", actor=root)
    assert [(one.method, one.is_current) for one in seen.items] == [("password", False)]
    with pytest.raises(Forbidden):
        await asyncio.to_thread(rooms.logins.end_sessions_of, "ann", actor=Actor(name="user:op", role=Role.OPERATOR))
    assert await asyncio.to_thread(rooms.logins.end_sessions_of, "ann", actor=root) == 1
    assert not (await asyncio.to_thread(rooms.logins.list_sessions_of, "ann", actor=root)).items
