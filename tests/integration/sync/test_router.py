"""`/sync` over HTTP, webhooks among it."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.integration.sync.conftest import ADMIN, OPERATOR, House

from fastflow.kernel.http.app import build_app
from fastflow.kernel.sync.router import build_router
from fastflow.kit.identity import Actor, Role

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
ACTORS = {
    "viewer": Actor(name="user:vera", role=Role.VIEWER),
    "operator": OPERATOR,
    "admin": ADMIN,
    "scoped": replace(OPERATOR, pipelines=("other",)),
}
SECRET = "It's a Secret to Everybody"


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    room = house.product.sync
    app = build_app(
        [build_router(room.repositories, room.syncs, room.webhooks)],
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


async def add(client: httpx.AsyncClient, house: House, **values: Any) -> dict[str, Any]:
    body = {"name": "flows", "url": house.upstream.url, **values}
    answer = await client.post("/sync/repositories", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_sync_when_nothing_is_there_then_the_problem_says_what_to_do(client: httpx.AsyncClient) -> None:
    told = problem(await client.post("/sync"), 409, "no_repository")
    assert "GIT_URL" in told["hint"]
    assert (await client.get("/sync/status")).json() == {"items": []}
    problem(await client.post("/sync", json={"repository": "flows"}), 404, "repository_not_found")


async def test_repositories_when_made_changed_and_listed_then_they_are_shown_without_secrets(
    client: httpx.AsyncClient, house: House
) -> None:
    made = await add(client, house)
    assert (made["branch"], made["auth"], made["origin"], made["created_by"]) == ("main", "none", "user", "user:ada")
    assert (await client.get("/sync/repositories")).json() == {"items": [made], "next_cursor": None}
    problem(
        await client.post("/sync/repositories", json={"name": "flows", "url": house.upstream.url}),
        409,
        "repository_exists",
    )
    changed = (await client.patch("/sync/repositories/flows", json={"branch": "stable"})).json()
    assert (changed["branch"], changed["url"]) == ("stable", house.upstream.url)
    wrong = await client.patch("/sync/repositories/flows", json={"url": "https://a:hunter2@host/x.git"})
    told = problem(wrong, 422, "invalid_repository")
    assert "credentials" in told["fields"]["url"] and "hunter2" not in wrong.text
    assert (await client.get("/sync/repositories/flows")).json()["url"] == house.upstream.url
    near = problem(await client.get("/sync/repositories/flow"), 404, "repository_not_found")
    assert "Did you mean 'flows'?" in near["detail"]
    assert (await client.delete("/sync/repositories/flows")).status_code == 204


@pytest.mark.parametrize("who", ["viewer", "scoped"])
async def test_changes_when_asked_for_without_the_right_then_they_are_refused(
    client: httpx.AsyncClient, house: House, who: str
) -> None:
    await add(client, house)
    headers = {"as": who}
    for path, body in (
        ("/sync", {}),
        ("/sync/rollback", {}),
        ("/sync/repositories", {"name": "x", "url": "https://h/x"}),
    ):
        assert (await client.post(path, json=body, headers=headers)).status_code == 403, path
    assert (await client.get("/sync/status", headers=headers)).status_code == 200


async def test_sync_when_carried_out_then_history_events_and_status_tell_of_it(
    client: httpx.AsyncClient, house: House
) -> None:
    await add(client, house)
    answer = await client.post("/sync", json={"reason": "try"}, headers={"as": "operator"})
    assert answer.status_code == 202
    (asked,) = answer.json()["items"]
    assert (asked["state"], asked["trigger"], asked["requested_by"]) == ("queued", "api", "user:olga")
    await house.product.sync.make_syncer().work_off(asked["id"])
    done = (await client.get(f"/sync/history/{asked['id']}?wait=5")).json()
    assert done["state"] == "activated" and done["plan"]["pipelines"][0]["name"] == "hello"
    assert (await client.get("/sync/history?repository=flows&limit=1")).json() == {"items": [done], "next_cursor": None}
    events = await client.get(f"/sync/history/{asked['id']}/events")
    kinds = [line.removeprefix("event: ") for line in events.text.splitlines() if line.startswith("event: ")]
    assert kinds[0] == "step" and kinds[-1] == "end" and "pipeline" in kinds
    ids = [line.removeprefix("id: ") for line in events.text.splitlines() if line.startswith("id: ")]
    resumed = await client.get(f"/sync/history/{asked['id']}/events", headers={"Last-Event-ID": ids[-2]})
    assert [line for line in resumed.text.splitlines() if line.startswith("id: ")] == [f"id: {ids[-1]}"]
    (status,) = (await client.get("/sync/status")).json()["items"]
    assert status["active"]["commit"] == status["remote_commit"] == done["commit"]
    assert status["sync"]["id"] == asked["id"] and status["progress"] == []
    problem(await client.get("/sync/history/01a1fdf1-a861-7307-9d37-3214aaa0578a"), 404, "sync_not_found")
    problem(await client.get("/sync/history/x"), 422, "invalid_id")
    problem(await client.post("/sync/rollback"), 404, "version_not_found")
    house.upstream.push({"hello.py": "print('two')\n"})
    await house.sync()
    back = (await client.post("/sync/rollback", json={"reason": "no"})).json()
    assert (back["action"], back["state"], back["commit"]) == ("rollback", "activated", done["commit"])
    (status,) = (await client.get("/sync/status")).json()["items"]
    assert status["held_commit"] == back["commit_before"]


async def test_status_when_a_sync_is_under_way_then_it_shows_its_progress(
    client: httpx.AsyncClient, house: House
) -> None:
    await add(client, house)
    await client.post("/sync")
    claimed = house.product.sync.work.claim()
    assert claimed is not None
    from fastflow.kernel.sync.domain.sync import NewEvent

    now = house.product.clock.now()
    told = [
        NewEvent(at=now, kind="step", data={"step": "fetch", "text": "fetching"}),
        NewEvent(at=now, kind="step", data={"step": "preheat", "text": "building"}),
        NewEvent(at=now, kind="pipeline", data={"pipeline": "hello", "state": "building"}),
        NewEvent(at=now, kind="line", data={"pipeline": "hello", "line": "one"}),
        NewEvent(at=now, kind="line", data={"pipeline": "hello", "line": "two"}),
    ]
    house.product.sync.store.add_events(claimed.id, told)
    (status,) = (await client.get("/sync/status")).json()["items"]
    assert status["sync"]["state"] == "running"
    assert [
        event["data"].get("line") or event["data"].get("state") or event["data"]["text"] for event in status["progress"]
    ] == [
        "building",
        "building",
        "two",
    ]


# --- webhooks ----------------------------------------------------------------------------------------------------------


def push(ref: str = "refs/heads/main", **values: Any) -> bytes:
    return json.dumps({"ref": ref, "after": "a" * 40, "pusher": {"name": "ada"}, **values}).encode()


def signed(body: bytes, secret: str = SECRET, event: str = "push") -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-Hub-Signature-256": f"sha256={digest}",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "Content-Type": "application/json",
        "as": "nobody",
    }


@pytest.fixture
async def hooked(client: httpx.AsyncClient, house: House) -> httpx.AsyncClient:
    house.secret("HOOK", SECRET)
    await add(client, house, webhook_secret="HOOK")
    return client


async def test_webhook_when_signed_and_of_the_branch_then_it_asks_for_a_sync_once(
    hooked: httpx.AsyncClient, house: House
) -> None:
    body = push()
    answer = await hooked.post("/sync/webhook/flows", content=body, headers=signed(body))
    assert answer.status_code == 202, answer.text
    (asked,) = house.product.sync.syncs.list(actor=ADMIN).items
    assert answer.json() == {"sync_id": asked.id, "why": "The branch main was pushed."}
    assert (asked.trigger, asked.requested_by, asked.reason) == ("webhook", "webhook:flows", "pushed by ada")
    again = await hooked.post("/sync/webhook/flows", content=body, headers=signed(body))
    problem(again, 409, "webhook_repeated")
    # under another delivery id, which nobody signs, it is the same one
    headers = signed(body) | {"X-GitHub-Delivery": "another"}
    problem(await hooked.post("/sync/webhook/flows", content=body, headers=headers), 409, "webhook_repeated")
    assert len(house.product.sync.syncs.list(actor=ADMIN).items) == 1


async def test_webhook_when_not_signed_by_the_host_then_it_is_refused_without_a_word_of_why(
    hooked: httpx.AsyncClient, house: House, client: httpx.AsyncClient
) -> None:
    body = push()
    house.add("silent")
    house.secret("TOKEN", "some-token")
    attempts = [
        ("flows", {}),
        ("flows", signed(body, "another secret")),
        ("flows", signed(push(after="b" * 40))),
        ("flows", signed(body) | {"X-Hub-Signature-256": "sha1=abc"}),
        ("flows", {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-GitHub-Event": "push"}),
        ("silent", signed(body)),
        ("unknown", signed(body)),
    ]
    told = {
        (await hooked.post(f"/sync/webhook/{name}", content=body, headers=headers)).text for name, headers in attempts
    }
    assert len(told) == 1 and json.loads(told.pop())["code"] == "webhook_refused"
    house.product.secrets.delete("HOOK", actor=ADMIN)
    problem(await hooked.post("/sync/webhook/flows", content=body, headers=signed(body)), 403, "webhook_refused")
    assert house.product.sync.syncs.list(actor=ADMIN).items == []


async def test_webhook_when_it_concerns_nothing_that_is_followed_then_it_says_so(
    hooked: httpx.AsyncClient, house: House
) -> None:
    cases = [
        (push("refs/heads/feature"), "push", "feature was pushed; main is followed."),
        (push("refs/tags/v1"), "push", "refs/tags/v1 was pushed; main is followed."),
        (push(deleted=True), "push", "was deleted; the active version stays"),
        (b"{}", "ping", "The webhook works."),
        (b"{}", "issues", "Nothing follows from the event 'issues'"),
    ]
    for body, event, why in cases:
        answer = await hooked.post("/sync/webhook/flows", content=body, headers=signed(body, event=event))
        assert answer.status_code == 202 and answer.json()["sync_id"] is None
        assert why in answer.json()["why"]
    for body in (b"payload=%7B%7D", b"[]", b"{}"):
        wrong = await hooked.post("/sync/webhook/flows", content=body, headers=signed(body))
        problem(wrong, 422, "webhook_unreadable")
    assert house.product.sync.syncs.list(actor=ADMIN).items == []


async def test_webhook_when_the_commit_was_rolled_back_from_then_it_stays_away(
    hooked: httpx.AsyncClient, house: House
) -> None:
    await house.sync()
    bad = house.upstream.push({"hello.py": "print('two')\n"})
    await house.sync()
    house.rollback()
    body = push(after=bad)
    answer = await hooked.post("/sync/webhook/flows", content=body, headers=signed(body))
    assert answer.json()["sync_id"] is None and "rolled back from" in answer.json()["why"]
