"""Counterfactuals beside DiCE's random method: the same model, customers, columns, bounds and goal, in one process."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from uv import find_uv_bin

from bench.figures import Figure, median, spread
from fastflow.apps.churn.method.churn_run import run_churn

CUSTOMERS, MONTHS, COLUMNS = 10_000, 24, 10
SEARCHED, SLOWLY = 1_000, 40
"""Customers of ours, and how many of these DiCE is asked about, as it takes long for each."""
EXPERIMENT = {
    "experiment_id": 1,
    "training_from": 202201,
    "training_to": 202306,
    "backtest_from": 202307,
    "backtest_to": 202312,
    "model_type": "gradient_boosting",
    "hyperparameters": {"most_anchors": 6, "bootstrap_replicates": 20, "rolling_origins": 0},
}
SIDE = Path(__file__).parent / "others" / "dice_random.py"


def bench_counterfactuals(folder: Path) -> list[Figure]:
    """1,000 customers with the deployed model, DiCE per customer."""
    inputs = folder / "counterfactuals"
    inputs.mkdir()
    draw_panel(inputs / "panel.parquet")
    (inputs / "experiment.json").write_text(json.dumps(EXPERIMENT))
    (inputs / "dictionary.json").write_text(json.dumps({f"i_{n}": "DYNAMIC_FEATURE" for n in range(COLUMNS)}))
    run_churn(inputs, inputs / "churn", lambda **facts: None)
    command = [find_uv_bin(), "run", "--quiet", "--script", str(SIDE), str(inputs), str(SEARCHED), str(SLOWLY)]
    sources = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=sources)
    return told(json.loads(done.stdout.splitlines()[-1]))


def told(measured: dict[str, Any]) -> list[Figure]:
    """Time, and what it bought."""
    seconds = [float(each) for each in measured["dice_seconds"]]
    own, count = float(measured["seconds"]), int(measured["customers"])
    in_model = float(measured["dice_model_seconds"]) / len(seconds)
    theirs, mean = median(seconds), sum(seconds) / len(seconds)
    found = [
        Figure(
            f"counterfactuals of {count:,} customers",
            f"{own:.1f} s, {own / count * 1000:.1f} ms a customer",
            f"{mean * count / own:.0f} × faster than DiCE's random method ({theirs * 1000:.0f} ms a customer, "
            f"{(mean - in_model) * 1000:.0f} of them outside of the model)",
            "≥ 20 ×",
            f"DiCE: {spread(seconds)}",
        )
    ]
    for name, bar in (("validity", "≥ DiCE's"), ("sparsity", "≤ DiCE's"), ("proximity", ""), ("plausible", "")):
        own_share, their_share = measured["ours"][name], measured["dice"][name]
        figure = f"counterfactuals: {name}"
        found.append(
            Figure(figure, f"{own_share:.2f}", f"DiCE {their_share:.2f}", bar, f"the same {len(seconds)} customers")
        )
    return found


def draw_panel(target: Path) -> None:
    """Ten counts a month; the fewer of the first six there are, the likelier a customer leaves. Customers join for a year."""
    draw = np.random.default_rng(5)
    level = draw.uniform(0.3, 5, (CUSTOMERS, COLUMNS))
    joins, alive = draw.integers(0, 13, CUSTOMERS), np.ones(CUSTOMERS, dtype=bool)
    parts = []
    for step in range(MONTHS):
        counts = draw.poisson(level)
        hazard = 0.35 / (1 + np.exp(1.1 * (level[:, :6].mean(axis=1) - 1.9) * 2))
        here = alive & (joins <= step)
        died = here & (draw.random(CUSTOMERS) < hazard)
        who = np.flatnonzero(here)
        parts.append(
            {
                "Kunde": np.char.add("K", np.char.zfill(who.astype(str), 5)),
                "I_TIMEBASE": np.full(len(who), (2022 + step // 12) * 100 + step % 12 + 1),
                "I_Alive": (~died[who]).astype(np.int8),
                **{f"i_{n}": counts[who, n] for n in range(COLUMNS)},
            }
        )
        alive &= ~died
        level = np.maximum(0.1, level + draw.normal(0, 0.25, level.shape))
    pq.write_table(pa.table({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}), target)
