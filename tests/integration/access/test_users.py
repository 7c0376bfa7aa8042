"""Administrators manage users, and there is always one who can."""

import asyncio
import threading
from pathlib import Path

import httpx
import pytest

from fastflow.kernel.db.engine import Database
from fastflow.kernel.users.domain.errors import LastAdmin
from fastflow.kit.errors import Conflict, FastFlowError
from fastflow.kit.identity import SYSTEM, Role
from fastflow.kit.secret_text import SecretText
from fastflow.testing.access import PASSWORD, AccessRooms, build_access_rooms
from fastflow.testing.clock import FakeClock
from fastflow.testing.http import client_of


def test_first_admin_when_made_gives_its_password_exactly_once(rooms: AccessRooms) -> None:
    password = rooms.users.ensure_first_admin()
    assert password is not None
    assert len(password) >= 16
    assert rooms.users.ensure_first_admin() is None
    user = rooms.users.get("admin")
    assert (user.role, user.must_change_password) == (Role.ADMIN, True)


def test_first_admin_when_two_processes_start_at_once_is_made_once(
    database: Database, data_dir: Path, clock: FakeClock
) -> None:
    starts = [build_access_rooms(database, data_dir, clock) for _ in range(6)]
    barrier, passwords = threading.Barrier(6), []

    def start(rooms: AccessRooms) -> None:
        barrier.wait(30)
        passwords.append(rooms.users.ensure_first_admin())

    threads = [threading.Thread(target=start, args=(rooms,)) for rooms in starts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(password is not None for password in passwords) == 1


async def test_user_when_created_changed_and_deleted_is_seen_in_list_and_audit(
    rooms: AccessRooms, admin: httpx.AsyncClient
) -> None:
    rooms.users.ensure_first_admin()
    body = {"name": "ann", "password": PASSWORD, "role": "viewer"}
    made = await admin.post("/users", json=body)
    assert (made.status_code, made.headers["location"]) == (201, "/users/ann")
    assert made.json()["must_change_password"] is True
    changed = await admin.patch("/users/ann", json={"role": "operator"})
    assert (changed.status_code, changed.json()["role"]) == (200, "operator")
    names = [user["name"] for user in (await admin.get("/users")).json()["items"]]
    assert names == ["admin", "ann"]
    assert (await admin.delete("/users/ann")).status_code == 204
    assert (await admin.delete("/users/ann")).status_code == 404
    entries = (await admin.get("/audit", params={"subject": "ann"})).json()["items"]
    assert [(e["action"], e["actor"], e["detail"], e["address"]) for e in entries] == [
        ("user.delete", "token:admin 0", {}, "127.0.0.1"),
        ("user.change", "token:admin 0", {"role": "operator"}, "127.0.0.1"),
        ("user.create", "token:admin 0", {"role": "viewer"}, "127.0.0.1"),
    ]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Ann Lee", "password": PASSWORD, "role": "viewer"}, "name"),
        ({"name": "ann", "password": "short", "role": "viewer"}, "password"),
        ({"name": "annabelle-lee", "password": "annabelle-lee", "role": "viewer"}, "password"),
        ({"name": "ann", "password": PASSWORD, "role": "root"}, "role"),
        ({"name": "ann", "password": PASSWORD}, "role"),
        ({"name": "ann", "password": PASSWORD, "role": "viewer", "is_admin": True}, "is_admin"),
        ({"name": None, "password": PASSWORD, "role": "viewer"}, "name"),
        ({"name": "a\u0000", "password": PASSWORD, "role": "viewer"}, "name"),
    ],
)
async def test_user_when_unusable_is_refused_naming_the_field(
    admin: httpx.AsyncClient, body: dict[str, object], field: str
) -> None:
    answer = await admin.post("/users", json=body)
    assert answer.status_code == 422
    assert field in answer.json()["fields"]
    assert (await admin.get("/users")).json()["items"] == []


async def test_user_when_the_name_is_taken_is_refused(rooms: AccessRooms, admin: httpx.AsyncClient) -> None:
    rooms.user("ann")
    answer = await admin.post("/users", json={"name": "ann", "password": PASSWORD, "role": "admin"})
    assert (answer.status_code, answer.json()["code"]) == (409, "user_exists")
    assert rooms.users.get("ann").role is Role.VIEWER


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["nobody", "..%2Fetc", "%F0%9F%92%A9", "x" * 100])
async def test_user_when_unknown_is_told(rooms: AccessRooms, admin: httpx.AsyncClient, name: str) -> None:
    answer = await admin.patch(f"/users/{name}", json={"role": "viewer"})
    assert answer.status_code == 404


@pytest.mark.parametrize("body", [{"role": "viewer"}, {"disabled": True}, None])
async def test_last_admin_when_to_be_demoted_disabled_or_deleted_stays(
    rooms: AccessRooms, admin: httpx.AsyncClient, body: dict[str, object] | None
) -> None:
    rooms.user("boss", Role.ADMIN)
    rooms.user("former", Role.ADMIN)
    rooms.users.change("former", disabled=True, actor=SYSTEM)
    answer = await (admin.delete("/users/boss") if body is None else admin.patch("/users/boss", json=body))
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    boss = rooms.users.get("boss")
    assert (boss.role, boss.disabled) == (Role.ADMIN, False)
    rooms.users.change("former", disabled=False, actor=SYSTEM)
    answer = await (admin.delete("/users/boss") if body is None else admin.patch("/users/boss", json=body))
    assert answer.is_success


