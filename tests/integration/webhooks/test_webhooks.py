"""Webhooks over HTTP: one run for a delivery, and nothing said to those who have no key."""

import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from fastflow.kernel.audit.infra.tables import AuditRow
from fastflow.kernel.db.engine import Database
from fastflow.kernel.http.app import build_app
from fastflow.kernel.runs.domain.params import validate_params
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.secrets.infra.cipher import FernetCipher
from fastflow.kernel.webhooks.infra.store import HOOK
from fastflow.kernel.webhooks.router import build_router
from fastflow.kernel.webhooks.wiring import build_webhooks
from fastflow.kit.errors import Unauthenticated
from fastflow.kit.identity import Actor, Role
from fastflow.testing.clock import FakeClock
from fastflow.testing.run_doubles import make_run
from fastflow.testing.schedule_doubles import MemoryPipelines

ONE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
SCHEMA = {"properties": {"N": {"type": "integer"}}, "required": ["N"], "additionalProperties": False}
KEY = "6Zp4oGg0P8x1mR2tq3vWyBzC5dE7fH9jK1lM3nO5pQ0="


@dataclass
class Runs:
    clock: FakeClock
    made: dict[str, Run] = field(default_factory=dict)
    actors: list[Actor] = field(default_factory=list)
    traces: list[str | None] = field(default_factory=list)

    def submit(
        self,
        pipeline_name: str,
        params: Mapping[str, Any] | None = None,
        *,
        actor: Actor,
        trigger: str = "api",
        idempotency_key: str | None = None,
        trace: str | None = None,
    ) -> Run:
        assert trigger == "webhook"
        self.traces.append(trace)
        self.actors.append(actor)
        validate_params(params or {}, SCHEMA)
        run = make_run(pipeline_name, params=params, queued_at=self.clock.now())
        return self.made.setdefault(idempotency_key or run.id, run)


@pytest.fixture
def runs(clock: FakeClock) -> Runs:
    return Runs(clock)


