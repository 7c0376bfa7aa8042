import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastflow.apps.churn.method.churn_run import run_churn
from fastflow.apps.churn.method.configuration import experiment_of, settings_of
from fastflow.apps.churn.method.problems import Refusal

ROLES = {
    "Kunde": "PRIMARY_KEY",
    "I_TIMEBASE": "TIMEBASE",
    "I_Alive": "TARGET",
    "i_use": "DYNAMIC_FEATURE",
    "n_rate": "DYNAMIC_FEATURE",
    "region": "STATIC_FEATURE",
}
EXPERIMENT = {
    "experiment_id": 3,
    "training_from": 202201,
    "training_to": 202309,
    "backtest_from": 202310,
    "backtest_to": 202403,
    "model_type": "logistic",
    "feature_set": "standard",
    "hyperparameters": {"most_anchors": 9, "bootstrap_replicates": 30},
}


def lay_out(folder: Path, columns: dict[str, Any], experiment: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "experiment.json").write_text(json.dumps(experiment))
    (folder / "dictionary.json").write_text(json.dumps({"columns": {n: {"role": r} for n, r in ROLES.items()}}))
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), folder / "panel.parquet")
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_run_when_repeated_on_shuffled_rows_then_every_file_is_equal_to_the_byte(
    tmp_path: Path, columns_of: Callable[[int, int, int], dict[str, Any]]
) -> None:
    columns = columns_of(300, 30, 11)
    order = np.random.default_rng(0).permutation(len(columns["Kunde"]))
    told: list[dict[str, Any]] = []
    inputs = lay_out(tmp_path / "a", columns, EXPERIMENT)
    run_churn(inputs, tmp_path / "first", lambda **facts: told.append(facts))
    inputs = lay_out(tmp_path / "b", {name: values[order] for name, values in columns.items()}, EXPERIMENT)
    run_churn(inputs, tmp_path / "second", lambda **facts: None)
    assert digests(tmp_path / "first") == digests(tmp_path / "second")
    assert [fact["progress"] for fact in told] == sorted(fact["progress"] for fact in told)
    report = json.loads((tmp_path / "first" / "report.json").read_text())
    assert report["audit"]["separated"] is True and report["trusted"] is True
    assert report["metrics"]["roc_auc"] > 0.65
    assert report["rolling_origins"]
    contract = json.loads((tmp_path / "first" / "feature_contract.json").read_text())
    assert contract["model_sha256"] == digests(tmp_path / "first")["model.onnx"]
    table = pq.read_table(tmp_path / "first" / "tables" / "customer_churn_details.parquet")
    assert set(table.column("experiment_id").to_pylist()) == {3}
    assert table.num_rows == report["metrics"]["customers"]


def test_run_when_a_column_was_written_after_the_fact_then_the_report_is_there_and_the_model_is_not(
    tmp_path: Path, columns_of: Callable[[int, int, int], dict[str, Any]]
) -> None:
    columns = columns_of(300, 27, 11)
    dead = np.unique(columns["Kunde"][columns["I_Alive"] == 0])
    columns["region"] = np.where(np.isin(columns["Kunde"], dead), "closed", "open")
    inputs = lay_out(tmp_path / "in", columns, EXPERIMENT)
    with pytest.raises(Refusal, match="region__is_closed alone ranks the test"):
        run_churn(inputs, tmp_path / "out", lambda **facts: None)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["trusted"] is False
    assert not (tmp_path / "out" / "model.onnx").exists()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"training_to": 202313}, "training_to: 202313 is no month"),
        ({"model_type": "oracle"}, "model_type oracle is unknown"),
        ({"hyperparameters": {"sede": 1}}, "The setting sede: 'sede' is unknown. Did you mean 'seed'"),
        ({"hyperparameters": {"capacity": 2}}, "The setting capacity: 2 is outside"),
        ({"hyperparameters": {"seed": "one"}}, "The setting seed: 'one' is not a whole number"),
    ],
)
def test_experiment_when_a_field_is_impossible_then_it_is_refused_by_name(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(Refusal, match=problem):
        experiment_of(EXPERIMENT | change, ROLES)


def test_settings_when_lists_come_from_json_then_they_are_tuples() -> None:
    assert settings_of({"horizons": [6, 12]}).horizons == (6, 12)
