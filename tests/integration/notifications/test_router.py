"""`/channels`, `/alerts` and `/notifications` over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.integration.notifications.conftest import ADMIN, OPERATOR, URL, Desk

from fastflow.kernel.audit.infra.tables import AuditRow
from fastflow.kernel.http.app import build_app
from fastflow.kernel.notifications.infra.rows import CHANNEL
from fastflow.kernel.notifications.router import build_router
from fastflow.kit.identity import Actor, Role

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

ACTORS = {
    "viewer": Actor(name="user:vera", role=Role.VIEWER),
    "operator": OPERATOR,
    "admin": ADMIN,
    "scoped": replace(OPERATOR, pipelines=("other",)),
}


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(
        [build_router(desk.room.channels, desk.room.rules, desk.room.alerts)],
        authenticate=lambda request: ACTORS[request.headers.get("as", "admin")],
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    assert told["code"] == code and told["hint"]
    return told


async def test_channel_when_made_then_its_address_is_encrypted_and_never_answered(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    quiet = [{"start": "22:00", "end": "07:00", "timezone": "Europe/Berlin"}]
    made = await client.post("/channels", json={"name": "ops", "urls": [URL], "quiet": quiet})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/channels/ops"
    assert (made.json()["kinds"], made.json()["breaks_quiet"], made.json()["dead"]) == (["json"], "critical", False)
    answers = [
        made,
        await client.get("/channels"),
        await client.get("/channels/ops", headers={"as": "viewer"}),
        await client.patch("/channels/ops", json={"description": "night shift", "breaks_quiet": None}),
        await client.post("/channels/ops/test", headers={"as": "operator"}),
    ]
    assert all("hook-secret" not in answer.text for answer in answers)
    assert answers[3].json()["breaks_quiet"] is None
    assert answers[4].json()["delivered"] is True
    assert desk.sender.sent[0].urls == (URL,)
    assert desk.sender.titles == ["[TEST] Fast-Flow: channel ops"]
    with desk.database.read() as connection:
        assert "hook-secret" not in connection.execute(select(CHANNEL.c.ciphertext)).scalar_one()
        rows = connection.execute(select(AuditRow.__table__.c.action, AuditRow.__table__.c.detail)).all()  # type: ignore[attr-defined]
    assert [row.action for row in rows] == ["channel.create", "channel.change", "channel.test"]
    assert "hook-secret" not in str(rows)


async def test_channel_when_wrong_then_the_problem_names_fields_and_shows_no_address(client: httpx.AsyncClient) -> None:
    answer = await client.post("/channels", json={"name": "ops", "urls": ["nonsense://hook-secret"]})
    fields = problem(answer, 422, "invalid_channel")["fields"]
    assert fields["urls"].startswith("number 1")
    assert "hook-secret" not in answer.text
    quiet = [{"start": "22:00", "end": "22:00", "timezone": "Berlin"}]
    fields = problem(
        await client.post("/channels", json={"name": "o", "urls": [URL], "quiet": quiet}), 422, "invalid_channel"
    )["fields"]
    assert "Did you mean 'Europe/Berlin'?" in fields["quiet.1.timezone"] and "same as start" in fields["quiet.1.end"]
    answer = await client.post("/channels", json={"name": "o", "urls": [URL]}, headers={"as": "operator"})
    problem(answer, 403, "forbidden")
    problem(await client.get("/channels/nobody"), 404, "channel_not_found")


async def test_channel_when_rules_send_to_it_then_it_goes_only_by_force(client: httpx.AsyncClient, desk: Desk) -> None:
    desk.channel()
    problem(await client.post("/channels", json={"name": "ops", "urls": [URL]}), 409, "channel_exists")
    rule = desk.rule()
    assert rule.label in problem(await client.delete("/channels/ops"), 409, "channel_in_use")["detail"]
    assert (await client.delete("/channels/ops?force=true")).status_code == 204
    told = (await client.get(f"/alerts/rules/{rule.id}")).json()
    assert told["problem"] == "There is no channel ops."


async def test_rule_when_made_changed_and_removed_then_its_form_is_answered(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    desk.channel()
    body = {"pipeline_name": "demo", "events": ["deadline", "failure"], "channels": ["ops"], "by": "8:00"}
    answer = await client.post("/alerts/rules", json=body, headers={"as": "operator"})
    assert answer.status_code == 201, answer.text
    rule = answer.json()
    assert (rule["name"], rule["events"], rule["by"]) == ("failure-1", ["failure", "deadline"], "08:00")
    assert rule["next_check_at"] == "2026-01-16T08:00:00Z"
    path = f"/alerts/rules/{rule['id']}"
    changed = (await client.put(path, json={**body, "events": ["failure"], "enabled": False})).json()
    assert (changed["events"], changed["enabled"], changed["next_check_at"]) == (["failure"], False, None)
    assert [one["id"] for one in (await client.get("/alerts/rules")).json()["items"]] == [rule["id"]]
    assert (await client.delete(path)).status_code == 204
    problem(await client.get(path), 404, "alert_rule_not_found")


async def test_rule_when_wrong_then_every_field_is_named(client: httpx.AsyncClient, desk: Desk) -> None:
    desk.channel()
    body = {
        "pipeline_name": "demo", "events": ["deadline", "slow", "system"], "channels": ["opz"], "timezone": "Mars",
        "factor": None, "severity": "grave",
    }  # fmt: skip
    fields = problem(await client.post("/alerts/rules", json=body), 422, "invalid_alert_rule")["fields"]
    assert set(fields) == {"by", "channels", "timezone", "events", "factor", "severity"}
    assert fields["channels"] == "'opz' is no channel. Did you mean 'ops'?"
    body = {"pipeline_name": "dem", "events": ["failure"], "channels": ["ops"]}
    problem(await client.post("/alerts/rules", json=body), 404, "pipeline_not_found")


async def test_scope_when_narrow_then_other_pipelines_are_not_seen(client: httpx.AsyncClient, desk: Desk) -> None:
    desk.channel()
    desk.rule()
    desk.end()
    scoped = {"as": "scoped"}
    assert (await client.get("/alerts", headers=scoped)).json()["items"] == []
    assert (await client.get("/notifications", headers=scoped)).json()["items"] == []
    (alert,) = (await client.get("/alerts")).json()["items"]
    problem(await client.get(f"/alerts/{alert['id']}", headers=scoped), 403, "forbidden")
    body = {"events": ["failure"], "channels": ["ops"]}
    problem(await client.post("/alerts/rules", json=body, headers=scoped), 403, "forbidden")


async def test_alerts_when_many_then_pages_follow_and_filters_hold(client: httpx.AsyncClient, desk: Desk) -> None:
    desk.channel(group_window=0.0)
    desk.rule()
    for _ in range(3):
        desk.end()
    desk.deliver()
    first = (await client.get("/alerts?limit=2&open=true")).json()
    second = (await client.get("/alerts", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (2, 1, None)
    alert = first["items"][0]
    assert alert["title"] == "[FAILED] demo: exit code 3" and "Why: exit code 3" in alert["text"]
    done = (await client.post(f"/alerts/{alert['id']}/acknowledge", headers={"as": "operator"})).json()
    assert done["acknowledged_by"] == "user:olga"
    assert len((await client.get("/alerts?open=true")).json()["items"]) == 2
    sent = (await client.get("/notifications?state=sent&limit=2")).json()
    assert len(sent["items"]) == 2 and sent["next_cursor"]
    assert {one["why"] for one in sent["items"]} == {"sent"}
    problem(await client.get("/alerts?cursor=nonsense"), 422, "invalid_cursor")
