"""What is wrong with an experiment is told in the reader's language."""

from typing import Any

import pytest

from fastflow.apps.churn.domain.experiment import define
from fastflow.apps.churn.domain.problem import Refused
from fastflow.ui.sentences import ENGLISH, sentences_in

GIVEN: dict[str, Any] = {
    "experiment_name": "summer",
    "training_from": 202201,
    "training_to": 202312,
    "backtest_from": 202401,
    "backtest_to": 202406,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"training_to": 202513},
        {"training_to": 2},
        {"training_to": "Dec"},
        {"training_to": 390001},
        {"backtest_to": None},
        {"training_to": 202101},
        {"backtest_to": 202312},
        {"backtest_from": 202312},
        {"backtest_from": 202101, "backtest_to": 202106},
        {"training_from": 202303},
        {"feature_set": "enhancd"},
        {"model_type": "oracle"},
        {"experiment_name": ""},
        {"experiment_name": "a" * 201},
        {"hyperparameters": {"cutoff_exclusive": 202402}},
        {"hyperparameters": {"cutoff_exclusive": 202207}},
        {"hyperparameters": {"seed": "x", "ridge": "x", "capacity": 2, "outcome": 3, "horizons": 6, "cf": []}},
        {"hyperparameters": {"cox_covariates": 1, "cf": {"sample": 2, "policy": {"a": {"max": [{}]}}}}},
        {
            "hyperparameters": {
                "cf": {"policy": {"a": {"change": "sidewards", "step": 0, "cost": -1, "min": 2, "max": 1}}}
            }
        },
        {"hyperparameters": {"cf": {"policy": {"a": {"low": 1}, "b": 3}}}},
    ],
)
def test_problems_when_told_in_german_then_none_stays_english(changes: dict[str, Any]) -> None:
    german = sentences_in("de")
    assert german is not None
    with pytest.raises(Refused) as refused:
        define({**GIVEN, **changes})
    told = [german.translate(str(problem)) for problem in refused.value.problems]
    assert told and not [text for text in told if ENGLISH in text]
