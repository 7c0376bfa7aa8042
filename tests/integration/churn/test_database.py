"""The churn database over the API and the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.ports import Note
from fastflow.bootstrap import Product
from fastflow.cli.app import app as commands
from fastflow.kit.identity import SYSTEM, Role
from fastflow.settings import Settings
from fastflow.workbenches import churn_paths

ClientOf = Callable[..., httpx.AsyncClient]


def add_view(product: Product, name: str) -> None:
    def edit(document: Document) -> tuple[Document, Note]:
        views = [*document.records("views"), {"name": name, "sql": "SELECT 1"}]
        return document.with_records("views", views), Note(actor=SYSTEM, action="test.change", subject=name)

    product.churn.store.change(edit)


async def test_paths_when_asked_then_their_values_and_origins_are_told(
    product: Product, client: ClientOf, settings: Settings
) -> None:
    async with client(Role.VIEWER) as viewer:
        told = (await viewer.get("/churn/paths")).json()["paths"]
        outbox = (await viewer.get("/outbox/info")).json()
    assert [(one["setting"], one["path"], one["origin"]) for one in told] == [
        ("CHURN_DB_PATH", str(settings.data_dir / "churn" / "churn_database.json"), "default"),
        ("OUTBOX_ROOT", str(settings.data_dir / "churn" / "outbox"), "default"),
        ("UI_SETTINGS_PATH", str(settings.data_dir / "churn" / "ui_settings.json"), "default"),
    ]
    assert (outbox["root"], outbox["exists"], outbox["writable"]) == (told[1]["path"], False, True)
    assert outbox["paths"] == told


def test_paths_when_variables_are_set_then_they_win_and_say_so(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"OUTBOX_ROOT={tmp_path}/out\n")
    monkeypatch.setenv("CHURN_DB_PATH", "db/churn.json")
    paths = churn_paths(Settings(data_dir=settings.data_dir))
    assert [(str(one.path), one.origin) for one in paths.listed()] == [
        (f"{tmp_path}/db/churn.json", "environment"),
        (f"{tmp_path}/out", "file"),
        (str(settings.data_dir / "churn" / "ui_settings.json"), "default"),
    ]


async def test_snapshot_when_restored_over_the_api_then_the_state_is_back_and_the_audit_log_says_who(
    product: Product, client: ClientOf
) -> None:
    add_view(product, "one")
    add_view(product, "two")
    async with client() as admin:
        listed = (await admin.get("/churn/database/snapshots")).json()["items"]
        assert [one["revision"] for one in listed] == [1]
        done = await admin.post("/churn/database/snapshots/1/restore")
        assert done.status_code == 200 and done.json()["revision"] == 3
        state = (await admin.get("/churn/database")).json()
        gone = await admin.post("/churn/database/snapshots/77/restore")
    views = next(table for table in state["tables"] if table["name"] == "views")
    assert (views["rows"], state["revision"], state["problem"]) == (1, 3, "")
    assert (gone.status_code, gone.json()["code"]) == (404, "churn_snapshot_not_found")
    newest = product.audit.list(limit=1).items[0]
    assert (newest.action, newest.actor, newest.detail) == ("churn_database.restore", "token:t3", {"revision": 1})


async def test_export_when_imported_over_the_api_then_everything_is_back(product: Product, client: ClientOf) -> None:
    add_view(product, "one")
    async with client() as admin:
        exported = await admin.get("/churn/database/export")
        add_view(product, "two")
        done = await admin.post("/churn/database/import", content=exported.content)
        assert done.json()["revision"] == 3
        refused = await admin.post("/churn/database/import", content=exported.content[:-20])
    assert (refused.status_code, refused.json()["code"]) == (422, "churn_export_refused")
    assert [row["name"] for row in product.churn.store.read().records("views")] == ["one"]
    assert list(product.settings.data_dir.glob("churn/upload-*")) == []


async def test_import_when_the_body_is_larger_than_the_limit_of_other_bodies_then_it_is_read(
    settings: Settings, product: Product, client: ClientOf
) -> None:
    body = b" " * int(settings.max_body_mb * 2**20 + 1)
    async with client() as admin:
        told = await admin.post("/churn/database/import", content=body)
        other = await admin.post("/churn/database/snapshots/1/restore", content=body)
    assert (told.status_code, other.status_code) == (422, 413)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_database_when_the_role_is_lower_then_it_is_not_replaced(client: ClientOf, role: Role) -> None:
    async with client(role) as somebody:
        assert (await somebody.get("/churn/database")).status_code == 200
        exported = await somebody.get("/churn/database/export")
        assert exported.status_code == (200 if role is Role.OPERATOR else 403)
        assert (await somebody.post("/churn/database/import", content=b"{}")).status_code == 403
        assert (await somebody.post("/churn/database/snapshots/1/restore")).status_code == 403


async def test_database_when_damaged_then_the_api_says_what_is_wrong_and_what_to_do(
    product: Product, client: ClientOf
) -> None:
    add_view(product, "one")
    product.churn.store.path.write_text("{")
    async with client() as admin:
        state = (await admin.get("/churn/database")).json()
        refused = await admin.get("/churn/database/export")
    assert state["revision"] is None and "line 1" in state["problem"]
    assert refused.status_code == 503 and "restore" in refused.json()["hint"]


def test_commands_when_used_then_a_database_goes_out_and_comes_back(
    product: Product, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data_dir", "logs_dir", "pipelines_dir"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    add_view(product, "one")

    def run(*words: str) -> str:
        done = CliRunner().invoke(commands, ["churn", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "CHURN_DB_PATH" in run("paths") and "default" in run("paths")
    assert "is written" in run("db", "export", "all.json")
    add_view(product, "two")
    assert json.loads(run("db", "snapshots", "--json"))["items"][0]["revision"] == 1
    assert "as revision 3" in run("db", "import", "all.json", "--yes")
    assert "as revision 4" in run("db", "restore", "2", "--yes")
    assert json.loads(run("db", "show", "--json"))["revision"] == 4
    assert len(product.churn.store.read().records("views")) == 2
