"""Materialising: customers of an experiment in tables of its own, and the view over all of them."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from tests.integration.churn.definitions import GIVEN

from fastflow.apps.churn.domain.document import Document, Segment, Table
from fastflow.apps.churn.domain.experiment import PROCESSED, PROCESSING
from fastflow.apps.churn.domain.fusion import VIEW
from fastflow.apps.churn.ports import Note
from fastflow.bootstrap import Product
from fastflow.kit.identity import SYSTEM, Role

ClientOf = Callable[..., httpx.AsyncClient]

ASK = """import json, sys, duckdb
connection = duckdb.connect()
for name, files in json.loads(sys.argv[1]).items():
    connection.read_parquet(files).create_view(name)
print(json.dumps(connection.execute(sys.argv[2]).fetchall()))
"""
"""In a process of its own, as the engine is."""


def keep(product: Product, table: str, number: int, columns: Mapping[str, Any]) -> None:
    """Keep a table of customers as a run's results are kept."""
    length = len(columns["Kunde"])

    def edit(document: Document) -> tuple[Document, Note]:
        present = document.tables.get(table) or Table(description="", source="churn", segments=())
        segment = Segment(sha256=path.stem, rows=length, size=path.stat().st_size, belongs={"experiment_id": number})
        after = document.with_table(table, present)
        return after.with_segments(table, [*(present.segments or ()), segment]), Note(
            actor=SYSTEM, action="test.keep", subject=table
        )

    with product.churn.store.staging() as folder:
        pq.write_table(pa.table({"experiment_id": [number] * length, **columns}), folder / "made")
        path = folder / f"{hashlib.sha256((folder / 'made').read_bytes()).hexdigest()}.parquet"
        (folder / "made").rename(path)
        product.churn.store.change(edit, [path])


def experiment(product: Product, name: str, *, cox: bool, **changes: Any) -> int:
    """One with results of churn, and of Cox if asked."""
    experiments = product.churn.experiments
    number = experiments.create({**GIVEN, "experiment_name": name, **changes}, actor=SYSTEM).experiment_id
    experiments.change_status(number, PROCESSING, actor=SYSTEM)
    probabilities = {"churn_probability": [0.9, 0.2, 0.4], "risk_band": ["high", "low", "mid"], "reasons": ["[]"] * 3}
    keep(product, "customer_churn_details", number, {"Kunde": ["a", "b", "c"], **probabilities})
    if cox:
        risks = {"P_Event_6m": [0.1] * 4, "P_Event_12m": [0.71, None, 0.15, 0.149], "P_Event_24m": [0.9] * 4}
        keep(product, "cox_prioritization_results", number, {"Kunde": ["d", "c", "b", "a"], **risks})
    experiments.change_status(number, PROCESSED, actor=SYSTEM)
    return number


def fused(product: Product) -> list[tuple[Any, ...]]:
    """What the view says, asked of the files as the database names them."""
    store, document = product.churn.store, product.churn.store.read()
    sql = next(record["sql"] for record in document.records("views") if record["name"] == VIEW)
    files = {
        name: [str(store.segment(one.sha256)) for one in table.segments]
        for name, table in document.tables.items()
        if table.segments and name.startswith("customer_")
    }
    asked = f"SELECT experiment_id, Kunde, churn_probability, risk_category FROM ({sql}) ORDER BY ALL"
    words = [sys.executable, "-c", ASK, json.dumps(files), asked]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return [tuple(row) for row in json.loads(done.stdout)]


async def test_experiment_when_materialised_twice_then_the_counts_are_the_same_and_the_view_joins_customers(
    product: Product, client: ClientOf
) -> None:
    number = experiment(product, "summer", cox=True)
    async with client(Role.OPERATOR) as operator:
        first = await operator.post(f"/experiments/{number}/materialize")
        before = product.churn.store.read().tables
        again = (await operator.post(f"/experiments/{number}/materialize")).json()
    assert (
        first.json()
        == again
        == {
            "experiment_id": 1,
            "churn_table": "customer_churn_details_1",
            "churn_rows": 3,
            "cox_table": "customer_cox_details_1",
            "cox_rows": 4,
            "view": "churn_cox_fusion",
        }
    )
    assert product.churn.store.read().tables == before
    assert fused(product) == [
        (1, "a", 0.9, "very low"),
        (1, "b", 0.2, "low"),
        (1, "c", 0.4, None),
        (1, "d", None, "very high"),
    ]
    assert product.audit.list(limit=1).items[0].action == "churn_experiment.materialize"


async def test_view_when_several_experiments_are_materialised_then_it_holds_each_until_it_goes(
    product: Product, client: ClientOf
) -> None:
    whole = experiment(product, "summer", cox=True)
    churn_alone = experiment(product, "autumn", cox=False, backtest_to=202403)
    async with client() as admin:
        assert (await admin.post(f"/experiments/{whole}/materialize")).status_code == 200
        told = (await admin.post(f"/experiments/{churn_alone}/materialize")).json()
        assert (told["churn_rows"], told["cox_rows"]) == (3, 0)
        assert [row[0] for row in fused(product)] == [1, 1, 1, 1, 2, 2, 2]
        would = (await admin.delete(f"/experiments/{whole}?cascade=true&dry_run=true")).json()["rows"]
        assert (would["customer_churn_details_1"], would["customer_cox_details_1"]) == (3, 4)
        await admin.delete(f"/experiments/{whole}?cascade=true")
        assert [row[0] for row in fused(product)] == [2, 2, 2]
        await admin.post(f"/experiments/{churn_alone}/reset")
    document = product.churn.store.read()
    assert not [name for name in document.tables if name.startswith("customer_churn_details_")]
    assert document.records("views") == ()


async def test_experiment_when_it_has_no_results_or_is_computed_then_it_is_not_materialised(
    product: Product, client: ClientOf
) -> None:
    product.churn.experiments.create(GIVEN, actor=SYSTEM)
    async with client() as admin:
        empty = await admin.post("/experiments/1/materialize")
        product.churn.experiments.change_status(1, PROCESSING, actor=SYSTEM)
        busy = await admin.post("/experiments/1/materialize")
        gone = await admin.post("/experiments/7/materialize")
    async with client(Role.VIEWER) as viewer:
        refused = await viewer.post("/experiments/1/materialize")
    assert [(one.status_code, one.json()["code"]) for one in (empty, busy, gone)] == [
        (409, "churn_nothing_to_materialize"),
        (409, "churn_experiment_processing"),
        (404, "churn_experiment_not_found"),
    ]
    assert refused.status_code == 403