def test_last_two_admins_when_demoted_at_once_one_stays(rooms: AccessRooms) -> None:
    rooms.user("one", Role.ADMIN)
    rooms.user("two", Role.ADMIN)
    barrier, outcomes = threading.Barrier(2), []

    def demote(name: str) -> None:
        barrier.wait(30)
        try:
            rooms.users.change(name, role=Role.VIEWER, actor=SYSTEM)
            outcomes.append("demoted")
        except LastAdmin:
            outcomes.append("refused")

    threads = [threading.Thread(target=demote, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["demoted", "refused"]


async def test_user_when_disabled_is_out_at_once_and_cannot_come_back(
    rooms: AccessRooms, admin: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("boss", Role.ADMIN)
    rooms.user("ann", Role.OPERATOR)
    login = {"name": "ann", "password": PASSWORD}
    await anonymous.post("/auth/login", json=login)
    assert (await anonymous.get("/auth/me")).status_code == 200
    assert (await admin.patch("/users/ann", json={"disabled": True})).json()["disabled"] is True
    assert (await anonymous.get("/auth/me")).status_code == 401
    answer = await anonymous.post("/auth/login", json=login)
    assert (answer.status_code, answer.json()["code"]) == (403, "account_disabled")
    wrong = await anonymous.post("/auth/login", json=login | {"password": "wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "login_refused"), "only the owner learns it"
    await admin.patch("/users/ann", json={"disabled": False})
    assert (await anonymous.post("/auth/login", json=login)).status_code == 200


async def test_password_when_set_by_an_admin_has_to_be_replaced(
    rooms: AccessRooms, admin: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("boss", Role.ADMIN)
    rooms.user("ann")
    answer = await admin.patch("/users/ann", json={"password": "given by the boss"})
    assert answer.json()["must_change_password"] is True
    await anonymous.post("/auth/login", json={"name": "ann", "password": "given by the boss"})
    assert (await anonymous.get("/secrets")).json()["code"] == "password_change_required"
    entries = (await admin.get("/audit", params={"action": "user.set_password", "actor": "token:admin 0"})).json()
    assert [entry["detail"] for entry in entries["items"]] == [{"must_change_password": True}]


async def test_role_when_changed_counts_for_sessions_already_begun(
    rooms: AccessRooms, admin: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    rooms.user("boss", Role.ADMIN)
    rooms.user("ann", Role.ADMIN)
    await anonymous.post("/auth/login", json={"name": "ann", "password": PASSWORD})
    assert (await anonymous.get("/users")).status_code == 200
    await admin.patch("/users/ann", json={"role": "viewer"})
    assert (await anonymous.get("/users")).status_code == 403


async def test_users_when_listed_come_in_pages_without_repeat_or_gap(
    rooms: AccessRooms, admin: httpx.AsyncClient
) -> None:
    names = [f"user{number:02}" for number in range(7)]
    for name in names:
        rooms.users.create(name, SecretText(PASSWORD), Role.VIEWER, actor=SYSTEM)
    seen, cursor = [], None
    while True:
        page = (await admin.get("/users", params={"limit": 3, **({"cursor": cursor} if cursor else {})})).json()
        seen += [user["name"] for user in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == names


async def test_list_when_the_cursor_or_limit_is_wrong_is_refused(admin: httpx.AsyncClient) -> None:
    wrong = [
        "cursor=garbage",
        "cursor=WyIAIl0",
        "cursor=WzFlMzBd",
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=" + "9" * 400,
    ]
    for path in ("/users", "/tokens", "/secrets", "/audit"):
        other = "cursor=WyJhIl0" if path == "/audit" else "cursor=WzFd"  # of a list with other keys
        for query in [*wrong, other]:
            answer = await admin.get(f"{path}?{query}")
            assert answer.status_code == 422, (path, query)
            assert answer.json()["fields"].keys() <= {"cursor", "limit"}


async def test_users_when_the_caller_is_no_admin_are_out_of_reach(rooms: AccessRooms) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        async with client_of(rooms.app, token=rooms.token(role)) as client:
            for path in ("/users", "/tokens", "/audit"):
                assert (await client.get(path)).status_code == 403
            body = {"name": "mallory", "password": PASSWORD, "role": "admin"}
            assert (await client.post("/users", json=body)).status_code == 403


async def test_user_when_created_by_many_at_once_is_made_once(rooms: AccessRooms) -> None:
    def create() -> str:
        try:
            rooms.users.create("ann", SecretText(PASSWORD), Role.VIEWER, actor=SYSTEM)
        except Conflict as error:
            return error.code
        except FastFlowError as error:
            return f"unexpected {error}"
        return "made"

    outcomes = await asyncio.gather(*(asyncio.to_thread(create) for _ in range(5)))
    assert sorted(outcomes) == ["made", *["user_exists"] * 4]
