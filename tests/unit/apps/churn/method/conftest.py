"""Panels for the tests of the method."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastflow.apps.churn.method.panel import Panel, counted, panel_from_columns


@pytest.fixture(scope="session")
def small_panel(columns_of: Callable[[int, int, int], dict[str, Any]]) -> Panel:
    """400 customers, 30 months from January 2022."""
    columns = columns_of(400, 30, 7)
    return panel_from_columns(
        columns["Kunde"],
        columns["I_TIMEBASE"],
        columns["I_Alive"],
        {"i_use": columns["i_use"], "n_rate": columns["n_rate"]},
        {"region": columns["region"]},
    )


@pytest.fixture(scope="session")
def cdnow() -> Panel:
    """All purchases of examples/pipelines/cdnow_rfm as a monthly panel; alive = bought in the six months to this one."""
    source = Path(__file__).parents[5] / "examples" / "pipelines" / "cdnow_rfm" / "cdnow_master.txt.gz"
    raw = np.loadtxt(source, skiprows=1)
    months = counted((raw[:, 1] // 100).astype(np.int64))
    first, width = int(months.min()), 18
    keys, who = np.unique(raw[:, 0].astype(np.int64), return_inverse=True)

    def grid(weights: Any) -> Any:
        cells = np.bincount(who * width + months - first, weights, minlength=len(keys) * width)
        return cells.reshape(len(keys), width)

    purchases = grid(np.ones(len(raw)))
    running = np.cumsum(np.pad(purchases, ((0, 0), (6, 0))), axis=1)
    alive = (running[:, 6:] > running[:, :-6]).astype(np.int8)
    before = np.arange(width) < (purchases > 0).argmax(axis=1)[:, None]
    alive[before] = -1
    dynamic = {"purchases": purchases, "cds": grid(raw[:, 2]), "dollars": grid(raw[:, 3])}
    known = {name: np.where(before, np.nan, values).astype(np.float32) for name, values in dynamic.items()}
    return Panel(keys, first, alive, known, {}, {})
