from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from tests.integration.environments.projects import write_local_project
from tests.integration.pipelines.conftest import Write

from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.environments.wiring import build_environments
from fastflow.kernel.http.problems import install_problem_handlers
from fastflow.kernel.pipelines.router import build_router
from fastflow.kernel.pipelines.service import PipelineCatalog, WarmUp
from fastflow.kit.identity import Actor, Role
from fastflow.testing.clock import START, FakeClock

VIEWER = Actor(name="user:viewer", role=Role.VIEWER)
SCOPED = Actor(name="token:scoped", role=Role.ADMIN, pipelines=("hello",))


@pytest.fixture
def environments(database: Database, data_dir: Path, clock: FakeClock) -> EnvironmentService:
    return build_environments(database, data_dir=data_dir, environ={"UV_OFFLINE": "1"}, clock=clock)


@pytest.fixture
async def client(catalog: PipelineCatalog, environments: EnvironmentService) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_problem_handlers(app)
    app.include_router(build_router(catalog, environments))
    app.state.authenticate = lambda request: SCOPED if request.headers.get("scope") else VIEWER
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_list_when_asked_then_summaries_with_faults_and_memory(
    client: httpx.AsyncClient, catalog: PipelineCatalog, write: Write, database: Database
) -> None:
    write("hello.py")
    write("bad.py", "x = = 1\n")
    write("rfm/main.py")
    write("rfm/requirements.txt", "six\n")
    write("rfm/pipeline.toml", '[params]\nCITY = "string"\n')
    items = {item["name"]: item for item in (await client.get("/pipelines")).json()["items"]}
    assert list(items) == ["bad", "hello", "rfm"]
    assert items["bad"]["faults"][0]["line"] == 1
    assert items["bad"]["healthy"] is False
    assert items["rfm"]["has_requirements"] is True
    assert items["rfm"]["params_schema"]["required"] == ["CITY"]
    assert items["rfm"]["last_cache_warmup"] is None
    catalog.mark_warm("rfm")
    again = {item["name"]: item for item in (await client.get("/pipelines")).json()["items"]}
    assert again["rfm"]["last_cache_warmup"].startswith(START.strftime("%Y-%m-%dT%H:%M"))
    with database.read() as connection:
        rows = connection.execute(text("SELECT pipeline_name, has_requirements FROM pipeline ORDER BY 1")).all()
    assert [(row[0], bool(row[1])) for row in rows] == [("bad", False), ("hello", False), ("rfm", True)]


async def test_detail_when_asked_then_all_settings(client: httpx.AsyncClient, write: Write) -> None:
    write("a/main.py", "import json\n")
    write("a/pipeline.toml", 'timeout = "1m"\nconcurrency = 2\nsecrets = ["KEY"]\n[limits]\nmemory = "1GB"\n')
    answer = (await client.get("/pipelines/a")).json()
    assert answer["timeout"] == 60
    assert answer["concurrency"] == {"limit": 2, "key": None, "per_key": None, "policy": "queue"}
    assert answer["limits"]["memory_bytes"] == 2**30
    assert answer["secrets"] == ["KEY"]
    assert answer["modules"] == ["json"]
    assert answer["first_seen_at"] is not None


async def test_check_when_asked_then_faults_with_remedies(client: httpx.AsyncClient, write: Write) -> None:
    write("a/main.py")
    write("a/pipeline.toml", "timeot = 1\n")
    answer = (await client.get("/pipelines/a/check")).json()
    assert answer["healthy"] is False
    assert (answer["faults"][0]["file"], answer["faults"][0]["line"]) == ("a/pipeline.toml", 1)
    assert answer["faults"][0]["hint"]


async def test_scope_when_it_covers_one_pipeline_then_no_other_is_seen(client: httpx.AsyncClient, write: Write) -> None:
    write("hello.py")
    write("other.py")
    scoped = {"scope": "yes"}
    assert [item["name"] for item in (await client.get("/pipelines", headers=scoped)).json()["items"]] == ["hello"]
    assert (await client.get("/pipelines/hello", headers=scoped)).status_code == 200
    assert (await client.get("/pipelines/other", headers=scoped)).status_code == 403


@pytest.mark.parametrize(("name", "status"), [("nope", 404), ("%2e%2e", 422), ("a%20b", 422), ("a%00b", 422)])
async def test_detail_when_the_name_is_unknown_or_a_trick_then_a_problem(
    client: httpx.AsyncClient, name: str, status: int
) -> None:
    answer = await client.get(f"/pipelines/{name}")
    assert answer.status_code == status
    assert answer.json()["hint"]


@pytest.fixture
def no_pipelines_dir(pipelines_dir: Path) -> None:
    pipelines_dir.rmdir()


@pytest.mark.usefixtures("no_pipelines_dir")
async def test_list_when_the_folder_is_gone_then_a_problem_names_the_setting(client: httpx.AsyncClient) -> None:
    answer = await client.get("/pipelines")
    assert answer.status_code == 503
    assert "PIPELINES_DIR" in answer.json()["fields"]


async def test_list_when_asked_then_how_far_each_environment_is(
    client: httpx.AsyncClient, catalog: PipelineCatalog, environments: EnvironmentService, write: Write
) -> None:
    async def states() -> dict[str, Any]:
        return {item["name"]: item["environment"] for item in (await client.get("/pipelines")).json()["items"]}

    write("bad.py", "x = = 1\n")
    write("missing.py", '# /// script\n# requires-python = "==3.1.*"\n# dependencies = []\n# ///\n')
    write("plain.py")
    write_local_project(write("with_code/main.py").parent / "lib")
    write("with_code/requirements.txt", "./lib\n")
    unknown = {"state": "not built", "hash": None, "why": None}
    assert await states() == {"bad": None, "missing": unknown, "plain": unknown, "with_code": unknown}
    code = catalog.freeze("with_code")
    assert (await states())["with_code"] == unknown

    warmed = {one.pipeline: one.environment for one in await WarmUp(catalog, environments).warm()}
    found = await states()
    for name in ("plain", "with_code"):
        assert found[name] == {"state": "ready", "hash": warmed[name], "why": None}
        assert (await client.get(f"/pipelines/{name}")).json()["environment"] == found[name]
    assert found["missing"]["state"] == "failed"
    assert "3.1" in found["missing"]["why"]

    write("with_code/main.py", "print('another text, so another input')\n")
    assert (await states())["with_code"] == unknown
    assert catalog.environment(catalog.get("with_code")).input_hash != code.environment.input_hash
    assert (
        catalog.environment(catalog.get("with_code")).input_hash == catalog.freeze("with_code").environment.input_hash
    )


async def test_warm_up_when_some_are_broken_then_the_others_are_made_ready(
    catalog: PipelineCatalog, environments: EnvironmentService, write: Write
) -> None:
    write("good.py")
    write("bad.py", "x = = 1\n")
    write("missing.py", '# /// script\n# requires-python = "==3.1.*"\n# dependencies = []\n# ///\n')
    warmed = {one.pipeline: one for one in await WarmUp(catalog, environments).warm()}
    assert set(warmed) == {"good", "missing"}
    assert warmed["good"].built
    assert warmed["good"].environment == environments.resolved_hash(catalog.freeze("good").environment)
    assert "3.1" in (warmed["missing"].problem or "")
    assert catalog.memories()["good"].last_cache_warmup == START
    assert catalog.memories()["missing"].last_cache_warmup is None
