"""`/runs` over HTTP, on a real database with a scripted executor."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.integration.runs.conftest import OPERATOR, Bench

from fastflow.kernel.executors.port import RunSpec
from fastflow.kernel.http.app import build_app
from fastflow.kernel.runs.router import build_router
from fastflow.kit.identity import Actor, Role
from fastflow.testing.memory_executor import MemoryExecutor

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

UNKNOWN = "019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e"
ACTORS = {
    "viewer": Actor(name="user:vera", role=Role.VIEWER),
    "operator": OPERATOR,
    "scoped": replace(OPERATOR, pipelines=("other",)),
}


@pytest.fixture
async def client(bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(
        [build_router(bench.service)],
        authenticate=lambda request: ACTORS[request.headers.get("as", "operator")],
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["code"] == code and told["hint"]
    return told


async def test_submit_when_accepted_answers_202_with_the_run_and_its_place(client: httpx.AsyncClient) -> None:
    answer = await client.post("/pipelines/demo/run", json={"params": {"A": 1}, "priority": 2})
    run = answer.json()
    assert answer.status_code == 202 and answer.headers["location"] == f"/runs/{run['id']}"
    assert (run["status"], run["params"], run["priority"], run["reason"]) == ("PENDING", {"A": 1}, 2, None)
    assert run["queued_at"].endswith("Z")
    assert (await client.get(f"/runs/{run['id']}")).json() == run
    assert (await client.get("/runs")).json() == {"items": [run], "next_cursor": None}


async def test_submit_when_body_is_left_away_takes_the_defaults(client: httpx.AsyncClient) -> None:
    assert (await client.post("/pipelines/demo/run")).status_code == 202


async def test_submit_when_the_key_is_a_header_then_it_counts_as_that_of_the_body(client: httpx.AsyncClient) -> None:
    made = (await client.post("/pipelines/demo/run", headers={"Idempotency-Key": "k1"})).json()
    again = await client.post("/pipelines/demo/run", json={"idempotency_key": "k1"})
    assert (again.json()["id"], made["idempotency_key"]) == (made["id"], "k1")
    other = await client.post("/pipelines/demo/run", json={"idempotency_key": "k1"}, headers={"Idempotency-Key": "k2"})
    assert problem(other, 422, "two_idempotency_keys")["fields"] == {
        "idempotency_key": "differs from the header Idempotency-Key"
    }


async def test_submit_when_waiting_answers_200_with_the_ended_run(client: httpx.AsyncClient, bench: Bench) -> None:
    def ends(executor: MemoryExecutor, spec: RunSpec) -> None:
        asyncio.get_running_loop().call_later(0.05, executor.end, spec.key)

    async with bench.serving(MemoryExecutor(ends)):
        answer = await client.post("/pipelines/demo/run?wait=30")
    assert answer.status_code == 200 and answer.json()["status"] == "SUCCESS"


async def test_submit_when_the_wait_is_over_answers_202_with_the_run_as_it_is(client: httpx.AsyncClient) -> None:
    answer = await client.post("/pipelines/demo/run?wait=0.05")
    assert answer.status_code == 202 and answer.json()["status"] == "PENDING"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/pipelines/nosuch/run", {}, 404, "pipeline_not_found"),
        ("/pipelines/demo/run", {"params": {"A B": 1}}, 422, "invalid_params"),
        ("/pipelines/demo/run", {"params": []}, 422, "invalid_input"),
        ("/pipelines/demo/run", {"parms": {}}, 422, "invalid_input"),
        ("/pipelines/demo/run", {"priority": "high"}, 422, "invalid_input"),
        ("/pipelines/demo/run", {"priority": 10**9}, 422, "invalid_input"),
        ("/pipelines/demo/run", {"idempotency_key": ""}, 422, "invalid_input"),
        ("/pipelines/demo/run", {"executor": "docker"}, 422, "unknown_executor"),
        ("/pipelines/demo/run?wait=301", {}, 422, "invalid_input"),
        ("/runs/nonsense/cancel", {}, 422, "invalid_id"),
        (f"/runs/{UNKNOWN}/cancel", {}, 404, "run_not_found"),
        (f"/runs/{UNKNOWN}/rerun", {"exact": True}, 404, "run_not_found"),
    ],
)
async def test_request_when_wrong_gets_a_problem_and_nothing_is_written(
    client: httpx.AsyncClient, path: str, body: Any, status: int, code: str
) -> None:
    problem(await client.post(path, json=body), status, code)
    assert (await client.get("/runs")).json()["items"] == []


async def test_cancel_when_ended_is_a_conflict(client: httpx.AsyncClient) -> None:
    run = (await client.post("/pipelines/demo/run")).json()
    answer = await client.post(f"/runs/{run['id']}/cancel", json={"reason": "wrong month"})
    assert answer.status_code == 202
    assert answer.json()["reason_text"] == "cancelled by user:olga: wrong month"
    problem(await client.post(f"/runs/{run['id']}/cancel"), 409, "run_ended")
    problem(await client.patch(f"/runs/{run['id']}", json={"priority": 1}), 409, "run_ended")


async def test_run_when_changed_and_repeated_is_explained_and_compared(client: httpx.AsyncClient) -> None:
    run = (await client.post("/pipelines/demo/run", json={"params": {"A": 1}})).json()
    assert (await client.patch(f"/runs/{run['id']}", json={"priority": 5})).json()["priority"] == 5
    explained = (await client.get(f"/runs/{run['id']}/explain")).json()
    assert explained["code"] == "runner_away" and explained["position"] == 1
    again = await client.post(f"/runs/{run['id']}/rerun", json={"exact": True})
    assert again.status_code == 202 and again.json()["rerun_of"] == run["id"]
    diff = (await client.get(f"/runs/{run['id']}/diff/{again.json()['id']}")).json()
    assert (diff["differences"], diff["files"], diff["packages"]) == ([], [], [])
    assert "code" in diff["compared"]
    events = (await client.get(f"/runs/{run['id']}/events")).json()
    assert [event["data"]["status"] for event in events["items"]] == ["PENDING"]


async def test_exact_rerun_when_parts_are_gone_names_each(client: httpx.AsyncClient, bench: Bench) -> None:
    run = (await client.post("/pipelines/demo/run")).json()
    bench.environments.is_gone = True
    bench.catalogue.snapshots.clear()
    told = problem(await client.post(f"/runs/{run['id']}/rerun", json={"exact": True}), 409, "capsule_incomplete")
    assert "code snapshot" in told["detail"] and "environment" in told["detail"]
    assert "without `exact`" in told["hint"] and len(told["missing"]) == 2


async def test_scope_when_it_excludes_the_pipeline_hides_its_runs(client: httpx.AsyncClient) -> None:
    run = (await client.post("/pipelines/demo/run")).json()
    as_scoped = {"as": "scoped"}
    assert (await client.get("/runs", headers=as_scoped)).json()["items"] == []
    for path in (f"/runs/{run['id']}", f"/runs/{run['id']}/explain", "/runs?pipeline_name=demo"):
        problem(await client.get(path, headers=as_scoped), 403, "forbidden")
    problem(await client.post("/pipelines/demo/run", headers=as_scoped), 403, "forbidden")
    problem(await client.post(f"/runs/{run['id']}/cancel", headers=as_scoped), 403, "forbidden")


async def test_viewer_when_changing_anything_is_refused(client: httpx.AsyncClient) -> None:
    run = (await client.post("/pipelines/demo/run")).json()
    as_viewer = {"as": "viewer"}
    problem(await client.post("/pipelines/demo/run", headers=as_viewer), 403, "forbidden")
    problem(await client.post(f"/runs/{run['id']}/rerun", headers=as_viewer), 403, "forbidden")
    problem(await client.patch(f"/runs/{run['id']}", json={"priority": 1}, headers=as_viewer), 403, "forbidden")
    assert (await client.get(f"/runs/{run['id']}", headers=as_viewer)).status_code == 200


async def test_list_when_given_the_end_of_an_id_finds_that_run(client: httpx.AsyncClient) -> None:
    runs = [(await client.post("/pipelines/demo/run")).json() for _ in range(3)]
    wanted = runs[1]["id"]
    for tail in (wanted[-6:], wanted[-8:].upper(), wanted.replace("-", "")[-20:], wanted):
        found = (await client.get("/runs", params={"id_tail": tail})).json()["items"]
        assert [run["id"] for run in found] == [wanted]
    assert (await client.get("/runs", params={"id_tail": "000000"})).json()["items"] == []
    assert (await client.get("/runs", params={"id_tail": wanted, "pipeline_name": "other"})).json()["items"] == []
    for wrong in ("abc", "%%%%%%", "------"):
        assert (
            "id_tail"
            in problem(
                await client.get("/runs", params={"id_tail": wrong}),
                422,
                "invalid_id" if wrong == "------" else "invalid_input",
            )["fields"]
        )


async def test_list_when_filters_are_wrong_names_them(client: httpx.AsyncClient) -> None:
    for query in ("staus=FAILED", "status=DONE", "reason=bored", "limit=0", "limit=501", "since=yesterday", "cursor=x"):
        answer = await client.get(f"/runs?{query}")
        assert answer.status_code == 422, query
        assert query.partition("=")[0] in answer.text
