"""Artifacts of runs, whole and damaged in every way that a disk or a script can think of."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastflow.apps.churn.errors import ResultsDamaged
from fastflow.apps.churn.infra.results import ArtifactResults
from fastflow.apps.churn.ports import Rows


def rows_of(paths: Sequence[Path], limit: int) -> list[Rows]:
    tables = [pq.read_table(path) for path in paths]
    return [
        Rows(columns=table.column_names, rows=[list(row.values()) for row in table.to_pylist()[:limit]])
        for table in tables
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a run of experiment 3 left."""
    left = tmp_path / "artifacts"
    (left / "tables").mkdir(parents=True)
    (left / "report.json").write_text(json.dumps({"experiment_id": 3, "auc": 0.8}))
    (left / "model.onnx").write_bytes(b"graph")
    write(left, "experiment_kpis", {"experiment_id": [3, 3], "kpi": ["auc", "brier"], "value": [0.8, 0.1]})
    write(left, "backtest_results", {"experiment_id": [3] * 3, "Kunde": ["a", "b", "c"], "p": [0.1, 0.2, 0.3]})
    return left


def write(folder: Path, name: str, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), folder / "tables" / f"{name}.parquet")


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging"


def test_read_when_whole_then_customers_are_files_and_the_rest_is_records(folder: Path, staging: Path) -> None:
    left = ArtifactResults(rows_of).read(folder, 3, staging)
    large, small = left.tables
    assert (large.name, large.rows, large.records) == ("backtest_results", 3, ())
    assert large.path is not None
    assert (large.path.parent, len(large.path.stem)) == (staging, 64)
    assert (small.name, small.path, small.records[0]) == (
        "experiment_kpis",
        None,
        {"experiment_id": 3, "kpi": "auc", "value": 0.8},
    )
    assert dict(small.columns) == {"experiment_id": "integer", "kpi": "text", "value": "number"}
    assert (left.report["auc"], list(left.files)) == (0.8, ["model.onnx"])


def _gone(folder: Path) -> None:
    (folder / "report.json").unlink()


def _other(folder: Path) -> None:
    (folder / "report.json").write_text('{"experiment_id": 4}')


def _no_json(folder: Path) -> None:
    (folder / "report.json").write_text('{"experiment_id"')


def _cut(folder: Path) -> None:
    path = folder / "tables" / "backtest_results.parquet"
    path.write_bytes(path.read_bytes()[:-20])


def _link(folder: Path) -> None:
    path = folder / "tables" / "backtest_results.parquet"
    path.unlink()
    path.symlink_to("/etc/passwd")


def _stranger(folder: Path) -> None:
    (folder / "tables" / "x; DROP.parquet").write_bytes(b"")


def _rows_of_another(folder: Path) -> None:
    write(folder, "experiment_kpis", {"experiment_id": [3, 9], "kpi": ["a", "b"], "value": [1.0, 2.0]})


def _nothing(folder: Path) -> None:
    for path in (folder / "tables").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_gone, "report.json cannot be read: No such file"),
        (_other, "report.json is not of the experiment 3"),
        (_no_json, "report.json is no JSON"),
        (_cut, "tables/backtest_results.parquet is no whole Parquet file"),
        (_link, "tables/backtest_results.parquet cannot be read"),
        (_stranger, "is no table of the pipeline"),
        (_rows_of_another, "has rows of the experiment 9, not 3"),
        (_nothing, "left no table"),
    ],
)
def test_read_when_damaged_then_refused_and_it_says_what(
    folder: Path, staging: Path, damage: Callable[[Path], None], told: str
) -> None:
    damage(folder)
    with pytest.raises(ResultsDamaged, match=told):
        ArtifactResults(rows_of).read(folder, 3, staging)
