import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastflow.apps.churn.method.churn_run import run_churn
from fastflow.apps.churn.method.cox_run import run_cox
from fastflow.apps.churn.method.landmarks import follow
from fastflow.apps.churn.method.panel import Panel
from fastflow.apps.churn.method.problems import Refusal

JAN = 2022 * 12
ROLES = {"i_use": "DYNAMIC_FEATURE", "n_rate": "DYNAMIC_FEATURE", "region": "STATIC_FEATURE"}


def lay_out(folder: Path, columns: dict[str, Any], **hyperparameters: Any) -> Path:
    folder.mkdir()
    experiment = {
        "experiment_id": 4,
        "training_from": 202201,
        "training_to": 202309,
        "backtest_from": 202310,
        "backtest_to": 202403,
        "model_type": "logistic",
        "hyperparameters": hyperparameters,
    }
    (folder / "experiment.json").write_text(json.dumps(experiment))
    (folder / "dictionary.json").write_text(json.dumps(ROLES))
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), folder / "panel.parquet")
    return folder


def silent(**facts: Any) -> None:
    """Progress that nobody looks at."""


def test_follow_up_when_a_customer_churns_after_the_cutoff_then_it_is_censored_there() -> None:
    states = [[1, 1, 0, -1], [1, 1, 1, 0], [1, -1, -1, -1], [0, -1, -1, -1], [1, 1, -1, -1]]
    panel = Panel(np.arange(5), JAN, np.array(states, dtype=np.int8), {}, {}, {})
    found = follow(panel, JAN, JAN + 3)
    assert found.customers.tolist() == [0, 1, 4]
    assert found.durations.tolist() == [2, 2, 1]
    assert found.events.tolist() == [1, 0, 0]


def test_run_when_it_follows_a_churn_run_then_it_ranks_out_of_time_and_compares_with_the_classifier(
    tmp_path: Path, columns_of: Callable[[int, int, int], dict[str, Any]]
) -> None:
    settings = {"most_anchors": 9, "bootstrap_replicates": 20, "rolling_origins": 0}
    inputs = lay_out(tmp_path / "in", columns_of(300, 30, 11), **settings)
    run_churn(inputs, inputs / "churn", silent)
    for name in ("first", "second"):
        run_cox(inputs, tmp_path / name, silent)
    report = json.loads((tmp_path / "first" / "report.json").read_text())
    assert {path.name: path.read_bytes() for path in (tmp_path / "first").rglob("*.*")} == {
        path.name: path.read_bytes() for path in (tmp_path / "second").rglob("*.*")
    }
    test = report["out_of_time"]
    assert test["harrell_c"] > 0.65 and test["uno_c"] > 0.65
    assert test["ibs"] < test["ibs_kaplan_meier"]
    assert test["ibs_clipped_months"] and test["auc_24m"] is None
    assert report["consistency"]["rank_correlation"] > 0.6
    table = pq.read_table(tmp_path / "first" / "tables" / "cox_prioritization_results.parquet").to_pydict()
    six, twelve = np.array(table["P_Event_6m"]), np.array(table["P_Event_12m"])
    assert (six <= twelve).all() and (six > 0).all()
    assert table["P_Event_24m"][0] is None
    assert (np.array(table["RMST_12m"]) <= 12).all()
    soon = pq.read_table(tmp_path / "first" / "tables" / "cox_months_to_churn.parquet").to_pydict()
    assert sum(soon["expected_customers"]) == pytest.approx(len(six))
    within_six = sum(n for n, end in zip(soon["expected_customers"], soon["to_month"], strict=True) if end and end <= 6)
    assert within_six == pytest.approx(six.sum())
    assert soon["to_month"][-1] is None


def test_run_when_all_months_after_the_cutoff_are_changed_then_the_predictions_are_the_same(
    tmp_path: Path, columns_of: Callable[[int, int, int], dict[str, Any]]
) -> None:
    columns = columns_of(200, 30, 12)
    later = columns["I_TIMEBASE"] >= 202310
    noisy = columns | {"i_use": np.where(later, 10**6, columns["i_use"]), "I_Alive": columns["I_Alive"].copy()}
    noisy["I_Alive"][later] = 1
    tables = []
    for name, content in (("a", columns), ("b", noisy)):
        run_cox(lay_out(tmp_path / name, content), tmp_path / f"out_{name}", silent)
        tables.append((tmp_path / f"out_{name}" / "tables" / "cox_prioritization_results.parquet").read_bytes())
    assert tables[0] == tables[1]


def test_run_when_the_cutoff_leaves_no_month_then_it_is_refused(
    tmp_path: Path, columns_of: Callable[[int, int, int], dict[str, Any]]
) -> None:
    with pytest.raises(Refusal, match="cutoff_exclusive 202202 leaves no month"):
        run_cox(lay_out(tmp_path / "in", columns_of(20, 30, 1), cutoff_exclusive=202202), tmp_path / "out", silent)
