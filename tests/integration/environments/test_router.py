from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.domain.environment import EnvironmentCard
from fastflow.kernel.environments.infra.catalogue import SqlCatalogue
from fastflow.kernel.environments.infra.sealing import seal
from fastflow.kernel.environments.router import build_router
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.environments.wiring import build_environments
from fastflow.kernel.http.problems import install_problem_handlers
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.testing.clock import START, FakeClock

ONE, TWO = "1" * 64, "2" * 64


def _card(name: str, lock: str = "six==1.17.0") -> EnvironmentCard:
    return EnvironmentCard(
        hash=name,
        interpreter="cpython-3.11.7",
        lock=lock,
        uv_version="1.0",
        size_bytes=2**33,
        packages=1,
        build_seconds=0.5,
        built_at=START,
        last_used_at=START,
    )


def _lay_out(data_dir: Path, card: EnvironmentCard) -> None:
    folder = data_dir / "envs" / card.hash
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    seal(folder, card, None)


@pytest.fixture
def service(database: Database, data_dir: Path, clock: FakeClock) -> EnvironmentService:
    for name in (ONE, TWO):
        _lay_out(data_dir, _card(name))
    return build_environments(database, data_dir=data_dir, clock=clock)


@pytest.fixture
async def client(service: EnvironmentService) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_problem_handlers(app)
    app.include_router(build_router(service, in_use=lambda: {TWO}, retention_days=30))
    app.state.authenticate = lambda request: Actor(name="user:x", role=Role[request.headers.get("role", "VIEWER")])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_list_when_asked_then_sizes(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/environments")).json()
    assert [item["hash"] for item in answer["items"]] == [ONE, TWO]
    assert answer["total_bytes"] == 2**34
    assert "lock" not in answer["items"][0]
    assert (await client.get(f"/environments/{ONE}")).json()["lock"] == "six==1.17.0"


@pytest.mark.parametrize(("name", "status"), [("0" * 64, 404), ("nope", 422), ("..%2f..", 404)])
async def test_detail_when_unknown_or_odd_then_a_problem(client: httpx.AsyncClient, name: str, status: int) -> None:
    answer = await client.get(f"/environments/{name}")
    assert answer.status_code == status


async def test_collect_when_asked_then_the_unused_go_and_the_audit_log_tells(
    client: httpx.AsyncClient, clock: FakeClock, data_dir: Path, database: Database
) -> None:
    clock.advance(timedelta(days=31))
    admin = {"role": "ADMIN"}
    planned = (await client.post("/environments/gc", json={"dry_run": True}, headers=admin)).json()
    assert planned["hashes"] == [ONE]
    assert planned["freed_bytes"] > 0
    assert (data_dir / "envs" / ONE).exists()
    none = (await client.post("/environments/gc", json={"unused_days": 32}, headers=admin)).json()
    assert none["hashes"] == []
    done = (await client.post("/environments/gc", json={"unused_days": 1}, headers=admin)).json()
    assert (done["hashes"], done["dry_run"]) == ([ONE], False)
    assert [path.name for path in (data_dir / "envs").iterdir()] == [TWO]
    assert [item["hash"] for item in (await client.get("/environments")).json()["items"]] == [TWO]
    with database.read() as connection:
        rows = connection.execute(text("SELECT actor, action FROM audit ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [("user:x", "environment.gc")] * 2


async def test_collect_when_not_admin_or_wrong_then_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/environments/gc", json={})).status_code == 403
    admin = {"role": "ADMIN"}
    for body in ({"unused_days": -1}, {"unused_days": "x"}, {"days": 1}, {"unused_days": 1e9}):
        assert (await client.post("/environments/gc", json=body, headers=admin)).status_code == 422


def test_catalogue_when_used_then_first_resolution_holds_until_removed(database: Database) -> None:
    catalogue = SqlCatalogue(database)
    catalogue.save(_card(ONE))
    catalogue.save(_card(ONE, lock="other"))
    found = catalogue.find(ONE)
    assert found == _card(ONE)
    assert catalogue.find(TWO) is None
    assert catalogue.save_resolution("key", ONE, START) == ONE
    assert catalogue.save_resolution("key", TWO, START) == ONE
    assert catalogue.save_resolution("key", TWO, START, replacing=ONE) == TWO
    assert catalogue.find_resolution("key") == TWO
    later = START + timedelta(seconds=1)
    catalogue.touch(ONE, later)
    assert catalogue.load_all()[0].last_used_at == later
    catalogue.save(_card(TWO))
    catalogue.remove(TWO, keep_resolved=True)
    assert catalogue.find(TWO) is not None
    catalogue.remove_resolution("key", actor=SYSTEM, at=START)
    assert catalogue.find_resolution("key") is None
    catalogue.remove(TWO, keep_resolved=True)
    assert catalogue.find(TWO) is None
