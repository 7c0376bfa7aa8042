import numpy as np
import pytest

from fastflow.apps.churn.method.counterfactuals import Found
from fastflow.apps.churn.method.quality import diversity, nearest_distances


def test_nearest_when_calculated_by_hand_then_it_agrees() -> None:
    real = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    assert nearest_distances(real, real, None).tolist() == [1.0, pytest.approx(18**0.5), 1.0]
    assert nearest_distances(np.array([[3.0, 4.0]]), real, np.array([1])).tolist() == [pytest.approx(18**0.5)]


def changed(*change: list[float]) -> Found:
    """Counterfactuals of as many customers; a row of noughts stands for none."""
    rows = np.array(change)
    some = np.full(len(rows), 0.5)
    return Found(some, some, some, (rows != 0).any(axis=1), rows, np.abs(rows), ("",) * len(rows))


def test_diversity_when_calculated_by_hand_then_it_agrees() -> None:
    first = changed([1, 0, 0], [1, 1, 0], [1, 0, 0])
    second = changed([0, 2, 0], [0, 1, 1], [0, 0, 0])
    third = changed([0, 3, 0], [0, 0, 0], [0, 0, 0])
    assert np.isnan(diversity([first])).all()
    found = diversity([first, second, third])
    assert found[:2].tolist() == [pytest.approx((1 + 1 + 0) / 3), pytest.approx(2 / 3)]
    assert np.isnan(found[2])
