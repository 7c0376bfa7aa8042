import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import concordance_index

from fastflow.apps.churn.method.consistency import compare_probabilities
from fastflow.apps.churn.method.survival import (
    brier_curve,
    censoring_survival,
    conditional_survival,
    dynamic_auc,
    harrell_concordance,
    kaplan_meier,
    median_life,
    restricted_mean,
    uno_concordance,
)

subjects = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 1), st.integers(0, 4)), min_size=3, max_size=40).filter(
    lambda rows: any(event for _, event, _ in rows) and len({time for time, _, _ in rows}) > 1
)


def arrays(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    times, events, risks = (np.array(column) for column in zip(*rows, strict=True))
    return times.astype(float), events.astype(np.int8), risks.astype(float)


@settings(max_examples=20)
@given(subjects)
def test_kaplan_meier_when_compared_with_lifelines_then_both_agree(rows: list[tuple[int, int, int]]) -> None:
    times, events, _ = arrays(rows)
    curve, _ = kaplan_meier(times, events)
    reference = KaplanMeierFitter().fit(times, events).survival_function_at_times(curve.times)
    assert curve.values == pytest.approx(reference.to_numpy())


@given(subjects)
def test_concordance_when_counted_pair_by_pair_then_it_is_the_same_and_any_monotone_risk_ranks_equally(
    rows: list[tuple[int, int, int]],
) -> None:
    times, events, risk = arrays(rows)
    concordant = pairs = 0.0
    for i in range(len(times)):
        for j in range(len(times)):
            if events[i] and (times[j] > times[i] or (times[j] == times[i] and not events[j])):
                pairs += 1
                concordant += 1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0
    if pairs:
        assert harrell_concordance(times, events, risk) == pytest.approx(concordant / pairs)
        assert harrell_concordance(times, events, np.exp(risk)) == pytest.approx(concordant / pairs)
        if len(set(times[events == 1])) == int(events.sum()):  # lifelines counts pairs tied in time as well
            assert concordance_index(times, -risk, events) == pytest.approx(concordant / pairs)


def test_uno_when_calculated_by_hand_then_it_agrees() -> None:
    """Censored at 2 with three at risk: G(3) = 2/3, so pairs of the event at 3 weigh 9/4, those of the event at 1 weigh 1."""
    times, events = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 0, 1, 1], dtype=np.int8)
    risk = np.array([2.0, 5.0, 1.0, 3.0])
    assert censoring_survival(times, events).at(np.array([3.0]), before=True).tolist() == [pytest.approx(2 / 3)]
    # event at 1: against 2 (no), 3 (yes), 4 (no) -> 1 of 3; event at 3: against 4 (no) -> 0 of 9/4
    assert uno_concordance(times, events, risk, 10) == pytest.approx(1 / (3 + 9 / 4))
    assert uno_concordance(times, events, risk, 3) == pytest.approx(1 / 3)


@given(subjects)
def test_uno_when_nobody_is_censored_then_it_is_harrells(rows: list[tuple[int, int, int]]) -> None:
    times, _, risk = arrays(rows)
    events = np.ones(len(times), dtype=np.int8)
    assert uno_concordance(times, events, risk, 100) == pytest.approx(harrell_concordance(times, events, risk))


def test_brier_when_calculated_by_hand_then_it_agrees_and_unsupported_times_are_left_out_and_named() -> None:
    times, events = np.array([1.0, 2.0, 3.0]), np.array([1, 0, 1], dtype=np.int8)
    predicted = np.tile(np.array([0.5, 0.4, 0.2, 0.1]), (3, 1))
    curve = brier_curve(times, events, np.array([1.0, 2.0, 3.0, 7.0]), predicted)
    # at 1: one died, two live, 0.25 each. At 2: the censored one was alive. At 3: G(3-) = 1/2, and it counts no more
    assert curve.scores == pytest.approx([0.25, (0.4**2 + 0.6**2 + 0.6**2) / 3, (0.2**2 + 0.2**2 / 0.5) / 3])
    assert curve.left_out.tolist() == [7.0]
    assert curve.integrated == pytest.approx((curve.scores[0] / 2 + curve.scores[1] + curve.scores[2] / 2) / 2)


def test_auc_over_time_when_everybody_is_observed_then_it_is_the_ordinary_one() -> None:
    times, events = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4, dtype=np.int8)
    assert dynamic_auc(times, events, np.array([3.0, 1.0, 2.0, 0.0]), 2.0) == 0.75
    assert np.isnan(dynamic_auc(times, events, np.arange(4.0), 9.0))


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=12), st.floats(0.5, 20))
def test_restricted_mean_when_compared_with_a_fine_sum_then_both_agree(drops: list[float], horizon: float) -> None:
    survival = np.cumprod(np.array(drops, dtype=np.float64), dtype=np.float64)[None, :]
    times = np.arange(1.0, len(drops) + 1)
    fine = np.linspace(0, horizon, 40_001)[:-1] + horizon / 80_000
    place = np.searchsorted(times, fine, side="right")
    total = np.concatenate([[1.0], survival[0]])[place].sum() * horizon / 40_000
    assert restricted_mean(times, survival, horizon)[0] == pytest.approx(total, rel=1e-3)


def test_conditional_curve_when_a_customer_got_so_far_then_it_begins_anew() -> None:
    times, survival = np.array([1.0, 2.0, 3.0]), np.array([[0.8, 0.4, 0.2]])
    later, curve = conditional_survival(times, survival, 1.0)
    assert later.tolist() == [1.0, 2.0] and curve[0] == pytest.approx([0.5, 0.25])
    assert median_life(times, survival).tolist() == [2.0]
    assert np.isnan(median_life(times, np.array([[0.9, 0.8, 0.7]]))).all()


def test_consistency_when_two_models_say_the_same_then_they_agree_and_when_not_the_customer_is_named() -> None:
    p = np.linspace(0.05, 0.95, 50)
    churned = (p > 0.5).astype(np.int8)
    summary, _ = compare_probabilities(p, p, churned)
    assert summary["rank_correlation"] == pytest.approx(1) and summary["disagreements"] == 0
    assert (summary["calibration_slope"], summary["calibration_intercept"]) == pytest.approx((1, 0), abs=1e-6)
    other = p.copy()
    other[0] = 0.9
    _, columns = compare_probabilities(p, other, churned)
    assert np.flatnonzero(columns["disagrees"]).tolist() == [0]
