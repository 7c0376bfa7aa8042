"""Every route of the API has a rule that says who may call it, and keeps to it: a new route needs a line here."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Table, insert

from fastflow.bootstrap import Product, build_product
from fastflow.kernel.failures.infra.rows import GROUP, LETTER, SIGHT
from fastflow.kernel.notifications.infra.rows import ALERT, RULE
from fastflow.kernel.schedules.domain.schedule import Definition
from fastflow.kernel.secrets.domain.records import SecretChange
from fastflow.kernel.webhooks.domain.webhook import WebhookDefinition
from fastflow.kit.identity import SYSTEM, Grant, Role
from fastflow.kit.ids import new_id
from fastflow.kit.secret_text import SecretText
from fastflow.settings import Settings
from fastflow.testing.http import client_of
from fastflow.web import create_app

MINE, OTHER = "mine-a", "other-b"
SECRET_OF_OTHER = "ONLY_FOR_OTHER"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Who may call a route.

    Attributes:
        role: needed; None: no credentials at all.
        on: "pipeline": on the pipeline that the path or body names; "any": on any pipeline; "all": everywhere.
        body: of the request.
        hides: whoever may not is told that the thing does not exist.
        streams: the answer has no end.
    """

    role: Role | None
    on: str = "any"
    body: Any = None
    hides: bool = False
    streams: bool = False


def on_pipeline(role: Role, body: Any = None, **more: Any) -> Rule:
    return Rule(role=role, on="pipeline", body=body, **more)


OPEN = Rule(role=None)
ANYONE = Rule(role=Role.NONE)
READ = Rule(role=Role.VIEWER)
ADMIN = Rule(role=Role.ADMIN, on="all")
CHURN_READ = Rule(role=Role.VIEWER, on="all")
CHURN_OPERATE = Rule(role=Role.OPERATOR, on="all")
VIEW = on_pipeline(Role.VIEWER)
OPERATE = on_pipeline(Role.OPERATOR)
_JOB = {"pipeline_name": MINE, "trigger": "cron", "expression": "0 3 * * *"}
_BACKFILL = {"pipeline_name": MINE, "since": "2026-01-01", "until": "2026-01-02", "dry_run": True}
_EXPERIMENT = {
    "experiment_name": "a", "training_from": 202201, "training_to": 202312, "backtest_from": 202401, "backtest_to": 202406
}  # fmt: skip
_ALERT_RULE = {"pipeline_name": MINE, "events": ["failure"], "channels": ["none"]}

