"""Roles on some pipelines: given, shown, taken back, audited, and in force."""

import httpx
import pytest

from fastflow.kit.errors import NotFound
from fastflow.kit.identity import SYSTEM, Grant, Role
from fastflow.testing.access import PASSWORD, AccessRooms
from fastflow.testing.http import client_of


async def test_grant_when_given_and_taken_is_shown_audited_and_in_force(
    rooms: AccessRooms, admin: httpx.AsyncClient
) -> None:
    rooms.user("ann", Role.NONE)
    answer = await admin.put("/users/ann/grants", json={"role": "operator", "pipelines": "billing-*"})
    assert answer.json() == {
        "name": "ann",
        "role": "none",
        "items": [{"role": "operator", "pipelines": "billing-*"}],
    }
    assert (await admin.get("/users/ann/grants")).json() == answer.json()
    async with client_of(rooms.app) as browser:
        await browser.post("/auth/login", json={"name": "ann", "password": PASSWORD})
        me = (await browser.get("/auth/me")).json()
        assert (me["role"], me["grants"]) == ("none", answer.json()["items"])
        assert (await browser.get("/secrets")).status_code == 200
        await admin.delete("/users/ann/grants", params={"pipelines": "billing-*"})
        assert (await browser.get("/secrets")).status_code == 403
    entries = [entry for entry in rooms.audit.list().items if entry.action == "user.grant"]
    assert [entry.detail for entry in entries] == [
        {"grants": None},
        {"grants": [{"role": "operator", "pipelines": "billing-*"}]},
    ]


async def test_grant_when_wrong_names_the_field(rooms: AccessRooms, admin: httpx.AsyncClient) -> None:
    rooms.user("ann")
    for body in ({"role": "none", "pipelines": "a"}, {"role": "viewer", "pipelines": "a b"}, {"role": "viewer"}):
        answer = await admin.put("/users/ann/grants", json=body)
        assert answer.status_code == 422, body
        assert set(answer.json()["fields"]) <= {"role", "pipelines"}
    missing = await admin.delete("/users/ann/grants", params={"pipelines": "a"})
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_grant")
    with pytest.raises(NotFound, match="no user"):
        rooms.users.grant("nobody", Role.VIEWER, "a", actor=SYSTEM)


async def test_token_when_made_with_grants_has_no_more_than_these(rooms: AccessRooms, admin: httpx.AsyncClient) -> None:
    body = {"name": "ci", "role": "none", "grants": [{"role": "operator", "pipelines": "billing-*"}]}
    made = (await admin.post("/tokens", json=body)).json()
    assert made["grants"] == body["grants"]
    found = rooms.tokens.find(made["token"])
    assert found is not None
    assert (found.role, found.grants) == (Role.NONE, (Grant(role=Role.OPERATOR, pipelines="billing-*"),))
    async with client_of(rooms.app, token=made["token"]) as client:
        assert (await client.get("/users")).status_code == 403


def test_last_admin_when_only_granted_admin_on_some_pipelines_is_not_counted(rooms: AccessRooms) -> None:
    from fastflow.kernel.users.domain.errors import LastAdmin

    rooms.user("root", Role.ADMIN)
    rooms.user("ann", Role.NONE)
    rooms.users.grant("ann", Role.ADMIN, "*", actor=SYSTEM)
    with pytest.raises(LastAdmin):
        rooms.users.change("root", role=Role.VIEWER, actor=SYSTEM)
