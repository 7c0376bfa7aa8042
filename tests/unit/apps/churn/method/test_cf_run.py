import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastflow.apps.churn.method.cf_run import run_cf
from fastflow.apps.churn.method.churn_run import run_churn
from fastflow.apps.churn.method.problems import Refusal

ROLES = {"i_use": "DYNAMIC_FEATURE", "n_rate": "DYNAMIC_FEATURE", "region": "STATIC_FEATURE"}
EXPERIMENT = {
    "experiment_id": 5,
    "training_from": 202201,
    "training_to": 202309,
    "backtest_from": 202310,
    "backtest_to": 202403,
    "model_type": "gradient_boosting",
    "hyperparameters": {
        "customer_value": 400,
        "most_anchors": 6,
        "bootstrap_replicates": 20,
        "rolling_origins": 0,
        "model_parameters": {"max_iter": 25},
        "cf": {"policy": {"i_use": {"change": "up", "cost": 2}, "n_rate": {"change": "free"}}},
    },
}


def silent(**facts: Any) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, columns_of: Callable[[int, int, int], dict[str, Any]]) -> Path:
    """A churn run's artifacts beside its own inputs."""
    folder = tmp_path_factory.mktemp("cf") / "in"
    folder.mkdir()
    (folder / "experiment.json").write_text(json.dumps(EXPERIMENT))
    (folder / "dictionary.json").write_text(json.dumps(ROLES))
    columns = columns_of(300, 30, 11)
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), folder / "panel.parquet")
    run_churn(folder, folder / "churn", silent)
    return folder


def test_run_when_repeated_then_it_is_equal_to_the_byte_and_asks_the_deployed_model(
    inputs: Path, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        run_cf(inputs, tmp_path / name, silent, {"limit": 25, "alternatives": 3})
    report = json.loads((tmp_path / "first" / "report.json").read_text())
    assert {path.name: path.read_bytes() for path in (tmp_path / "first").rglob("*.*")} == {
        path.name: path.read_bytes() for path in (tmp_path / "second").rglob("*.*")
    }
    assert report["searched"] <= 25 and report["metrics"]["validity"] > 0.5
    assert report["largest_difference_to_churn_run"] <= 1e-6
    table = pq.read_table(tmp_path / "first" / "tables" / "cf_individual.parquet").to_pydict()
    scored = pq.read_table(inputs / "churn" / "tables" / "backtest_results.parquet").to_pydict()
    known = dict(zip(scored["Kunde"], scored["churn_probability"], strict=True))
    assert all(
        known[key] == pytest.approx(p) for key, p in zip(table["Kunde"], table["p_old"], strict=True) if key in known
    )
    raw = pq.read_table(tmp_path / "first" / "tables" / "cf_individual_raw.parquet").to_pydict()
    assert all(
        change > 0 for column, change in zip(raw["column"], raw["mean_change"], strict=True) if column == "i_use"
    )
    assert "region" not in raw["column"]
    others = pq.read_table(tmp_path / "first" / "tables" / "cf_alternatives.parquet").to_pylist()
    goals = dict(zip(table["Kunde"], table["goal"], strict=True))
    assert others and {row["alternative"] for row in others} <= {2, 3}
    assert all(row["p_new"] <= goals[row["Kunde"]] + 1e-6 and json.loads(row["changes"]) for row in others)
    assert 1 < report["metrics"]["alternatives"] <= 3 and 0 < report["metrics"]["diversity"] <= 1
    assert report["decision"]["expected_profit_low"] <= report["decision"]["expected_profit"]
    listed = pq.read_table(tmp_path / "first" / "tables" / "cf_decision_ledger.parquet").to_pylist()
    found = {
        row["Kunde"]: row for row in pq.read_table(tmp_path / "first" / "tables" / "cf_individual.parquet").to_pylist()
    }
    assert listed
    for row in listed:
        one = found[row["Kunde"]]
        assert one["plausible"] and row["cost"] == pytest.approx(one["cost"] + 5)
        assert row["expected_profit"] == pytest.approx(400 * (one["p_old"] - one["p_new"]) * 0.3 - row["cost"])
    told = report["decision"]
    assert told["contacts"] + sum(
        told[f"left_out_{why}"] for why in ("implausible", "not_worth", "beyond_capacity")
    ) == int(report["metrics"]["valid"])


def test_run_when_panel_and_model_do_not_belong_together_then_it_is_refused(inputs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("experiment.json", "dictionary.json"):
        (other / name).write_bytes((inputs / name).read_bytes())
    table = pq.read_table(inputs / "panel.parquet").to_pydict()
    table["i_use"] = (np.array(table["i_use"]) + 2).tolist()
    pq.write_table(pa.table(table), other / "panel.parquet")
    with pytest.raises(Refusal, match="no deployed churn model"):
        run_cf(other, tmp_path / "out", silent, {})
    (other / "churn").symlink_to(inputs / "churn")
    with pytest.raises(Refusal, match="differ by"):
        run_cf(other, tmp_path / "out", silent, {})
