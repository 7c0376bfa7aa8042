"""Bundles: results that go into the outbox and come back."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.churn.definitions import GIVEN, OTHER
from typer.testing import CliRunner

from fastflow.apps.churn.domain.document import Document, Segment, Table
from fastflow.apps.churn.domain.experiment import PROCESSED, PROCESSING
from fastflow.apps.churn.infra.bundles import DiskBundles
from fastflow.apps.churn.infra.disk import Disk
from fastflow.apps.churn.ports import Note, Parcel
from fastflow.bootstrap import Product
from fastflow.cli.app import app as commands
from fastflow.kit.identity import SYSTEM
from fastflow.settings import Settings

ClientOf = Callable[..., httpx.AsyncClient]


def results(product: Product, number: int) -> None:
    """As runs would leave them: figures of churn and Cox as records, customers as a segment."""

    def edit(document: Document) -> tuple[Document, Note]:
        for name in ("experiment_kpis", "cox_analysis_metrics"):
            table = document.tables.get(name) or Table(description=f"of {name}", source="churn", records=())
            rows = [{"experiment_id": number, "metric": f"m{place}", "value": place / 3} for place in range(3)]
            document = document.with_table(name, table).with_records(name, [*(table.records or ()), *rows])
        shared = document.tables.get("experiment_results") or Table(description="", source="runs", records=())
        reports = [{"experiment_id": number, "pipeline": each, "run_id": f"r-{each}"} for each in ("churn", "cox")]
        document = document.with_table("experiment_results", shared)
        document = document.with_records("experiment_results", [*(shared.records or ()), *reports])
        customers = document.tables.get("customer_churn_details") or Table(description="", source="churn", segments=())
        belongs = {"experiment_id": number}
        segment = Segment(sha256=staged.stem, rows=4, size=staged.stat().st_size, belongs=belongs)
        document = document.with_table("customer_churn_details", customers)
        document = document.with_segments("customer_churn_details", [*(customers.segments or ()), segment])
        return document, Note(actor=SYSTEM, action="test.results", subject=str(number))

    experiments = product.churn.experiments
    experiments.change_status(number, PROCESSING, actor=SYSTEM, runs={"churn": "r1"})
    with product.churn.store.staging() as folder:
        pq.write_table(pa.table({"experiment_id": [number] * 4, "Kunde": list("abcd")}), folder / "made")
        staged = folder / f"{hashlib.sha256((folder / 'made').read_bytes()).hexdigest()}.parquet"
        (folder / "made").rename(staged)
        product.churn.store.change(edit, [staged])
    experiments.change_status(number, PROCESSED, actor=SYSTEM)


@pytest.fixture
def outbox(product: Product, settings: Settings) -> Path:
    """Of two experiments with results, the first exported."""
    for body in (GIVEN, OTHER):
        results(product, product.churn.experiments.create(body, actor=SYSTEM).experiment_id)
    product.churn.bundles.export(1, actor=SYSTEM)
    return settings.data_dir / "churn" / "outbox"


def state(product: Product) -> tuple[Any, ...]:
    document = product.churn.store.read()
    tables = ("experiment_kpis", "cox_analysis_metrics", "experiment_results", "experiments")
    return (*(sorted(map(str, document.records(name))) for name in tables), document.segments("customer_churn_details"))


async def test_bundle_when_exported_then_a_manifest_names_every_file_with_its_hash(
    outbox: Path, client: ClientOf, product: Product
) -> None:
    manifest = json.loads((outbox / "churn" / "experiment_1" / "manifest.json").read_text())
    assert {file["path"] for file in manifest["files"]} == {
        "tables/customer_churn_details.parquet",
        "tables/experiment_kpis.json",
        "tables/experiment_results.json",
    }
    for file in manifest["files"]:
        content = (outbox / "churn" / "experiment_1" / file["path"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file["sha256"], file["size"])
    async with client() as admin:
        listed = (await admin.get("/outbox/bundles")).json()["items"]
        again = await admin.post("/experiments/1/outbox")
    assert [(one["domain"], one["rows"]) for one in listed] == [
        ("churn", {"customer_churn_details": 4, "experiment_kpis": 3, "experiment_results": 1}),
        ("cox", {"cox_analysis_metrics": 3, "experiment_results": 1}),
    ]
    assert (again.status_code, len(again.json()["items"])) == (200, 2)
    assert product.audit.list(limit=1).items[0].action == "churn_bundle.export"
    assert sorted(path.name for path in (outbox / "churn").iterdir()) == ["experiment_1"]


async def test_bundle_when_it_comes_back_twice_then_the_rows_are_there_once_and_others_untouched(
    product: Product, outbox: Path, client: ClientOf
) -> None:
    before = state(product)
    async with client() as admin:
        for _ in range(2):
            for domain in ("churn", "cox"):
                done = await admin.post(f"/outbox/bundles/{domain}/1/import")
                assert done.status_code == 200, done.text
    after = state(product)
    assert after[:4] == before[:4]
    assert sorted(one.belongs["experiment_id"] for one in after[4]) == [1, 2]


async def test_bundle_when_the_experiment_was_reset_then_results_and_status_are_back(
    product: Product, outbox: Path, client: ClientOf
) -> None:
    before = product.churn.experiments.find(1, actor=SYSTEM)
    async with client() as admin:
        await admin.post("/experiments/1/reset")
        assert (await admin.post("/outbox/bundles/churn/1/import")).status_code == 200
        found = (await admin.get("/experiments/1")).json()
    assert found["results"] == {"customer_churn_details": 4, "experiment_kpis": 3, "experiment_results": 1}
    assert (found["status"], found["processed_at"], found["runs"]) == (
        "processed",
        before.processed_at,
        {"churn": "r1"},
    )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tables/experiment_kpis.json", lambda path: path.write_text(path.read_text().replace("m1", "m9"))),
        ("tables/customer_churn_details.parquet", lambda path: path.unlink()),
        ("tables/customer_churn_details.parquet", lambda path: path.write_bytes(path.read_bytes()[:-1])),
        ("manifest.json", lambda path: path.write_text(path.read_text().replace('"rows": 3', '"rows": 2'))),
        ("manifest.json", lambda path: path.unlink()),
        ("manifest.json", lambda path: path.write_bytes(b"\xff{")),
    ],
)
async def test_bundle_when_a_file_is_missing_or_changed_then_it_is_named_and_nothing_changes(
    product: Product, outbox: Path, client: ClientOf, name: str, change: Callable[[Path], Any]
) -> None:
    change(outbox / "churn" / "experiment_1" / name)
    before = state(product)
    async with client() as admin:
        told = await admin.post("/outbox/bundles/churn/1/import")
        listed = (await admin.get("/outbox/bundles")).json()["items"]
    assert (told.status_code, told.json()["code"]) == (422, "churn_bundle_damaged")
    assert name in told.json()["detail"] and state(product) == before
    assert bool(listed[0]["problem"]) == (name == "manifest.json")


async def test_bundle_when_its_experiment_is_another_one_then_it_is_refused(
    product: Product, outbox: Path, client: ClientOf
) -> None:
    async with client() as admin:
        await admin.post("/experiments/1/reset")
        await admin.put("/experiments/1", json={**GIVEN, "feature_set": "enhanced"})
        other = await admin.post("/outbox/bundles/churn/1/import")
        listed = (await admin.get("/outbox/bundles")).json()["items"]
        none = await admin.post("/outbox/bundles/counterfactuals/1/import")
        anew = (await admin.post("/experiments", json=GIVEN)).json()["experiment_id"]
        empty = await admin.post(f"/experiments/{anew}/outbox")
    assert "with other windows, settings or data" in listed[0]["problem"]
    answers = [(one.status_code, one.json()["code"]) for one in (other, none, empty)]
    assert answers == [
        (409, "churn_bundle_of_another"),
        (404, "churn_bundle_not_found"),
        (409, "churn_nothing_to_export"),
    ]


async def test_bundle_when_its_experiment_was_deleted_then_it_is_made_again_with_its_number_and_never_beside_its_twin(
    product: Product, outbox: Path, client: ClientOf
) -> None:
    before = product.churn.experiments.find(1, actor=SYSTEM)
    async with client() as admin:
        await admin.delete("/experiments/1?cascade=true")
        listed = (await admin.get("/outbox/bundles")).json()["items"]
        done = [await admin.post(f"/outbox/bundles/{domain}/1/import") for domain in ("churn", "cox")]
        found = (await admin.get("/experiments/1")).json()
        await admin.delete("/experiments/1?cascade=true")
        twin = (await admin.post("/experiments", json=GIVEN)).json()["experiment_id"]
        refused = await admin.post("/outbox/bundles/churn/1/import")
        told = (await admin.get("/outbox/bundles")).json()["items"][0]["problem"]
    assert [one["problem"] for one in listed] == ["", ""] and [one.status_code for one in done] == [200, 200]
    assert (found["status"], found["experiment_name"]) == ("processed", before.experiment_name)
    assert sum(found["results"].values()) == 12
    assert (twin, refused.status_code, refused.json()["code"]) == (3, 409, "churn_bundle_of_another")
    assert told == refused.json()["detail"] == "The experiment 1 was deleted, and the experiment 3 is the same."


async def test_bundle_when_its_number_was_never_given_here_then_there_is_no_such_experiment(
    product: Product, outbox: Path, client: ClientOf
) -> None:
    def forget(document: Document) -> tuple[Document, Note]:
        gone = replace(document, counters={}).with_records("experiments", [])
        return gone, Note(actor=SYSTEM, action="test.forget", subject="x")

    product.churn.store.change(forget)
    async with client() as admin:
        refused = await admin.post("/outbox/bundles/churn/1/import")
        listed = (await admin.get("/outbox/bundles")).json()["items"]
    assert (refused.status_code, refused.json()["code"]) == (404, "churn_experiment_not_found")
    assert listed[0]["problem"] == refused.json()["detail"]


class Crash(Exception):
    pass


class CrashingDisk(Disk):
    """Crashes at the n-th replacement."""

    def __init__(self, at: int) -> None:
        self.left = at

    def replace(self, source: Path, target: Path) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash
        super().replace(source, target)


@pytest.mark.parametrize("at", [1, 2])
def test_bundle_when_its_replacement_crashes_then_the_former_one_is_whole(
    product: Product, outbox: Path, at: int
) -> None:
    store, now = product.churn.store, "2030-01-01T00:00:00+00:00"
    record = product.churn.experiments.find(1, actor=SYSTEM).record()
    parcel = Parcel(domain="cox", experiment=record, tables=["cox_analysis_metrics"], at=now)
    with pytest.raises(Crash):
        DiskBundles(outbox, CrashingDisk(at)).write(parcel, store.read(), store.segment)
    bundles = DiskBundles(outbox)
    assert bundles.read("cox", 1).exported_at != now
    assert bundles.write(parcel, store.read(), store.segment).exported_at == bundles.read("cox", 1).exported_at == now
    assert [path.name for path in (outbox / "cox").iterdir()] == ["experiment_1"]


def test_commands_when_used_then_a_bundle_goes_out_and_comes_back(
    product: Product, outbox: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data_dir", "logs_dir", "pipelines_dir"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))

    def run(*words: str) -> str:
        done = CliRunner().invoke(commands, ["churn", "outbox", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "autumn" in run("export", "2")
    assert "summer" in run("list") and len(json.loads(run("list", "--json"))["items"]) == 4
    assert "8 rows of 3 tables are in the experiment 2" in run("import", "churn", "2")
