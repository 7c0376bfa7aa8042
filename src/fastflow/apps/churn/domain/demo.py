"""A small monthly panel to try the workbench on: drawn, the same each time, with a cause of churn that a model can find.

Customers whose use fades leave; help-desk calls rise before they do; the region explains nothing.
"""

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from .month import Month

FIRST, MONTHS, CUSTOMERS, SEED = Month.parse(202201), 36, 500, 20260101
COLUMNS = ("Kunde", "I_TIMEBASE", "I_Alive", "i_use", "i_help_desk", "n_rate", "region")
DICTIONARY: Mapping[str, Any] = {
    "Kunde": "PRIMARY_KEY",
    "I_TIMEBASE": "TIMEBASE",
    "I_Alive": "TARGET",
    "i_use": {"role": "DYNAMIC_FEATURE", "type": "integer"},
    "i_help_desk": {"role": "DYNAMIC_FEATURE", "type": "integer"},
    "n_rate": {"role": "DYNAMIC_FEATURE", "type": "number"},
    "region": {"role": "STATIC_FEATURE", "type": "text"},
}
EXPERIMENT: Mapping[str, Any] = {
    "experiment_name": "Demo",
    "training_from": 202201,
    "training_to": 202406,
    "backtest_from": 202407,
    "backtest_to": 202412,
    "model_type": "logistic",
    "feature_set": "standard",
    "hyperparameters": {
        "bootstrap_replicates": 100,
        "rolling_origins": 1,
        "customer_value": 400.0,
        "cf": {"alternatives": 3},
    },
}


def demo_rows() -> Iterator[str]:
    """The panel as lines of CSV, the header first."""
    draw = random.Random(SEED)  # noqa: S311  no secret: the same rows each time
    yield ",".join(COLUMNS)
    for customer in range(CUSTOMERS):
        level, region = draw.uniform(0.2, 3.0), ("north", "south")[customer % 2]
        for step in range(MONTHS):
            is_alive = draw.random() >= 0.06 * math.exp(-1.5 * (level - 0.5))
            use, calls = _poisson(draw, level), _poisson(draw, 0.6 / (0.3 + level))
            month = (FIRST + step).yyyymm
            yield f"K{customer:04d},{month},{int(is_alive)},{use},{calls},{draw.random():.3f},{region}"
            if not is_alive:
                break
            level = max(0.05, level + draw.gauss(-0.02, 0.15))


def _poisson(draw: random.Random, mean: float) -> int:
    """A count with that mean, by Knuth's way: as many factors as it takes to come below e^-mean."""
    limit, count, product = math.exp(-mean), 0, draw.random()
    while product > limit:
        count += 1
        product *= draw.random()
    return count
