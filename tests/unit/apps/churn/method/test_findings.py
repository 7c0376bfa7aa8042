import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fastflow.apps.churn.method.features import FeatureSet, column_features
from fastflow.apps.churn.method.findings import (
    FEWEST_FOR_TREND,
    chi_square,
    drift_table,
    levels_of,
    reasons,
    top_reasons,
    trend_per_year,
)
from fastflow.apps.churn.method.scores import sigmoid

samples = st.lists(st.integers(0, 4), min_size=1, max_size=80)


@given(samples, samples)
def test_chi_square_when_compared_with_scipy_then_both_agree(before: list[int], after: list[int]) -> None:
    value, p, size = chi_square(np.array(before), np.array(after), 6)
    seen = np.stack([np.bincount(each, minlength=6) for each in (before, after)])
    seen = seen[:, seen.sum(axis=0) > 0]
    if seen.shape[1] == 1:
        assert (value, p, size) == (0.0, 1.0, 0.0)
        return
    reference = stats.chi2_contingency(seen, correction=False)
    assert (value, p) == pytest.approx((reference.statistic, reference.pvalue))
    assert size == pytest.approx(stats.contingency.association(seen, method="cramer", correction=False))


@given(
    st.lists(st.tuples(st.integers(0, 600), st.floats(-1, 1)), min_size=4, max_size=20, unique_by=lambda row: row[0])
)
def test_trend_when_compared_with_scipy_then_slope_and_interval_agree(rows: list[tuple[int, float]]) -> None:
    months, values = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    trend = trend_per_year(months, values)
    reference = stats.linregress(months / 12, values)
    half = stats.t.ppf(0.975, len(rows) - 2) * reference.stderr
    assert trend is not None
    expected = (reference.slope, reference.slope - half, reference.slope + half)
    assert (trend["per_year"], trend["low"], trend["high"]) == pytest.approx(expected, abs=1e-7)


def test_trend_when_there_are_too_few_origins_then_none_is_told() -> None:
    few = np.arange(FEWEST_FOR_TREND - 1, dtype=np.float64)
    assert trend_per_year(few, few) is None


def test_drift_when_a_word_becomes_rare_then_its_column_says_so_and_the_others_do_not() -> None:
    generator = np.random.default_rng(5)
    before = np.column_stack([generator.random(2000), generator.random(2000) < 0.6]).astype(np.float32)
    after = np.column_stack([generator.random(2000), generator.random(2000) < 0.2]).astype(np.float32)
    same, moved = drift_table(before, after, ("n_rate", "region__is_south"))
    assert moved["chi2_p"] < 1e-20 < 0.001 < same["chi2_p"]
    assert moved["cramers_v"] == pytest.approx(0.4, abs=0.05)
    assert (same["severity"], moved["severity"]) == ("none", "strong")


@pytest.mark.parametrize("share", [0.04, 0.13, 0.96])
def test_drift_when_a_rare_event_becomes_common_then_it_is_seen(share: float) -> None:
    """All quantiles of such a column are nought (or one): the mean tripled, and no bin told."""
    generator = np.random.default_rng(6)
    before = (generator.random((4000, 1)) < share).astype(np.float32)
    after = (generator.random((4000, 1)) < (3 * share if share < 0.5 else 0.7)).astype(np.float32)
    (moved,) = drift_table(before * 7, after * 7, ("i_orders__last",))
    (same,) = drift_table(before * 7, before[::-1] * 7, ("i_orders__last",))
    assert moved["psi"] > 0.05 and moved["cramers_v"] > 0.1 and moved["chi2_p"] < 1e-9
    assert moved["severity"] == ("strong" if moved["psi"] > 0.25 else "some" if moved["psi"] > 0.1 else "none")
    assert same["psi"] == pytest.approx(0) and same["chi2"] == pytest.approx(0)


def test_reasons_when_told_then_they_say_whether_the_customer_has_little_or_much_of_the_column() -> None:
    plan = FeatureSet(("logins", "calls"), ("age", "region"), {"region": ("north", "south")}, (3,))
    months = np.array([[[1, 1, 1], [3, 3, 3], [9, 9, 9]], [[5, 5, 5], [2, 2, 2], [0, 0, 0]]], dtype=np.float32)
    blocks = [column_features(block, plan.windows) for block in months]
    rest = np.array([[30, 1, 0, 3], [40, 1, 0, 3], [np.nan, 0, 1, 3]], dtype=np.float32)
    matrix = np.concatenate([*blocks, rest], axis=1)
    reference = matrix[1]
    places = [plan.names.index(name) for name in ("logins__mean_3", "calls__mean_3", "region__is_south")]

    def predict(rows: np.ndarray) -> np.ndarray:
        return np.asarray(sigmoid(rows[:, places].astype(np.float64) @ np.array([-0.5, 0.2, 0.1])))

    names, effect = reasons(predict, matrix, reference, plan)
    levels = levels_of(matrix, reference, plan)
    assert dict(zip(names, levels[0].tolist(), strict=True)) == {
        "logins": -1,
        "calls": 1,
        "age": -1,
        "region": 0,
        "months_known": 0,
    }
    assert top_reasons(names, effect, levels) == [
        ["low logins raises the risk", "high calls raises the risk"],
        [],
        ["high logins lowers the risk", "low calls lowers the risk", "region raises the risk"],
    ]
