"""The OpenAPI document is complete, and what it says of credentials and errors is true."""

import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastflow.bootstrap import Product, build_product
from fastflow.kernel.http.openapi import TAGS
from fastflow.kernel.http.problems import MEDIA_TYPE
from fastflow.kernel.locks import hold_file_lock
from fastflow.kit.identity import Actor, Role
from fastflow.routers import find_part
from fastflow.serve import RUNNER_LOCK
from fastflow.settings import Settings
from fastflow.testing.http import client_of
from fastflow.web import create_app, create_part

OPEN = {
    ("get", "/health"),
    ("get", "/ready"),
    ("post", "/auth/login"),
    ("get", "/auth/oidc/login"),
    ("get", "/auth/oidc/callback"),
    ("get", "/auth/oidc/logout"),
    ("post", "/webhooks/{pipeline_name}/{key}"),
    ("post", "/sync/webhook/{repository}"),
}
"""What answers without credentials; of a webhook the key or the signature is one."""


@pytest.fixture
def product(settings: Settings) -> Iterator[Product]:
    built = build_product(settings)
    yield built
    built.close()


@pytest.fixture
def app(product: Product) -> FastAPI:
    return create_app(product)


@pytest.fixture
async def local(product: Product) -> AsyncIterator[httpx.AsyncClient]:
    """A client that needs no credentials, as the command line has one."""
    async with client_of(create_app(product, local_actor=Actor(name="cli:me", role=Role.ADMIN))) as client:
        yield client


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, found) for path, item in document["paths"].items() for method, found in item.items()]


def test_document_when_made_warns_of_nothing_and_names_every_operation_once(app: FastAPI) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = app.openapi()
    found = _operations(document)
    ids = [operation["operationId"] for _, _, operation in found]
    assert len(ids) == len(set(ids))
    assert len(ids) > 30
    known = {name for name, _ in TAGS}
    for method, path, operation in found:
        where = f"{method} {path}"
        assert len(operation["tags"]) == 1, where
        assert operation["tags"][0] in known, where
        assert operation["operationId"].startswith(operation["tags"][0] + "_"), where
        assert operation.get("description"), where
    assert {tag["name"] for tag in document["tags"]} == {operation["tags"][0] for _, _, operation in found}


def test_parts_when_a_path_is_asked_then_the_part_for_it_has_just_the_operations_of_the_whole(
    product: Product, app: FastAPI
) -> None:
    """The command line in-process makes one part; a path in the wrong one would be a 404 there and nowhere else."""
    whole, local = app.openapi()["paths"], Actor(name="cli:me", role=Role.ADMIN)
    parts = {path: find_part(path.replace("{", "").replace("}", "")) for path in whole}
    documents = {part: create_part(product, part, local_actor=local).openapi() for part in {*parts.values()} if part}
    wrong = [
        path for path, part in parts.items() if part and set(documents[part]["paths"].get(path, ())) != set(whole[path])
    ]
    assert (wrong, [path for path, part in parts.items() if part is None]) == ([], ["/health", "/ready", "/metrics"])
    assert sum(len(document["paths"]) for document in documents.values()) == len(whole) - 3


def test_document_when_read_says_who_needs_credentials_and_what_errors_look_like(app: FastAPI) -> None:
    document = app.openapi()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "session"}
    for method, path, operation in _operations(document):
        where = f"{method} {path}"
        assert ("security" in operation) == ((method, path) not in OPEN), where
        for status, answer in operation["responses"].items():
            if status.startswith(("4", "5")) and where != "get /ready" and status != "416":
                assert set(answer["content"]) == {MEDIA_TYPE}, (where, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_every_operation_when_called_without_credentials_is_refused(app: FastAPI) -> None:
    async with client_of(app) as client:
        for method, path, _ in _operations(app.openapi()):
            if (method, path) in OPEN:
                continue
            address = path.replace("{", "").replace("}", "")
            for credentials in ({}, {"Authorization": "Bearer ff_x"}, {"Cookie": "fastflow_session=x"}):
                answer = await client.request(method, address, headers=credentials)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/docs/assets/swagger-ui-bundle.js", "/docs/start.js"]
)
async def test_docs_when_asked_for_come_from_this_server_and_need_credentials(
    app: FastAPI, local: httpx.AsyncClient, path: str
) -> None:
    async with client_of(app) as client:
        assert (await client.get(path)).status_code == 401
    answer = await local.get(path)
    assert answer.status_code == 200
    if answer.headers["content-type"].startswith("text/html"):
        assert "http" not in answer.text, "the page loads nothing from elsewhere"
        assert "unsafe-inline'" not in answer.headers["content-security-policy"].partition("style-src")[0]


async def test_docs_when_their_page_names_a_file_it_is_there(local: httpx.AsyncClient) -> None:
    for page in ("/docs", "/redoc"):
        text = (await local.get(page)).text
        named = [part.split('"')[0] for part in text.replace('href="', 'src="').split('src="')[1:]]
        assert named
        for name in named:
            assert (await local.get(f"/{name}")).status_code == 200, name


async def test_local_actor_when_given_needs_no_credentials(local: httpx.AsyncClient) -> None:
    me = (await local.get("/auth/me")).json()
    assert me == {
        "name": "cli:me",
        "role": "admin",
        "pipelines": None,
        "grants": [],
        "csrf_token": None,
        "is_from_provider": False,
        "must_change_password": False,
    }
    refused = await local.put("/auth/password", json={"current_password": "x" * 10, "new_password": "y" * 10})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_password")


async def test_health_when_a_part_fails_says_which_and_what_to_do(
    product: Product, local: httpx.AsyncClient, settings: Settings
) -> None:
    runner = settings.data_dir / "run" / "runner.json"
    runner.write_text('{"pid": 1, "executors": {"process": {"namespaces": ["mount", "pid"]}}}')
    answer = (await local.get("/health")).json()
    assert (answer["status"], answer["parts"]["runner"]["ok"]) == ("degraded", False)
    assert "stay in the queue" in answer["parts"]["runner"]["hint"]
    async with hold_file_lock(settings.data_dir / RUNNER_LOCK):
        answer = (await local.get("/health")).json()
        assert answer["status"] == "ok"
        assert answer["parts"]["runner"]["executors"]["process"]["namespaces"] == ["mount", "pid"]
        runner.write_text("{")
        answer = (await local.get("/health")).json()
        assert (answer["status"], answer["parts"]["runner"]["ok"]) == ("degraded", False)
    settings.logs_dir.rmdir()
    answer = (await local.get("/health")).json()
    assert "LOGS_DIR" in answer["parts"]["disk"]["problem"]


async def test_ready_when_the_database_is_away_is_not(
    product: Product, local: httpx.AsyncClient, settings: Settings, app: FastAPI
) -> None:
    assert (await local.get("/ready?for=requests")).status_code == 200
    product.database.close()
    (settings.data_dir / "fastflow.db").write_bytes(b"not a database at all" * 100)
    answer = await local.get("/ready?for=requests")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert (answer.json()["ready"], answer.json()["missing"]) == (False, ["database"])
    assert "damaged" in answer.json()["reasons"]["database"]
    assert (await local.get("/health")).status_code == 200
