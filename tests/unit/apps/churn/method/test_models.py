import numpy as np

from fastflow.apps.churn.method.models import KINDS, fit_model


def test_models_when_fitted_twice_then_every_prediction_is_equal_to_the_bit() -> None:
    generator = np.random.default_rng(2)
    matrix = generator.normal(size=(3000, 8)).astype(np.float32)
    churned = (generator.random(3000) < 1 / (1 + np.exp(-matrix[:, 0]))).astype(np.int8)
    for kind in KINDS:
        first, second = (fit_model(kind, matrix, churned, np.arange(8), seed=7) for _ in range(2))
        assert np.array_equal(first.predict(matrix), second.predict(matrix)), kind
        assert first.predict(matrix)[churned == 1].mean() > first.predict(matrix)[churned == 0].mean()
