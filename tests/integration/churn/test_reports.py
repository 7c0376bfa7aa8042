"""Reports over HTTP: what was computed, as a file, for those who may read it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastflow.apps.churn.errors import EngineFailed
from fastflow.apps.churn.infra.duck import DuckPanels
from fastflow.apps.churn.ports import Pick
from fastflow.bootstrap import Product
from fastflow.kit.identity import SYSTEM, Role

ClientOf = Callable[..., httpx.AsyncClient]
GIVEN: Mapping[str, Any] = {
    "experiment_name": "Summer <2022>",
    "training_from": 202201,
    "training_to": 202312,
    "backtest_from": 202401,
    "backtest_to": 202406,
}


@pytest.fixture
def number(product: Product) -> int:
    return product.churn.experiments.create(dict(GIVEN), actor=SYSTEM).experiment_id


@pytest.mark.parametrize(
    ("asked", "begins", "kind"),
    [
        ("", b'<!doctype html>\n<html lang="en">', "text/html"),
        ("?format=html&language=de", b'<!doctype html>\n<html lang="de">', "text/html"),
        ("?format=pdf", b"%PDF-", "application/pdf"),
    ],
)
async def test_report_when_asked_for_then_it_is_a_file_in_the_language(
    client: ClientOf, number: int, asked: str, begins: bytes, kind: str
) -> None:
    async with client(Role.VIEWER) as api:
        got = await api.get(f"/experiments/{number}/report{asked}")
        again = await api.get(f"/experiments/{number}/report{asked}")
    assert got.status_code == 200, got.text
    assert got.content.startswith(begins)
    assert got.headers["content-type"].startswith(kind)
    assert f'attachment; filename="{number}-summer-2022.' in got.headers["content-disposition"]
    assert got.content == again.content
    if kind == "text/html":
        assert "Summer &lt;2022&gt;" in got.text


async def test_report_when_the_language_is_the_browsers_then_its_words_are_too(client: ClientOf, number: int) -> None:
    async with client(Role.VIEWER) as api:
        got = await api.get(f"/experiments/{number}/report", headers={"Accept-Language": "de-CH, en;q=0.5"})
    assert "Noch ist nichts gerechnet" in got.text


@pytest.mark.parametrize(
    ("path", "status"), [("/experiments/99/report", 404), ("/experiments/1/report?format=doc", 422)]
)
async def test_report_when_there_is_none_then_the_problem_says_so(
    client: ClientOf, number: int, path: str, status: int
) -> None:
    async with client(Role.VIEWER) as api:
        got = await api.get(path)
    assert got.status_code == status
    assert got.headers["content-type"].startswith("application/problem+json")


def test_rows_when_picked_then_they_are_the_farthest_from_nought_or_those_of_the_customers(tmp_path: Path) -> None:
    path = tmp_path / "a'b.parquet"
    columns = {"Kunde": [3, 1, 2, 4], 'odd"name': [0.5, -0.9, None, 0.5], "note": ["c", "a", "b", "d"]}
    pq.write_table(pa.table(columns), path)
    largest, chosen = DuckPanels(tmp_path).pick_rows(
        [Pick(path=path, by='odd"name', most=3), Pick(path=path, customers=["4", "2", "no'body"])]
    )
    assert [(row["Kunde"], row['odd"name']) for row in largest] == [("1", -0.9), ("3", 0.5), ("4", 0.5)]
    assert [row["note"] for row in chosen] == ["b", "d"]


def test_rows_when_the_file_is_damaged_then_the_engine_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(EngineFailed):
        DuckPanels(tmp_path).pick_rows([Pick(path=path, by="p", most=1)])
