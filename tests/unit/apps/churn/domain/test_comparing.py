"""Which of two experiments is better, and whether chance alone would do."""

from dataclasses import replace

import pytest

from fastflow.apps.churn.domain.comparing import difference, same_test
from fastflow.apps.churn.domain.document import Column, Document, Table
from fastflow.apps.churn.domain.experiment import Experiment, define
from fastflow.apps.churn.domain.experiment_rows import intervals_in


def experiment(**changed: object) -> Experiment:
    months = {"training_from": 202201, "training_to": 202312, "backtest_from": 202401, "backtest_to": 202403}
    definition = define({"experiment_name": "one", **months, **changed})
    return Experiment(experiment_id=1, **{name: getattr(definition, name) for name in definition.__dataclass_fields__})


@pytest.mark.parametrize(
    ("name", "second", "ends", "verdict"),
    [
        ("churn_roc_auc", 0.80, (0.77, 0.83), "better"),
        ("churn_roc_auc", 0.60, (0.57, 0.63), "worse"),
        ("churn_roc_auc", 0.73, (0.70, 0.76), "even"),
        ("churn_brier", 0.80, (0.77, 0.83), "worse"),
        ("churn_brier", 0.60, (0.57, 0.63), "better"),
    ],
)
def test_difference_when_it_is_beyond_its_interval_then_one_is_better(
    name: str, second: float, ends: tuple[float, float], verdict: str
) -> None:
    found = difference(name, 0.70, second, ((0.66, 0.74), ends))
    assert found is not None
    assert found.verdict == verdict
    assert found.value == pytest.approx(second - 0.70)
    assert found.high - found.value == pytest.approx(0.05)
    assert (found.low > 0 or found.high < 0) == (verdict != "even")


def test_difference_when_neither_more_nor_less_is_better_then_there_is_none_to_tell() -> None:
    assert difference("churn_base_rate", 0.1, 0.2, ((0.05, 0.15), (0.15, 0.25))) is None


def test_tests_when_only_the_model_differs_then_they_are_the_same() -> None:
    assert same_test(experiment(), experiment(model_type="logistic"))
    assert not same_test(experiment(), experiment(backtest_to=202404))
    assert not same_test(experiment(), experiment(hyperparameters={"outcome": "end"}))
    assert not same_test(experiment(), replace(experiment(), data_fingerprint="other"))


def test_intervals_when_a_measure_has_one_then_it_is_found_by_the_figure_s_name() -> None:
    rows = (
        {"experiment_id": 3, "metric": "roc_auc", "value": 0.7, "low": 0.6, "high": 0.8},
        {"experiment_id": 3, "metric": "log_loss", "value": 0.4, "low": None, "high": None},
    )
    table = Table(description="", source="", columns={"metric": Column("text", "")}, records=rows)
    document = Document(revision=1, last_updated="", counters={}, tables={"churn_model_metrics": table})
    assert intervals_in(document) == {3: {"churn_roc_auc": (0.6, 0.8)}}
