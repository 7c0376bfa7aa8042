"""Panels for the tests of the workbench: small, drawn from a seed, with a cause of churn that a model can find."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastflow.apps.churn.method.panel import counted, yyyymm

FIRST = 202201


def drawn_columns(customers: int, months: int, seed: int) -> dict[str, Any]:
    """Columns of a long panel: activity fades before a customer dies; rows end with the month of death."""
    generator = np.random.default_rng(seed)
    first = int(counted(np.array([FIRST]))[0])
    rows: dict[str, list[Any]] = {name: [] for name in ("Kunde", "I_TIMEBASE", "I_Alive", "i_use", "n_rate", "region")}
    for customer in range(customers):
        level = generator.uniform(0.2, 3.0)
        region = ("north", "south")[customer % 2]
        for month in range(months):
            hazard = 0.06 * float(np.exp(-1.5 * (level - 0.5)))
            alive = generator.random() >= hazard
            values = (customer, yyyymm(first + month), int(alive), generator.poisson(level), generator.random(), region)
            for name, value in zip(rows, values, strict=True):
                rows[name].append(value)
            if not alive:
                break
            level = max(0.05, level + generator.normal(-0.02, 0.15))
    return {name: np.array(values) for name, values in rows.items()}


@pytest.fixture(scope="session")
def columns_of() -> Callable[[int, int, int], dict[str, Any]]:
    return drawn_columns
