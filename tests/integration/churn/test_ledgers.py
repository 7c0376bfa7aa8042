"""Lists of contacts, scored as months are taken in."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.churn.conftest import ClientOf

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.ports import LeftResults, LeftTable, Note
from fastflow.apps.churn.service.results import with_results
from fastflow.bootstrap import Product
from fastflow.kit.identity import SYSTEM, Role

DICTIONARY = {"Kunde": "PRIMARY_KEY", "I_TIMEBASE": "TIMEBASE", "I_Alive": "TARGET", "i_use": "DYNAMIC_FEATURE"}
GIVEN = {
    "experiment_name": "List",
    "training_from": 202301,
    "training_to": 202312,
    "backtest_from": 202401,
    "backtest_to": 202402,
    "hyperparameters": {"customer_value": 100},
}
PREDICTED = {"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.4}
LISTED = ("a", "b")


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


def months(first: int, last: int) -> list[int]:
    return [month for month in range(first, last + 1) if 1 <= month % 100 <= 12]


def ingest(product: Product, folder: Path, rows: Sequence[tuple[str, int, int]]) -> int:
    source = folder / "panel.csv"
    told = "\n".join(f"{customer},{month},{alive},1" for customer, month, alive in rows)
    source.write_text(f"Kunde,I_TIMEBASE,I_Alive,i_use\n{told}\n")
    return product.churn.files.ingest(source, name="p", dictionary=DICTIONARY, actor=SYSTEM).file.file_id


def take_in(product: Product, experiment_id: int) -> None:
    """What a run of cf leaves, as far as the list is concerned."""
    store = product.churn.store
    with store.staging() as staging:

        def table(name: str, columns: Mapping[str, Sequence[Any]]) -> LeftTable:
            path = staging / name
            pq.write_table(pa.table(dict(columns)), path)
            staged = path.rename(staging / f"{hashlib.sha256(path.read_bytes()).hexdigest()}.parquet")
            rows = len(next(iter(columns.values())))
            return LeftTable(name=name, columns={}, rows=rows, path=staged, size=staged.stat().st_size)

        searched: dict[str, Sequence[Any]] = {
            "Kunde": list(PREDICTED),
            "p_old": list(PREDICTED.values()),
            "p_new": [0.1, 0.2, 0.3, 0.2],
        }
        listed: dict[str, Sequence[Any]] = {
            "rank": [1, 2],
            "Kunde": list(LISTED),
            "expected_profit": [35.0, 34.0],
            "cost": [5.0, 6.0],
        }
        tables = [table("cf_individual", searched), table("cf_decision_ledger", listed)]
        report = {"features_until": 202312, "decision": {"contacts": 2, "expected_profit": 69.0}}
        left = LeftResults(report=report, tables=tables, files={})
        run: Any = SimpleNamespace(pipeline_name="cf", id="r")

        def edit(document: Document) -> tuple[Document, Note]:
            after = with_results(document, experiment_id, run, left, "now")
            return after, Note(actor=SYSTEM, action="test", subject="test")

        store.change(edit, [one.path for one in tables if one.path is not None])


async def test_scores_when_later_months_are_taken_in_then_they_are_there_and_the_newest_file_counts(
    client: ClientOf, product: Product, tmp_path: Path
) -> None:
    seen = [(customer, month, 1) for customer in "abcd" for month in months(202301, 202402)]
    dead = {("c", 202401): 0, ("c", 202402): 0, ("b", 202402): 0}
    ingest(product, tmp_path, [(who, month, dead.get((who, month), 1)) for who, month, _ in seen])
    number = product.churn.experiments.create(GIVEN, actor=SYSTEM).experiment_id
    async with client(Role.VIEWER) as api:
        before = (await api.get(f"/experiments/{number}/ledger")).json()
        assert before == {"experiment_id": number, "decision": None, "contacts": [], "scores": []}
        take_in(product, number)
        found = (await api.get(f"/experiments/{number}/ledger?limit=1")).json()
        assert (found["decision"]["contacts"], [row["Kunde"] for row in found["contacts"]]) == (2, ["a"])
        first, whole = found["scores"]
        names = ("outcome_month", "contacted", "contacted_churned", "others", "others_churned", "realised_profit")
        assert [first[name] for name in names] == [202401, 2, 0, 2, 1, None]
        assert [whole[name] for name in names[:-1]] == [202402, 2, 1, 2, 1]
        assert whole["realised_profit"] == pytest.approx((0.5 + 0.6 - 1) * 100 - 11)
        assert whole["contacted_predicted_if_contacted"] == pytest.approx(1.1 - 0.3 * 0.8)
        assert whole["expected_profit"] == pytest.approx(0.3 * 0.8 * 100 - 11)
        assert whole["chance_of_that"] == pytest.approx(1.96 * 100 * math.sqrt(0.25 + 0.24))
        csv = await api.get(f"/experiments/{number}/ledger/contacts.csv")
        assert csv.headers["content-disposition"] == f'attachment; filename="contacts-{number}.csv"'
        assert [line.split(",")[1] for line in csv.text.splitlines()] == ["Kunde", "a", "b"]

        # the next month comes with another file, which also corrects that b has left
        ingest(product, tmp_path, [("a", 202403, 0), ("b", 202402, 1), ("b", 202403, 1), ("d", 202403, 1)])
        later = (await api.get(f"/experiments/{number}/ledger")).json()["scores"]
        assert [row["outcome_month"] for row in later] == [202401, 202402, 202403]
        assert (later[1]["contacted_churned"], later[1]["realised_profit"]) == (0, pytest.approx(99))
        assert [later[2][name] for name in names] == [202403, 2, 1, 2, 1, None]
    asked = product.churn.sql.query("SELECT * FROM decision_ledger_scores", limit=10, actor=SYSTEM)
    assert len(asked.rows) == 3


async def test_ledger_when_there_is_no_experiment_or_no_list_then_the_problem_says_so(client: ClientOf) -> None:
    async with client(Role.VIEWER) as api:
        for path in ("/experiments/7/ledger", "/experiments/7/ledger/contacts.csv"):
            assert (await api.get(path)).json()["code"] == "churn_experiment_not_found", path


async def test_list_as_a_file_when_cf_has_not_run_then_the_problem_says_what_to_run(
    client: ClientOf, product: Product
) -> None:
    number = product.churn.experiments.create({**GIVEN, "id_files": []}, actor=SYSTEM).experiment_id
    async with client(Role.VIEWER) as api:
        answer = await api.get(f"/experiments/{number}/ledger/contacts.csv")
    assert (answer.status_code, answer.json()["code"]) == (404, "churn_no_ledger")
    assert "fastflow churn run EXPERIMENT cf" in answer.json()["hint"]
