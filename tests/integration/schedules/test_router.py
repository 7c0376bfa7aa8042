"""`/scheduler` over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.integration.schedules.conftest import ADMIN, OPERATOR, Desk

from fastflow.kernel.http.app import build_app
from fastflow.kernel.schedules.router import build_router
from fastflow.kit.identity import Actor, Role

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

ACTORS = {
    "viewer": Actor(name="user:vera", role=Role.VIEWER),
    "operator": OPERATOR,
    "admin": ADMIN,
    "scoped": replace(OPERATOR, pipelines=("other",)),
}
NIGHTLY = {
    "pipeline_name": "demo", "trigger": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin", "params": {},
    "enabled": True,
}  # fmt: skip


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(
        [build_router(desk.room.schedules, desk.room.pauses, desk.room.simulations)],
        authenticate=lambda request: ACTORS[request.headers.get("as", "operator")],
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def make(client: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    answer = await client.post("/scheduler/jobs", json={**NIGHTLY, **values})
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/scheduler/jobs/{job['id']}"
    return job


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["code"] == code and told["hint"]
    return told


async def test_job_when_made_as_the_first_plan_has_it_then_answers_with_its_defaults(client: httpx.AsyncClient) -> None:
    job = await make(client)
    assert (job["name"], job["origin"], job["enabled"], job["pauses"]) == ("cron-1", "user", True, [])
    assert (job["overlap"], job["missed"], job["catch_up_window"], job["jitter"]) == ("queue", "last", 86400.0, 0.0)
    assert job["next_due_at"] == job["next_fire_at"] == "2026-01-16T01:30:00Z"
    assert (await client.get(f"/scheduler/jobs/{job['id']}")).json() == job
    assert (await client.get("/scheduler/jobs")).json() == {"items": [job], "next_cursor": None}


async def test_job_when_wrong_then_the_problem_names_every_field(client: httpx.AsyncClient) -> None:
    wrong = {
        **NIGHTLY, "expression": "61 25 * * *", "timezone": "Berlin", "start_at": "2027-01-02T00:00:00Z",
        "end_at": "2027-01-01T00:00:00Z",
    }  # fmt: skip
    fields = problem(await client.post("/scheduler/jobs", json=wrong), 422, "invalid_schedule")["fields"]
    assert "the minute field" in fields["expression"] and "the hour field" in fields["expression"]
    assert "Did you mean 'Europe/Berlin'?" in fields["timezone"]
    wrong["expression"], wrong["timezone"] = "@daily", "UTC"
    fields = problem(await client.post("/scheduler/jobs", json=wrong), 422, "invalid_schedule")["fields"]
    assert "is not after start_at" in fields["end_at"]
    answer = await client.post("/scheduler/jobs", json={**NIGHTLY, "trigger": "hourly", "overlapp": "skip"})
    fields = problem(answer, 422, "invalid_input")["fields"]
    assert fields["trigger"] == "'hourly' is none of cron, interval, once"
    assert fields["overlapp"] == "is not a known field. Did you mean 'overlap'?"
    assert problem(
        await client.post("/scheduler/jobs", json={**NIGHTLY, "pipeline_name": "x"}), 404, "pipeline_not_found"
    )


async def test_job_when_replaced_then_what_is_left_away_takes_its_default(client: httpx.AsyncClient) -> None:
    job = await make(client, jitter=60.0, priority=7, name="nightly")
    body = {**NIGHTLY, "expression": "0 3 * * *", "enabled": False}
    after = (await client.put(f"/scheduler/jobs/{job['id']}", json=body)).json()
    assert (after["expression"], after["jitter"], after["priority"], after["name"]) == ("0 3 * * *", 0.0, 0, "nightly")
    assert (after["enabled"], after["next_due_at"]) == (False, "2026-01-16T02:00:00Z")
    assert [pause["by"] for pause in after["pauses"]] == ["user:olga"]


async def test_job_when_changed_in_part_then_the_rest_stays(client: httpx.AsyncClient) -> None:
    job = await make(client, jitter=60.0, end_at="2027-01-01T00:00:00Z")
    path = f"/scheduler/jobs/{job['id']}"
    after = (await client.patch(path, json={"timezone": "UTC", "end_at": None, "catch_up_window": None})).json()
    changed = {"timezone", "end_at", "catch_up_window", "next_due_at", "next_fire_at"}
    assert {name for name, value in after.items() if value != job[name]} == changed
    assert after["next_due_at"] == "2026-01-16T02:30:00Z"
    assert (await client.patch(path, json={"enabled": False})).json()["enabled"] is False
    assert (await client.patch(path, json={"enabled": True})).json()["enabled"] is True
    assert (await client.patch(path, json={})).json() == after
    assert (await client.patch(path, json={"expression": None})).json() == after, "null leaves what cannot be empty"


async def test_job_when_paused_and_resumed_then_says_who_and_why(client: httpx.AsyncClient) -> None:
    path = f"/scheduler/jobs/{(await make(client))['id']}"
    paused = (await client.post(f"{path}/pause", json={"reason": "stocktaking"})).json()
    assert paused["enabled"] is False
    (pause,) = paused["pauses"]
    assert (pause["scope"], pause["by"], pause["reason"]) == ("schedule", "user:olga", "stocktaking")
    resumed = (await client.post(f"{path}/resume")).json()
    assert (resumed["enabled"], resumed["pauses"]) == (True, [])


async def test_system_when_paused_then_needs_an_admin_and_the_status_tells(client: httpx.AsyncClient) -> None:
    await make(client)
    problem(await client.post("/scheduler/pause"), 403, "forbidden")
    status = (await client.post("/scheduler/pause", headers={"as": "admin"}, json={"reason": "move"})).json()
    assert [(pause["scope"], pause["reason"]) for pause in status["pauses"]] == [("system", "move")]
    status = (await client.post("/scheduler/pipelines/demo/pause")).json()
    assert [pause["scope"] for pause in status["pauses"]] == ["system", "pipeline"]
    await client.post("/scheduler/resume", headers={"as": "admin"})
    status = (await client.post("/scheduler/pipelines/demo/resume")).json()
    assert (status["pauses"], status["schedules"], status["due"], status["troubled"]) == ([], 1, 1, [])
    assert (await client.get("/scheduler", headers={"as": "viewer"})).json() == status
    problem(await client.post("/scheduler/pipelines/nothing/pause"), 404, "pipeline_not_found")


async def test_job_when_deleted_then_gone(client: httpx.AsyncClient) -> None:
    path = f"/scheduler/jobs/{(await make(client))['id']}"
    assert (await client.delete(path)).status_code == 204
    problem(await client.get(path), 404, "schedule_not_found")
    problem(await client.delete(path), 404, "schedule_not_found")
    problem(await client.get("/scheduler/jobs/nightly"), 422, "invalid_id")


async def test_due_times_when_asked_then_twenty_come_with_the_zones_clock(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    path = f"/scheduler/jobs/{(await make(client))['id']}/next"
    items = (await client.get(path)).json()["items"]
    assert len(items) == 20
    assert items[0] == {
        "due_at": "2026-01-16T01:30:00Z", "local": "2026-01-16T02:30:00+01:00", "fire_at": "2026-01-16T01:30:00Z",
        "note": None,
    }  # fmt: skip
    assert len((await client.get(path, params={"count": 90})).json()["items"]) == 90
    problem(await client.get(path, params={"count": 0}), 422, "invalid_input")


async def test_ledger_when_asked_then_pages_through_every_due_time(client: httpx.AsyncClient, desk: Desk) -> None:
    job = await make(client, trigger="interval", expression="1h")
    for _ in range(5):
        desk.clock.advance(timedelta(hours=1))
        desk.scheduler().tick()
    path, found, cursor = f"/scheduler/jobs/{job['id']}/occurrences", [], ""
    while True:
        page = (await client.get(path, params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [row["due_at"] for row in found] == [f"2026-01-15T{hour}:00:00Z" for hour in (17, 16, 15, 14, 13)]
    assert {(row["outcome"], row["why"]) for row in found} == {("started", "On time.")}
    assert all(row["run_id"] for row in found)
    assert (await client.get(path, params={"outcome": "missed"})).json()["items"] == []
    job = (await client.get(f"/scheduler/jobs/{job['id']}")).json()
    assert job["last"] == found[0]


async def test_simulation_when_asked_then_tells_due_times_and_changes_of_clocks(client: httpx.AsyncClient) -> None:
    job = await make(client)
    span = {"since": "2027-03-28T00:00:00Z", "until": "2027-03-29T00:00:00Z"}
    found = (await client.post("/scheduler/simulate", json=span, headers={"as": "viewer"})).json()
    (item,), (change,) = found["items"], found["clock_changes"]
    assert (item["job_id"], item["local"], item["paused"]) == (job["id"], "2027-03-28T03:00:00+02:00", None)
    assert (change["kind"], change["wall_from"], change["job_ids"]) == ("gap", "2027-03-28T02:00:00", [job["id"]])
    assert item["note"] == change["text"]
    trial = {"trigger": "cron", "expression": "*/30 2 * * *", "timezone": "Europe/Berlin"}
    found = (await client.post("/scheduler/simulate", json={**span, "schedule": trial})).json()
    assert (found["items"], found["schedules"], found["truncated"]) == ([], 1, False)
    assert found["clock_changes"][0]["text"].endswith("do not exist, and nothing is due then.")
    answer = await client.post("/scheduler/simulate", json={**span, "schedule": {**trial, "timezone": "Berlin"}})
    assert "Did you mean" in problem(answer, 422, "invalid_schedule")["fields"]["timezone"]
    wrong = {"since": span["until"], "until": span["since"]}
    assert "until" in problem(await client.post("/scheduler/simulate", json=wrong), 422, "invalid_schedule")["fields"]


async def test_jobs_when_the_actor_is_limited_then_others_are_out_of_sight(client: httpx.AsyncClient) -> None:
    job = await make(client)
    assert (await client.get("/scheduler/jobs", headers={"as": "scoped"})).json()["items"] == []
    for verb, path in (("GET", ""), ("GET", "/next"), ("GET", "/occurrences"), ("POST", "/pause"), ("DELETE", "")):
        answer = await client.request(verb, f"/scheduler/jobs/{job['id']}{path}", headers={"as": "scoped"})
        assert answer.status_code == 403, (verb, path)
    assert (await client.post("/scheduler/jobs", json=NIGHTLY, headers={"as": "viewer"})).status_code == 403
