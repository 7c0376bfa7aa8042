"""Experiments as the tests ask for them."""

from collections.abc import Mapping
from typing import Any

GIVEN: Mapping[str, Any] = {
    "experiment_name": "summer",
    "training_from": 202201,
    "training_to": 202312,
    "backtest_from": 202401,
    "backtest_to": 202406,
}
OTHER: Mapping[str, Any] = {**GIVEN, "experiment_name": "autumn", "backtest_to": 202403}
