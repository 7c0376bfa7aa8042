import numpy as np
import pytest

from fastflow.apps.churn.method.deployed import TOLERANCE, Deployed
from fastflow.apps.churn.method.export import export_onnx
from fastflow.apps.churn.method.models import KINDS, fit_model, screen
from fastflow.apps.churn.method.problems import Refusal

SMALL = {"logistic": {}, "random_forest": {"n_estimators": 10}, "gradient_boosting": {"max_iter": 15}}


def drawn(n: int = 600, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(n, width)).astype(np.float32)
    matrix[:, 3] = generator.poisson(2, n)  # thresholds of trees fall on whole and half numbers
    matrix[generator.random(matrix.shape) < 0.05] = np.nan
    signal = np.nan_to_num(matrix[:, 0]) + np.nan_to_num(matrix[:, 3]) - 2
    return matrix, (signal + generator.normal(size=n) > 0).astype(np.int8)


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_when_exported_then_it_predicts_what_the_fitted_model_does_and_repeats_to_the_byte(kind: str) -> None:
    matrix, churned = drawn()
    columns, _ = screen(matrix, tuple(str(index) for index in range(matrix.shape[1])))
    models = [fit_model(kind, matrix, churned, columns, seed=3, parameters=SMALL[kind]) for _ in range(2)]
    models = [model.calibrated(model.raw_log_odds(matrix), churned) for model in models]
    graph, repeated = (export_onnx(model, matrix.shape[1]) for model in models)
    assert graph == repeated
    difference = np.abs(Deployed(graph).predict(matrix) - models[0].predict(matrix))
    assert difference.max() <= TOLERANCE
    assert Deployed(graph).predict(matrix[:0]).shape == (0,)


def test_screen_when_columns_are_constant_unknown_or_equal_then_each_is_named_with_its_reason() -> None:
    matrix = np.array([[1, 5, np.nan, 1, 2], [2, 5, np.nan, 2, 1]], dtype=np.float32)
    kept, dropped = screen(matrix, ("a", "b", "c", "d", "e"))
    assert kept.tolist() == [0, 4]
    assert {row["feature"]: row["reason"] for row in dropped} == {
        "b": "constant",
        "c": "never known",
        "d": "the same as a",
    }


def test_fit_when_all_stayed_then_it_is_refused() -> None:
    matrix, churned = drawn()
    with pytest.raises(Refusal, match="All 600 customers of the training stayed"):
        fit_model("logistic", matrix, np.zeros_like(churned), np.array([0]), seed=1)


def test_calibration_when_predictions_carry_nothing_then_the_ranking_is_not_turned_round() -> None:
    matrix, churned = drawn()
    model = fit_model("logistic", matrix, churned, np.arange(3), seed=1)
    turned = model.calibrated(-model.raw_log_odds(matrix), churned)
    assert turned.slope == 1e-3
    assert turned.predict(matrix).mean() == pytest.approx(churned.mean(), abs=0.01)