RULES: Mapping[str, Rule] = {
    "GET /health": OPEN,
    "GET /ready": OPEN,
    "GET /metrics": READ,
    "POST /auth/login": Rule(role=None, body={"name": "nobody", "password": "nothing at all"}),
    "POST /auth/logout": ANYONE,
    "GET /auth/me": ANYONE,
    "PUT /auth/password": Rule(
        role=Role.NONE, body={"current_password": "one two three", "new_password": "four five six"}
    ),
    "GET /auth/oidc/login": OPEN,
    "GET /auth/oidc/callback": OPEN,
    "GET /auth/oidc/logout": OPEN,
    "GET /auth/sessions": ANYONE,
    "DELETE /auth/sessions": ANYONE,
    "DELETE /auth/sessions/{session_id}": ANYONE,
    "GET /pipelines": READ,
    "GET /pipelines/{name}": VIEW,
    "GET /pipelines/{name}/check": VIEW,
    "POST /pipelines/{name}/run": on_pipeline(Role.OPERATOR, {}),
    "GET /runs": READ,
    "GET /runs/{run_id}": VIEW,
    "PATCH /runs/{run_id}": on_pipeline(Role.OPERATOR, {"priority": 1}),
    "GET /runs/{run_id}/explain": VIEW,
    "GET /runs/{run_id}/why": VIEW,
    "GET /runs/{run_id}/diff/{other_id}": VIEW,
    "GET /runs/{run_id}/events": VIEW,
    "POST /runs/{run_id}/rerun": on_pipeline(Role.OPERATOR, {}),
    "POST /runs/{run_id}/hurry": OPERATE,
    "POST /runs/{run_id}/cancel": on_pipeline(Role.OPERATOR, {}),
    "GET /runs/{run_id}/logs": VIEW,
    "GET /runs/{run_id}/logs/stream": on_pipeline(Role.VIEWER, streams=True),
    "GET /runs/{run_id}/artifacts": VIEW,
    "GET /runs/{run_id}/artifacts/{path}": VIEW,
    "GET /logs/live": READ,
    "GET /logs/stream": Rule(role=Role.VIEWER, streams=True),
    "GET /environments": READ,
    "GET /environments/{hash}": READ,
    "POST /environments/gc": Rule(role=Role.ADMIN, on="all", body={"dry_run": True}),
    "GET /scheduler": READ,
    "GET /scheduler/jobs": READ,
    "POST /scheduler/jobs": on_pipeline(Role.OPERATOR, _JOB),
    "GET /scheduler/jobs/{job_id}": VIEW,
    "PUT /scheduler/jobs/{job_id}": on_pipeline(Role.OPERATOR, _JOB),
    "PATCH /scheduler/jobs/{job_id}": on_pipeline(Role.OPERATOR, {"priority": 1}),
    "GET /scheduler/jobs/{job_id}/next": VIEW,
    "GET /scheduler/jobs/{job_id}/occurrences": VIEW,
    "POST /scheduler/simulate": on_pipeline(
        Role.VIEWER, {"since": "2026-11-21T00:00:00Z", "until": "2026-11-22T00:00:00Z", "pipeline_name": MINE}
    ),
    "POST /scheduler/jobs/{job_id}/pause": on_pipeline(Role.OPERATOR, {}),
    "POST /scheduler/jobs/{job_id}/resume": OPERATE,
    "POST /scheduler/pipelines/{name}/pause": on_pipeline(Role.OPERATOR, {}),
    "POST /scheduler/pipelines/{name}/resume": OPERATE,
    "DELETE /scheduler/jobs/{job_id}": OPERATE,
    "POST /scheduler/pause": Rule(role=Role.ADMIN, on="all", body={}),
    "POST /scheduler/resume": ADMIN,
    "GET /flows": READ,
    "GET /flows/plan": VIEW,
    "POST /flows": on_pipeline(Role.OPERATOR, {"roots": [MINE]}),
    "GET /flows/{flow_id}": VIEW,
    "GET /flows/{flow_id}/explain": VIEW,
    "GET /flows/{flow_id}/steps/{step}/elements": VIEW,
    "POST /flows/{flow_id}/steps/{step}/approval": on_pipeline(Role.OPERATOR, {"decision": "approve"}),
    "GET /flows/approvals": READ,
    "POST /flows/{flow_id}/cancel": on_pipeline(Role.OPERATOR, {}),
    "POST /flows/{flow_id}/rerun": on_pipeline(Role.OPERATOR, {}),
    "GET /backfills": READ,
    "POST /backfills": on_pipeline(Role.OPERATOR, _BACKFILL),
    "GET /backfills/{flow_id}": VIEW,
    "POST /backfills/{flow_id}/cancel": on_pipeline(Role.OPERATOR, {}),
    "POST /backfills/{flow_id}/resume": on_pipeline(Role.OPERATOR, {}),
    "GET /daemons": READ,
    "GET /daemons/{name}": VIEW,
    "GET /daemons/{name}/events": VIEW,
    "POST /daemons/{name}/start": OPERATE,
    "POST /daemons/{name}/stop": OPERATE,
    "POST /daemons/{name}/pause": OPERATE,
    "POST /daemons/{name}/restart": OPERATE,
    "GET /failures": READ,
    "GET /failures/{group}": on_pipeline(Role.VIEWER, hides=True),
    "GET /dead-letters": READ,
    "GET /dead-letters/{run_id}": VIEW,
    "POST /dead-letters/replay": on_pipeline(Role.OPERATOR, {"pipeline_name": MINE}),
    "POST /dead-letters/{run_id}/replay": on_pipeline(Role.OPERATOR, {}),
    "POST /dead-letters/{run_id}/dismiss": on_pipeline(Role.OPERATOR, {}),
    "GET /webhooks": READ,
    "POST /webhooks": on_pipeline(Role.OPERATOR, {"pipeline_name": MINE}),
    "GET /webhooks/{webhook_id}": VIEW,
    "PATCH /webhooks/{webhook_id}": on_pipeline(Role.OPERATOR, {"rate_per_minute": 10}),
    "POST /webhooks/{webhook_id}/rotate": on_pipeline(Role.OPERATOR, {}),
    "DELETE /webhooks/{webhook_id}": OPERATE,
    "POST /webhooks/{pipeline_name}/{key}": Rule(role=None, body={}),
    "GET /channels": READ,
    "POST /channels": Rule(role=Role.ADMIN, on="all", body={"name": "ops", "urls": ["json://127.0.0.1:9"]}),
    "GET /channels/{name}": READ,
    "PATCH /channels/{name}": Rule(role=Role.ADMIN, on="all", body={"description": "for nobody"}),
    "POST /channels/{name}/test": Rule(role=Role.OPERATOR),
    "DELETE /channels/{name}": ADMIN,
    "GET /alerts/rules": READ,
    "POST /alerts/rules": on_pipeline(Role.OPERATOR, _ALERT_RULE),
    "GET /alerts/rules/{rule_id}": VIEW,
    "PUT /alerts/rules/{rule_id}": on_pipeline(Role.OPERATOR, _ALERT_RULE),
    "DELETE /alerts/rules/{rule_id}": OPERATE,
    "GET /alerts": READ,
    "GET /alerts/{alert_id}": VIEW,
    "POST /alerts/{alert_id}/acknowledge": OPERATE,
    "GET /notifications": READ,
    "GET /sync/status": READ,
    "GET /sync/history": READ,
    "GET /sync/history/{sync_id}": READ,
    "GET /sync/history/{sync_id}/events": READ,
    "POST /sync": Rule(role=Role.OPERATOR, on="all", body={"repository": "none"}),
    "POST /sync/rollback": Rule(role=Role.OPERATOR, on="all", body={"repository": "none"}),
    "GET /sync/repositories": READ,
    "POST /sync/repositories": Rule(role=Role.ADMIN, on="all", body={"name": "x", "url": "file:///nowhere"}),
    "GET /sync/repositories/{name}": READ,
    "PATCH /sync/repositories/{name}": Rule(role=Role.ADMIN, on="all", body={"branch": "main"}),
    "DELETE /sync/repositories/{name}": ADMIN,
    "POST /sync/webhook/{repository}": Rule(role=None, body={}),
    "GET /secrets": READ,
    "POST /secrets": on_pipeline(Role.ADMIN, {"key": "NEW", "value": "a secret text", "pipelines": [MINE]}),
    "POST /secrets/rotate": ADMIN,
    "PUT /secrets/{key}": on_pipeline(Role.ADMIN, {"value": "another text", "pipelines": [MINE]}),
    "GET /secrets/{key}/versions": on_pipeline(Role.VIEWER, hides=True),
    "DELETE /secrets/{key}": on_pipeline(Role.ADMIN),
    "GET /users": ADMIN,
    "POST /users": Rule(role=Role.ADMIN, on="all", body={"name": "x", "password": "something long", "role": "viewer"}),
    "PATCH /users/{name}": Rule(role=Role.ADMIN, on="all", body={"role": "operator"}),
    "DELETE /users/{name}": ADMIN,
    "GET /users/{name}/grants": ADMIN,
    "PUT /users/{name}/grants": Rule(role=Role.ADMIN, on="all", body={"role": "viewer", "pipelines": "x"}),
    "DELETE /users/{name}/grants": ADMIN,
    "GET /tokens": ADMIN,
    "POST /tokens": Rule(role=Role.ADMIN, on="all", body={"name": "t", "role": "viewer"}),
    "DELETE /tokens/{token_id}": ADMIN,
    "GET /audit": ADMIN,
    "GET /audit/export": ADMIN,
    "GET /audit/anchor": ADMIN,
    "GET /audit/verify": ADMIN,
    # the workbench's operations go by the role on the pipeline `churn`, which is neither of the two here
    "GET /churn/paths": CHURN_READ,
    "GET /outbox/info": CHURN_READ,
    "GET /churn/database": CHURN_READ,
    "GET /churn/database/snapshots": CHURN_READ,
    "POST /churn/database/snapshots/{revision}/restore": ADMIN,
    "GET /churn/database/export": CHURN_OPERATE,
    "POST /churn/database/import": ADMIN,
    "GET /sql/tables": CHURN_READ,
    "GET /sql/schema/{table}": CHURN_READ,
    "POST /sql/query": Rule(role=Role.VIEWER, on="all", body={"query": "SELECT 1"}),
    "POST /sql/download": Rule(role=Role.VIEWER, on="all", body={"query": "SELECT 1"}),
    "GET /sql/views": CHURN_READ,
    "POST /sql/views": Rule(role=Role.OPERATOR, on="all", body={"name": "v", "sql": "SELECT 1"}),
    "DELETE /sql/views/{name}": CHURN_OPERATE,
    "GET /files": CHURN_READ,
    "GET /churn/files": CHURN_READ,
    "POST /churn/files": CHURN_OPERATE,
    "POST /churn/dictionary": CHURN_OPERATE,
    "POST /churn/columns": CHURN_OPERATE,
    "GET /churn/files/{file_id}": CHURN_READ,
    "GET /churn/files/{file_id}/rows": CHURN_READ,
    "GET /churn/files/{file_id}/summary": CHURN_READ,
    "DELETE /churn/files/{file_id}": CHURN_OPERATE,
    "GET /experiments": CHURN_READ,
    "POST /experiments": Rule(role=Role.OPERATOR, on="all", body=_EXPERIMENT),
    "GET /experiments/{experiment_id}": CHURN_READ,
    "PUT /experiments/{experiment_id}": Rule(role=Role.OPERATOR, on="all", body=_EXPERIMENT),
    "DELETE /experiments/{experiment_id}": CHURN_OPERATE,
    "POST /experiments/{experiment_id}/reset": CHURN_OPERATE,
    "POST /experiments/{experiment_id}/run": Rule(role=Role.OPERATOR, on="all", body={"pipeline": "cf"}),
    "POST /run/churn": Rule(role=Role.OPERATOR, on="all", body={"experiment_id": 1}),
    "POST /run/cox": Rule(role=Role.OPERATOR, on="all", body={"experiment_id": 1}),
    "POST /run/cf": Rule(role=Role.OPERATOR, on="all", body={"experiment_id": 1}),
    "DELETE /experiments/{experiment_id}/chain": CHURN_OPERATE,
    "POST /churn/demo": CHURN_OPERATE,
    "GET /experiments/{experiment_id}/report": CHURN_READ,
    "GET /experiments/{experiment_id}/results": CHURN_READ,
    "GET /experiments/{experiment_id}/ledger": CHURN_READ,
    "GET /experiments/{experiment_id}/ledger/contacts.csv": CHURN_READ,
    "GET /experiments/{experiment_id}/late": CHURN_READ,
    "GET /jobs": CHURN_READ,
    "GET /jobs/{job_id}": CHURN_READ,
    "DELETE /jobs/{job_id}": CHURN_OPERATE,
    "POST /experiments/{experiment_id}/outbox": CHURN_OPERATE,
    "POST /experiments/{experiment_id}/materialize": CHURN_OPERATE,
    "GET /outbox/bundles": CHURN_READ,
    "POST /outbox/bundles/{domain}/{experiment_id}/import": CHURN_OPERATE,
}

