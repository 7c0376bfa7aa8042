import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

from fastflow.apps.churn.method.scores import (
    bootstrap_intervals,
    calibration_bins,
    lift_table,
    log_odds,
    logistic_line,
    profit_curve,
    rank,
    ranking_curve,
    ranking_scores,
    score_report,
    sigmoid,
)
from fastflow.apps.churn.method.thresholds import choose_thresholds, confusion

pairs = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=2, max_size=60).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


@given(pairs)
def test_ranking_when_compared_with_scikit_learn_then_both_agree_with_ties(rows: list[tuple[int, int]]) -> None:
    p, y = np.array([a / 8 for a, _ in rows]), np.array([b for _, b in rows])
    auc, ap = ranking_scores(rank(p, y))
    assert auc == pytest.approx(roc_auc_score(y, p))
    assert ap == pytest.approx(average_precision_score(y, p))
    assert ranking_scores(rank(np.exp(3 * p), y)) == pytest.approx((auc, ap))


@given(pairs, st.integers(0, 2**31))
def test_ranking_when_rows_are_weighted_then_it_is_as_if_they_were_repeated(
    rows: list[tuple[int, int]], seed: int
) -> None:
    p, y = np.array([a / 8 for a, _ in rows]), np.array([b for _, b in rows])
    weights = np.random.default_rng(seed).integers(1, 4, len(rows))
    repeated = ranking_scores(rank(np.repeat(p, weights), np.repeat(y, weights)))
    assert ranking_scores(rank(p, y), weights.astype(float)) == pytest.approx(repeated)


@given(pairs)
def test_ranking_curve_when_drawn_then_its_area_is_the_auc_and_its_points_are_scikit_learns(
    rows: list[tuple[int, int]],
) -> None:
    p, y = np.array([a / 8 for a, _ in rows]), np.array([b for _, b in rows])
    curve = ranking_curve(rank(p, y))
    area = auc([row["false_positive_rate"] for row in curve], [row["recall"] for row in curve])
    assert area == pytest.approx(roc_auc_score(y, p))
    precision, recall, thresholds = precision_recall_curve(y, p)
    known = {t: (a, b) for t, a, b in zip(thresholds, precision, recall, strict=False)}
    for row in curve[1:]:
        assert (row["precision"], row["recall"]) == pytest.approx(known[row["threshold"]])


def test_ranking_curve_when_there_are_many_customers_then_few_points_are_left_and_the_area_stays() -> None:
    generator = np.random.default_rng(3)
    p = generator.random(20_000)
    y = (generator.random(20_000) < p**2).astype(int)
    curve = ranking_curve(rank(p, y))
    assert len(curve) <= 203
    area = auc([row["false_positive_rate"] for row in curve], [row["recall"] for row in curve])
    assert area == pytest.approx(roc_auc_score(y, p), abs=2e-4)
    assert (curve[0]["recall"], curve[-1]["recall"], curve[-1]["false_positive_rate"]) == (0.0, 1.0, 1.0)
    assert ranking_curve(rank(p, np.ones(20_000))) == []


def test_ranking_when_one_outcome_is_missing_then_it_is_not_a_number() -> None:
    assert np.isnan(ranking_scores(rank(np.array([0.1, 0.2]), np.array([1, 1])))).all()


def test_logistic_line_when_compared_with_scikit_learn_then_both_agree() -> None:
    generator = np.random.default_rng(1)
    z = generator.normal(size=400)
    y = (generator.random(400) < sigmoid(0.6 * z - 1)).astype(float)
    reference = LogisticRegression(C=1e10, tol=1e-10).fit(z[:, None], y)
    assert logistic_line(z, y) == pytest.approx((reference.coef_[0, 0], reference.intercept_[0]), abs=1e-4)


def test_logistic_line_when_outcomes_are_separated_then_it_stays_finite() -> None:
    assert np.isfinite(logistic_line(np.array([-1.0, 1.0]), np.array([0.0, 1.0]))).all()


def test_report_when_probabilities_are_true_then_calibration_is_near_one_and_nought() -> None:
    generator = np.random.default_rng(2)
    p = generator.beta(1, 3, 20_000)
    report = score_report(p, (generator.random(20_000) < p).astype(np.int8), 0.25)
    assert report["calibration_slope"] == pytest.approx(1, abs=0.05)
    assert report["calibration_intercept"] == pytest.approx(0, abs=0.05)
    assert report["brier_skill"] > 0


def test_lift_and_profit_when_calculated_by_hand_then_they_agree() -> None:
    p, y = np.array([0.9, 0.8, 0.3, 0.2]), np.array([1, 0, 1, 0])
    (half,) = lift_table(p, y, (0.5,))
    assert (half["churners_found"], half["gain"], half["lift"]) == (1.0, 0.5, 1.0)
    curve = profit_curve(p, y, customer_value=100, success_rate=0.5, contact_cost=10, points=4)
    assert [row["profit"] for row in curve] == [0, 40, 30, 70, 60]


@given(pairs)
def test_lift_when_everybody_is_tied_then_it_is_the_base_rate(rows: list[tuple[int, int]]) -> None:
    y = np.array([b for _, b in rows])
    assert [row["lift"] for row in lift_table(np.full(len(y), 0.5), y)] == pytest.approx([1.0] * 4)


def test_bins_when_counted_then_every_customer_is_in_one() -> None:
    p = np.linspace(0, 1, 103)
    table = calibration_bins(p, (p > 0.5).astype(np.int8))
    assert sum(row["customers"] for row in table) == 103
    assert all(row["observed_low"] - 1e-9 <= row["observed"] <= row["observed_high"] + 1e-9 for row in table)


def test_intervals_when_customers_are_repeated_then_the_interval_is_not_narrower() -> None:
    generator = np.random.default_rng(3)
    p = generator.random(300)
    y = (generator.random(300) < p).astype(np.int8)
    single = bootstrap_intervals(p, y, np.arange(300), replicates=200, seed=5)
    fourfold = bootstrap_intervals(
        np.repeat(p, 4), np.repeat(y, 4), np.repeat(np.arange(300), 4), replicates=200, seed=5
    )
    assert fourfold["roc_auc"] == pytest.approx(single["roc_auc"])
    assert single["roc_auc"]["low"] < ranking_scores(rank(p, y))[0] < single["roc_auc"]["high"]


def test_thresholds_when_chosen_then_no_other_candidate_does_better_by_its_own_rule() -> None:
    generator = np.random.default_rng(4)
    p = generator.random(300).round(2)
    y = (generator.random(300) < p**2).astype(np.int8)
    chosen = choose_thresholds(p, y, miss_cost=10, capacity=0.1)

    def cost(threshold: float) -> float:
        counts = confusion(p, y, threshold)
        return 10 * counts["false_negatives"] + counts["false_positives"]

    assert confusion(p, y, chosen["f1"])["f1"] == max(confusion(p, y, float(t))["f1"] for t in np.unique(p))
    assert cost(chosen["cost"]) == min(cost(float(t)) for t in np.unique(p))
    assert 0.1 <= confusion(p, y, chosen["capacity"])["flagged_share"] < 0.12
    assert log_odds(np.array([0.5])).tolist() == [0.0]
