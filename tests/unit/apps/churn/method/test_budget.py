import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_RUN = """import resource, sys
from pathlib import Path
from fastflow.apps.churn.method.churn_run import run_churn
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run_churn(Path(sys.argv[1]), Path(sys.argv[2]), lambda **facts: None)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""
CUSTOMERS, MONTHS, COLUMNS = 4000, 36, 20


def test_run_when_features_are_many_times_the_panel_then_its_memory_is_bounded_by_the_panel(tmp_path: Path) -> None:
    """481 features at 12 anchors: the whole training in single precision would be seven times the panel's grids. A run that held
    it, and the copies that are made of it, took 57 times the grids beside the libraries; now it is 11 times."""
    draw = np.random.default_rng(3)
    died = draw.integers(10, 90, CUSTOMERS)
    who, month = np.nonzero(np.arange(MONTHS) <= died[:, None])
    columns = {
        "Kunde": pa.array([f"K{number:05}" for number in who]),
        "I_TIMEBASE": ((2021 + month // 12) * 100 + month % 12 + 1).astype(np.int32),
        "I_Alive": (month < died[who]).astype(np.int8),
        **{f"i_{index}": draw.poisson(4, len(who)).astype(np.int32) for index in range(COLUMNS)},
    }
    pq.write_table(pa.table(columns), tmp_path / "panel.parquet")
    roles = {"Kunde": "PRIMARY_KEY", "I_TIMEBASE": "TIMEBASE", "I_Alive": "TARGET"}
    roles |= {f"i_{index}": "DYNAMIC_FEATURE" for index in range(COLUMNS)}
    (tmp_path / "dictionary.json").write_text(json.dumps({"columns": roles}))
    experiment = {
        "experiment_id": 1,
        "training_from": 202101,
        "training_to": 202306,
        "backtest_from": 202307,
        "backtest_to": 202312,
        "model_type": "gradient_boosting",
        "hyperparameters": {"model_parameters": {"max_iter": 3}, "bootstrap_replicates": 20, "rolling_origins": 0},
    }
    (tmp_path / "experiment.json").write_text(json.dumps(experiment))
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(tmp_path), str(tmp_path / "out")], check=True, capture_output=True, text=True
    )
    grids = CUSTOMERS * MONTHS * COLUMNS * 4
    assert int(done.stdout) < 16 * grids, int(done.stdout) / grids
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["audit"]["training_rows"]
    assert rows["used"] < rows["available"]
    assert rows["limited_by"] == "memory"
    assert rows["customers_used"] > 0.99 * rows["customers_available"]