@pytest.fixture
async def client(database: Database, clock: FakeClock, runs: Runs) -> AsyncIterator[httpx.AsyncClient]:
    pipelines = MemoryPipelines()
    pipelines.add("demo", params_schema=SCHEMA)
    pipelines.add("other")
    service = build_webhooks(
        database, pipelines=pipelines, runs=runs, cipher=FernetCipher([KEY], "the test"), clock=clock
    )
    actors = {
        "operator": Actor(name="user:olga", role=Role.OPERATOR),
        "viewer": Actor(name="user:vera", role=Role.VIEWER),
        "scoped": Actor(name="user:otto", role=Role.OPERATOR, pipelines=("other",)),
    }

    def authenticate(request: Any) -> Actor:
        if "as" not in request.headers:
            raise Unauthenticated("Nobody.")
        return actors[request.headers["as"]]

    app = build_app([build_router(service)], authenticate=authenticate)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def make(client: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    body = {"pipeline_name": "demo", "mapping": {"N": "/n"}, **values}
    answer = await client.post("/webhooks", json=body, headers={"as": "operator"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def call(
    client: httpx.AsyncClient, made: dict[str, Any], body: Any = None, secret: str | None = None, **headers: str
) -> httpx.Response:
    data = json.dumps({"n": 1} if body is None else body).encode()
    if secret is not None:
        headers["X-Hub-Signature-256"] = "sha256=" + hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()
    return await client.post(made["path"], content=data, headers=headers)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    assert told["code"] == code and told["hint"]
    return told


async def test_call_when_signed_then_one_run_for_a_delivery_and_nothing_secret_is_kept_or_logged(
    client: httpx.AsyncClient, runs: Runs, database: Database, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fastflow")
    made = await make(client, scheme="github")
    assert made["secret"].startswith("whsec_") and made["path"] == f"/webhooks/demo/{made['key']}"
    first = await call(client, made, secret=made["secret"])
    assert first.status_code == 202, first.text
    clock.advance(60)
    again = await call(client, made, secret=made["secret"], **{"X-GitHub-Delivery": "another"})
    other = await call(client, made, {"n": 2}, secret=made["secret"])
    assert again.json() == {"run_id": first.json()["run_id"], "duplicate": True}
    assert other.json()["run_id"] != first.json()["run_id"] and other.json()["duplicate"] is False
    assert sorted(run.params["N"] for run in runs.made.values()) == [1, 2]
    assert (runs.actors[0].name, runs.actors[0].address, runs.actors[0].pipelines) == (
        "webhook:webhook-1", "192.0.2.7", ("demo",),
    )  # fmt: skip
    problem(await call(client, made, secret="wrong" * 5), 401, "webhook_signature")
    problem(await call(client, made), 401, "webhook_signature")
    listed = (await client.get("/webhooks", headers={"as": "viewer"})).text
    with database.read() as connection:
        row = str(connection.execute(select(HOOK)).mappings().one())
        audited = str(connection.execute(select(AuditRow.__table__.c.detail)).all())  # type: ignore[attr-defined]
    for text in (listed, row, audited, caplog.text):
        assert made["key"] not in text and made["secret"] not in text
    told = json.loads(listed)["items"][0]
    assert (told["calls"], told["refused"]) == (3, 2)
    assert "not signed" in told["last_refusal"]


@ONE
async def test_call_when_it_belongs_to_a_trace_then_the_run_does_too_and_what_is_no_trace_is_passed_over(
    client: httpx.AsyncClient, runs: Runs
) -> None:
    made = await make(client)
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for header in (caller, "00-made-up-01", f"{caller}-more"):
        assert (await call(client, made, traceparent=header)).status_code == 202
    assert (await call(client, made)).status_code == 202
    assert runs.traces == [caller, None, None, None]


@ONE
async def test_call_when_the_address_is_wrong_then_which_part_is_not_told(client: httpx.AsyncClient) -> None:
    made, there = await make(client), {"n": 1}
    elsewhere = await make(client, addresses=["10.0.0.0/8"])
    off = await make(client)
    await client.patch(f"/webhooks/{off['id']}", json={"enabled": False}, headers={"as": "operator"})
    answers = [
        await client.post("/webhooks/demo/ffw_wrong", json=there),
        await client.post(f"/webhooks/other/{made['key']}", json=there),
        await client.post("/webhooks/nothing/x", json=there),
        await call(client, elsewhere),
        await call(client, off),
    ]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert problem(answers[0], 404, "webhook_not_found")["fields"] == {"key": "no webhook answers to it"}
    told = (await client.get(f"/webhooks/{elsewhere['id']}", headers={"as": "viewer"})).json()
    assert told["last_refusal"] == "the caller's address is not allowed"


@ONE
async def test_call_when_the_body_does_not_fit_then_the_parameter_is_named_and_nothing_runs(
    client: httpx.AsyncClient, runs: Runs
) -> None:
    made = await make(client)
    assert problem(await call(client, made, {"m": 1}), 422, "webhook_mapping")["fields"] == {"N": "nothing is at /n"}
    assert "params.N" in problem(await call(client, made, {"n": "one"}), 422, "invalid_params")["fields"]
    answer = await client.post(made["path"], content=b"{" + b" " * 2**20)
    assert problem(answer, 413, "too_large")["fields"] == {"body": f"has {2**20 + 1} bytes; {2**20} are taken"}
    assert runs.made == {}


@ONE
async def test_call_when_too_many_come_then_the_rest_waits_a_minute(
    client: httpx.AsyncClient, clock: FakeClock
) -> None:
    made = await make(client, rate_per_minute=2)
    assert [(await call(client, made)).status_code for _ in range(2)] == [202, 202]
    clock.advance(20)
    answer = await call(client, made)
    problem(answer, 429, "webhook_rate")
    assert answer.headers["retry-after"] == "40"
    clock.advance(40)
    assert (await call(client, made)).status_code == 202


@ONE
async def test_key_when_rotated_then_the_former_one_is_taken_for_its_grace(
    client: httpx.AsyncClient, clock: FakeClock
) -> None:
    made = await make(client)
    path = f"/webhooks/{made['id']}/rotate"
    rotated = (await client.post(path, json={"grace_seconds": 60}, headers={"as": "operator"})).json()
    assert rotated["key"] != made["key"]
    assert [(await call(client, one)).status_code for one in (made, rotated)] == [202, 202]
    clock.advance(timedelta(seconds=61))
    assert [(await call(client, one)).status_code for one in (made, rotated)] == [404, 202]
    final = (await client.post(path, json={}, headers={"as": "operator"})).json()
    assert [(await call(client, one)).status_code for one in (rotated, final)] == [404, 202]
    problem(await client.post(path, json={}), 401, "unauthenticated")


@ONE
async def test_webhook_when_wrong_or_out_of_scope_then_nothing_is_made(client: httpx.AsyncClient) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "mapping.M": {"mapping": {"M": "/n"}},
        "addresses": {"addresses": ["x"]},
        "secret": {"secret": "x" * 20},
    }
    for name, values in bodies.items():
        body = {"pipeline_name": "demo", **values}
        assert (
            name
            in problem(await client.post("/webhooks", json=body, headers={"as": "operator"}), 422, "invalid_webhook")[
                "fields"
            ]
        )
    body = {"pipeline_name": "demo"}
    problem(await client.post("/webhooks", json=body, headers={"as": "scoped"}), 403, "forbidden")
    problem(await client.post("/webhooks", json=body, headers={"as": "viewer"}), 403, "forbidden")
    assert (await client.get("/webhooks", headers={"as": "operator"})).json()["items"] == []
    made = await make(client, name="ci")
    problem(
        await client.post("/webhooks", json={**body, "name": "ci"}, headers={"as": "operator"}), 422, "invalid_webhook"
    )
    problem(await client.get(f"/webhooks/{made['id']}", headers={"as": "scoped"}), 403, "forbidden")
    assert (await client.get("/webhooks", headers={"as": "scoped"})).json()["items"] == []
    assert (await client.delete(f"/webhooks/{made['id']}", headers={"as": "operator"})).status_code == 204
