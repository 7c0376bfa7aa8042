"""Logging in, staying logged in, and being kept out."""

import asyncio

import httpx
import pytest

from fastflow.kernel.http.access import SESSION_COOKIE
from fastflow.kernel.users.service.logins import FAILURES_PER_ADDRESS, FAILURES_PER_USER, WINDOW_SECONDS
from fastflow.kit.identity import Role
from fastflow.testing.access import PASSWORD, AccessRooms
from fastflow.testing.clock import FakeClock
from fastflow.testing.http import client_of

NEW_PASSWORD = "another horse battery"


async def _login(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> httpx.Response:
    answer = await client.post("/auth/login", json={"name": name, "password": password})
    if answer.status_code == 200:
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer


async def _count(rooms: AccessRooms, action: str) -> int:
    entries = await asyncio.to_thread(rooms.audit.list, limit=500)
    return sum(entry.action == action for entry in entries.items)


async def test_login_when_right_sets_a_cookie_that_scripts_cannot_read_and_that_works(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann", Role.OPERATOR)
    answer = await _login(anonymous, " Ann ")
    assert (answer.status_code, answer.json()["role"]) == (200, "operator")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{SESSION_COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert anonymous.cookies[SESSION_COOKIE] not in answer.text
    me = (await anonymous.get("/auth/me")).json()
    assert me == {
        "name": "user:ann",
        "role": "operator",
        "pipelines": None,
        "grants": [],
        "csrf_token": answer.json()["csrf_token"],
        "is_from_provider": False,
        "must_change_password": False,
    }
    assert await _count(rooms, "user.login") == 1


async def test_login_when_wrong_answers_the_same_for_known_and_unknown_names(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann")
    for password in ("wrong", "", "x" * 200):
        known, unknown = await _login(anonymous, "ann", password), await _login(anonymous, "nobody", password)
        assert (known.status_code, known.json()["code"]) == (401, "login_refused")
        assert known.content == unknown.content
        assert "set-cookie" not in known.headers
    assert await _count(rooms, "user.login_refused") == 6
    subjects = {entry.subject for entry in rooms.audit.list().items if entry.action == "user.login_refused"}
    assert subjects == {"ann", "(unknown)"}, "a name nobody has may be a mistyped password"


async def test_login_when_the_name_is_odd_is_refused_like_any_other(anonymous: httpx.AsyncClient) -> None:
    for name in ("\x1b[0m", "a\nb", "' OR 1=1 --", "ä" * 100, "", "\u202e"):
        assert (await _login(anonymous, name)).status_code == 401, name


async def test_login_when_a_text_is_no_unicode_is_refused(anonymous: httpx.AsyncClient) -> None:
    for body in (
        b'{"name": "\\ud800", "password": "x"}',
        b'{"name": "ann", "password": "\\ud800"}',
        b'{"name": "\\u0000", "password": "x"}',
    ):
        answer = await anonymous.post("/auth/login", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422


async def test_login_when_one_name_fails_too_often_waits_until_the_window_has_passed(
    rooms: AccessRooms, anonymous: httpx.AsyncClient, clock: FakeClock
) -> None:
    rooms.user("ann")
    for _ in range(FAILURES_PER_USER):
        assert (await _login(anonymous, "ann", "wrong")).status_code == 401
        clock.advance(10)
    refused = await _login(anonymous, "ann")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_logins"), "the right password as well"
    wait = int(refused.headers["retry-after"])
    assert wait == WINDOW_SECONDS - 10 * FAILURES_PER_USER
    clock.advance(wait - 1)
    assert (await _login(anonymous, "ann")).status_code == 429
    clock.advance(1)
    assert (await _login(anonymous, "ann")).status_code == 200


async def test_login_when_one_address_fails_too_often_is_refused_there_and_nowhere_else(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann")
    for number in range(FAILURES_PER_ADDRESS):
        assert (await _login(anonymous, f"guess{number}", "wrong")).status_code == 401
    assert (await _login(anonymous, "ann")).status_code == 429
    async with client_of(rooms.app, address="192.0.2.7") as elsewhere:
        assert (await _login(elsewhere, "ann")).status_code == 200


async def test_login_when_right_takes_the_failures_of_its_name_back(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann")
    for _ in range(3):
        for _ in range(FAILURES_PER_USER - 1):
            assert (await _login(anonymous, "ann", "wrong")).status_code == 401
        assert (await _login(anonymous, "ann")).status_code == 200


async def test_login_when_guesses_are_sent_at_once_no_more_than_the_limit_is_tried(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann")
    answers = await asyncio.gather(*(_login(anonymous, "ann", f"guess {number}") for number in range(12)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(401), codes.count(429)) == (FAILURES_PER_USER, 12 - FAILURES_PER_USER)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_login_when_asked_for_by_a_page_of_another_site_is_refused(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann")
    answer = await anonymous.post(
        "/auth/login", json={"name": "ann", "password": PASSWORD}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_session_when_used_by_a_page_of_another_site_reads_but_changes_nothing(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("ann", Role.ADMIN)
    await _login(anonymous, "ann")
    body = {"name": "mallory", "password": PASSWORD, "role": "admin"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        answer = await anonymous.post("/users", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request")
    assert (await anonymous.post("/users", json=body, headers={"Sec-Fetch-Site": "same-origin"})).status_code == 201


async def test_session_when_logged_out_ends_at_once(rooms: AccessRooms, anonymous: httpx.AsyncClient) -> None:
    rooms.user("ann")
    await _login(anonymous, "ann")
    cookie = anonymous.cookies[SESSION_COOKIE]
    assert (await anonymous.get("/auth/me")).status_code == 200
    assert (await anonymous.post("/auth/logout")).status_code == 204
    assert SESSION_COOKIE not in anonymous.cookies
    again = await anonymous.get("/auth/me", headers={"Cookie": f"{SESSION_COOKIE}={cookie}"})
    assert (again.status_code, again.json()["code"]) == (401, "session_ended")
    assert await _count(rooms, "user.logout") == 1


async def test_session_when_its_time_is_over_ends(
    rooms: AccessRooms, anonymous: httpx.AsyncClient, clock: FakeClock
) -> None:
    rooms.user("ann")
    answer = await _login(anonymous, "ann")
    cookie = answer.cookies[SESSION_COOKIE]
    for _ in range(12):
        clock.advance(3600 - 1 / 12)
        assert rooms.logins.find_session(cookie) is not None
    clock.advance(1)
    assert rooms.logins.find_session(cookie) is None


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("cookie", ["x", "a" * 5000, "ff_abc", "%00"])
async def test_session_when_made_up_is_refused(anonymous: httpx.AsyncClient, cookie: str) -> None:
    answer = await anonymous.get("/auth/me", headers={"Cookie": f"{SESSION_COOKIE}={cookie}"})
    assert answer.status_code == 401


async def test_first_password_when_not_yet_replaced_allows_nothing_but_replacing_it(
    rooms: AccessRooms, anonymous: httpx.AsyncClient
) -> None:
    password = rooms.users.ensure_first_admin()
    assert password is not None
    answer = await _login(anonymous, "admin", password)
    assert (answer.status_code, answer.json()["must_change_password"]) == (200, True)
    for path in ("/users", "/secrets", "/audit", "/nowhere-else"):
        refused = await anonymous.get(path)
        assert refused.status_code in (403, 404)
    refused = await anonymous.get("/secrets")
    assert (refused.status_code, refused.json()["code"]) == (403, "password_change_required")
    assert (await anonymous.get("/auth/me")).json()["must_change_password"] is True
    changed = await anonymous.put("/auth/password", json={"current_password": password, "new_password": NEW_PASSWORD})
    assert changed.status_code == 200
    assert (await anonymous.get("/users")).status_code == 200
    assert (await _login(anonymous, "admin", password)).status_code == 401
    assert (await _login(anonymous, "admin", NEW_PASSWORD)).status_code == 200


async def test_password_when_changed_ends_every_other_session(rooms: AccessRooms, anonymous: httpx.AsyncClient) -> None:
    rooms.user("ann")
    async with client_of(rooms.app) as other:
        await _login(other, "ann")
        await _login(anonymous, "ann")
        assert (await other.get("/auth/me")).status_code == 200
        body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        assert (await anonymous.put("/auth/password", json=body)).status_code == 200
        assert (await other.get("/auth/me")).status_code == 401
        assert (await anonymous.get("/auth/me")).status_code == 200


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("current", "new", "status", "code"),
    [
        ("wrong password", NEW_PASSWORD, 401, "login_refused"),
        (PASSWORD, "short", 422, "weak_password"),
        (PASSWORD, PASSWORD, 422, "weak_password"),
        (PASSWORD, "x" * 201, 422, "invalid_input"),
    ],
)
async def test_password_when_the_change_is_wrong_stays(
    rooms: AccessRooms, anonymous: httpx.AsyncClient, current: str, new: str, status: int, code: str
) -> None:
    rooms.user("ann")
    await _login(anonymous, "ann")
    answer = await anonymous.put("/auth/password", json={"current_password": current, "new_password": new})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert new not in answer.text
    assert (await _login(anonymous, "ann")).status_code == 200


async def test_password_when_the_caller_is_a_token_cannot_change(admin: httpx.AsyncClient) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    answer = await admin.put("/auth/password", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_password")