_ROLES = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
CALLERS: Mapping[str, tuple[Role, tuple[Grant, ...]]] = {
    "nobody": (Role.NONE, ()),
    **{f"{role.word} of others": (Role.NONE, (Grant(role=role, pipelines="*-c"),)) for role in _ROLES},
    **{f"{role.word} of mine": (Role.NONE, (Grant(role=role, pipelines="mine-*"),)) for role in _ROLES},
    **{f"{role.word} of everything": (role, ()) for role in _ROLES},
    "viewer and operator of mine": (Role.VIEWER, (Grant(role=Role.OPERATOR, pipelines=MINE),)),
}
"""Weak ones first: what they may not do, they must not have done when the strong ones come."""


def _may(rule: Rule, role: Role, grants: tuple[Grant, ...]) -> bool:
    if rule.role is None:
        return True
    of_mine = [grant.role for grant in grants if grant.pipelines in ("mine-*", MINE)]
    found = {
        "all": role,
        "any": max([role, *(grant.role for grant in grants)]),
        "pipeline": max([role, *of_mine]),
    }[rule.on]
    return found >= rule.role


@dataclass(frozen=True, kw_only=True)
class World:
    """The whole API, with one of each thing for both pipelines."""

    product: Product
    app: FastAPI
    things: Mapping[str, str]
    tokens: Mapping[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("routes")
    settings = Settings(
        _env_file=None, data_dir=folder / "data", logs_dir=folder / "logs", pipelines_dir=folder / "pipelines"
    )
    settings.pipelines_dir.mkdir()
    for name in (MINE, OTHER):
        (settings.pipelines_dir / f"{name}.py").write_text("print(1)\n")
    product = build_product(settings)
    tokens = {
        name: product.tokens.create(name, role, grants=grants, actor=SYSTEM)[1].reveal()
        for name, (role, grants) in CALLERS.items()
    }
    runs = {name: [product.runs.submit(name, actor=SYSTEM).id for _ in range(2)] for name in (MINE, OTHER)}
    jobs = {
        name: product.schedules.schedules.create(
            Definition(pipeline_name=name, trigger="cron", expression="5 4 * * *"), actor=SYSTEM
        ).schedule.id
        for name in (MINE, OTHER)
    }
    secret = SecretText("a secret of some length")
    product.secrets.create("MINE", secret, pipelines=(MINE,), actor=SYSTEM)
    product.secrets.create(SECRET_OF_OTHER, secret, pipelines=(OTHER,), actor=SYSTEM)
    product.secrets.create("SHARED", secret, pipelines=(MINE, OTHER), actor=SYSTEM)
    product.users.create("ann", SecretText("some long password"), Role.VIEWER, actor=SYSTEM)
    others = {name: _add_more(product, name, runs[name][0]) for name in (MINE, OTHER)}
    things = {
        **others[MINE],
        **{f"{place} of other": thing for place, thing in others[OTHER].items()},
        "{name}": MINE,
        "{pipeline_name}": MINE,
        "{step}": MINE,
        "{run_id}": runs[MINE][0],
        "{other_id}": runs[MINE][1],
        "{path}": "none.txt",
        "{job_id}": jobs[MINE],
        "{hash}": "0" * 64,
        "{key}": "MINE",
        "{revision}": "77",
        "{experiment_id}": "77",
        "{file_id}": "77",
        "{domain}": "cox",
        "{sync_id}": "01980000-0000-7000-8000-000000000000",
        "{repository}": "none",
        "{session_id}": "01980000-0000-7000-8000-000000000000",
        "{token_id}": "01980000-0000-7000-8000-000000000000",
        "{run_id} of other": runs[OTHER][0],
        "{other_id} of other": runs[OTHER][0],
        "{job_id} of other": jobs[OTHER],
        "{name} of other": OTHER,
        "{step} of other": OTHER,
        "{key} of other": SECRET_OF_OTHER,
    }
    yield World(product=product, app=create_app(product), things=things, tokens=tokens)
    product.close()


def _add_more(product: Product, name: str, run_id: str) -> dict[str, str]:
    """A flow, a webhook, an alert and its rule, a failure and a dead letter of the pipeline, by their place in paths."""
    now = product.clock.now()
    hook = product.webhooks.create(WebhookDefinition(pipeline_name=name), None, actor=SYSTEM).webhook
    places = {
        "{flow_id}": product.flows.flows.start([name], actor=SYSTEM).flow.id,
        "{webhook_id}": hook.id,
        "{rule_id}": new_id(),
        "{alert_id}": new_id(),
        "{group}": hashlib.sha256(name.encode()).hexdigest()[:16],
    }
    by = {"created_at": now, "created_by": "system", "updated_at": now, "updated_by": "system"}
    rule = {"id": places["{rule_id}"], "name": "r", "pipeline_name": name, "origin": "user", "is_enabled": True}
    alert = {"id": places["{alert_id}"], "rule_id": rule["id"], "rule_name": "r", "key": name, "event": "failure"}
    sight = {"group_id": places["{group}"], "pipeline_name": name, "runs": 1, "last_run_id": run_id}
    settings = {"events": ["failure"], "channels": ["none"]}
    rows: Sequence[tuple[Table, Mapping[str, Any]]] = [
        (RULE, {**rule, **by, "settings": settings, "watched_until": now}),
        (ALERT, {**alert, "severity": 2, "pipeline_name": name, "run_id": run_id, "facts": {}, "at": now}),
        (GROUP, {"id": places["{group}"], "title": "ValueError", "frames": []}),
        (SIGHT, {**sight, "first_seen_at": now, "last_seen_at": now}),
        (LETTER, {"run_id": run_id, "pipeline_name": name, "state": "open", "created_at": now}),
    ]
    with product.database.write() as connection:
        for table, values in rows:
            connection.execute(insert(table), values)
    return places


def _path(route: str, things: Mapping[str, str]) -> str:
    path = route.partition(" ")[2]
    if path.startswith("/users/"):
        things = {**things, "{name}": "ann"}
    if path == "/ready":
        return f"{path}?for=requests"  # no runner works here
    if path == "/flows/plan":
        return f"{path}?root={things['{name}']}"
    for place, thing in things.items():
        path = path.replace(place, thing)
    return path + ("?pipelines=x" if route == "DELETE /users/{name}/grants" else "")


async def _ask(world: World, route: str, rule: Rule, token: str | None, path: str | None = None) -> tuple[int, str]:
    """Status and text; of a stream the status alone."""
    method = route.partition(" ")[0]
    path = path or _path(route, world.things)
    if rule.streams:
        return await _status(world.app, path, token), ""
    async with client_of(world.app, token=token) as client:
        answer = await client.request(method, path, json=rule.body)
        return answer.status_code, answer.text


async def _status(app: FastAPI, path: str, token: str | None) -> int:
    """Of an answer without an end."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and not started.done():
            started.set_result(message["status"])

    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "headers": headers,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "server": ("t", 80),
        "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip
    task = asyncio.create_task(app(scope, receive, send))
    try:
        return await started
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _routes(app: FastAPI) -> set[str]:
    return {f"{method.upper()} {path}" for path, item in app.openapi()["paths"].items() for method in item}


def test_routes_when_listed_then_each_has_a_rule_and_each_rule_a_route(world: World) -> None:
    assert _routes(world.app) == set(RULES)


@pytest.mark.parametrize("route", [route for route, rule in RULES.items() if rule.on == "pipeline"])
async def test_route_of_a_pipeline_when_called_for_another_pipeline_is_refused(world: World, route: str) -> None:
    rule = RULES[route]
    elsewhere = {place: world.things.get(f"{place} of other", thing) for place, thing in world.things.items()}
    body = rule.body
    if isinstance(body, dict):
        body = {name: OTHER if value == MINE else [OTHER] if value == [MINE] else value for name, value in body.items()}
    asked = Rule(role=rule.role, on=rule.on, body=body, streams=rule.streams)
    status, text = await _ask(world, route, asked, world.tokens["admin of mine"], _path(route, elsewhere))
    assert status == (404 if rule.hides else 403), text
    both = {**world.things, "{other_id}": world.things["{run_id} of other"]}
    if "{other_id}" in route:
        status, _ = await _ask(world, route, asked, world.tokens["admin of mine"], _path(route, both))
        assert status == 403


def test_secret_when_shared_is_not_decided_by_who_administers_one_of_its_pipelines(world: World) -> None:
    from fastflow.kit.errors import Forbidden
    from fastflow.kit.identity import Actor

    actor = Actor(name="user:ann", role=Role.NONE, grants=[Grant(role=Role.ADMIN, pipelines="mine-*")])
    secrets = world.product.secrets
    seen = {secret.key: secret.pipelines for secret in secrets.list(actor=actor).items}
    assert seen == {"MINE": (MINE,), "SHARED": (MINE,)}
    wide: list[tuple[str, ...] | None] = [None, (), (MINE, OTHER)]
    for change in [SecretChange(pipelines=pipelines, sets_pipelines=True) for pipelines in wide]:
        with pytest.raises(Forbidden):
            secrets.change("MINE", change, actor=actor)
        with pytest.raises(Forbidden):
            secrets.create("MORE", SecretText("some more text"), pipelines=change.pipelines, actor=actor)
    with pytest.raises(Forbidden):
        secrets.change("SHARED", SecretChange(value=SecretText("stolen secret")), actor=actor)
    with pytest.raises(Forbidden):
        secrets.delete("SHARED", actor=actor)


async def test_every_route_when_called_by_everybody_then_lets_in_exactly_those_of_its_rule(world: World) -> None:
    wrong: list[str] = []
    for route, rule in RULES.items():
        for caller in (None, *CALLERS):
            role, grants = CALLERS[caller] if caller else (Role.NONE, ())
            expected = rule.role is None or (caller is not None and _may(rule, role, grants))
            status, text = await _ask(world, route, rule, world.tokens[caller] if caller else None)
            refused = status in ((401, 403, 404) if rule.hides else (401, 403))
            if rule.role is None:  # it may still refuse the call itself: a password, a signature
                refused = '"unauthenticated"' in text
            if refused is expected or status >= 500:
                wrong.append(f"{route} by {caller}: {status} {text[:200]}")
            if caller and "mine" in caller and role is Role.NONE and OTHER in text:
                wrong.append(f"{route} by {caller} tells of the other pipeline: {text[:300]}")
    assert wrong == []
