"""What a prediction earns beyond another of the same customers."""

import numpy as np

from fastflow.apps.churn.method.paired import paired_gains
from fastflow.apps.churn.method.scores import brier, rank, ranking_scores


def drawn(rows: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    risk = generator.uniform(0.02, 0.9, rows)
    return risk, (generator.random(rows) < risk).astype(np.int8)


def test_gains_when_one_prediction_is_better_then_they_are_the_differences_and_the_interval_is_above_nought() -> None:
    risk, churned = drawn()
    nobody = np.full(len(risk), churned.mean())
    found = paired_gains(risk, {"nobody": nobody}, churned, np.arange(len(risk)), replicates=100, seed=1)
    gain = found["nobody"]
    assert gain["roc_auc"]["value"] == ranking_scores(rank(risk, churned))[0] - 0.5
    assert gain["brier"]["value"] == brier(nobody, churned) - brier(risk, churned)
    for measure in ("roc_auc", "brier"):
        assert 0 < gain[measure]["low"] < gain[measure]["value"] < gain[measure]["high"]


def test_gains_when_both_nearly_agree_then_the_paired_interval_is_far_narrower_than_that_of_either() -> None:
    risk, churned = drawn()
    other = np.clip(risk + np.random.default_rng(5).normal(0, 0.02, len(risk)), 0, 1)
    customers = np.arange(len(risk))
    near = paired_gains(risk, {"other": other}, churned, customers, replicates=200, seed=1)["other"]["roc_auc"]
    chance = np.full(len(risk), 0.5)
    alone = paired_gains(risk, {"chance": chance}, churned, customers, replicates=200, seed=1)["chance"]["roc_auc"]
    assert near["low"] <= 0 <= near["high"] or abs(near["value"]) < 0.01
    assert near["high"] - near["low"] < (alone["high"] - alone["low"]) / 4


def test_gains_when_a_customer_has_several_rows_then_they_are_drawn_together() -> None:
    risk, churned = drawn(100)
    tripled = [np.repeat(each, 3) for each in (risk, churned)]
    other = np.full(100, 0.5)
    once = paired_gains(risk, {"o": other}, churned, np.arange(100), replicates=100, seed=2)["o"]["brier"]
    thrice = paired_gains(
        tripled[0], {"o": np.repeat(other, 3)}, tripled[1], np.repeat(np.arange(100), 3), replicates=100, seed=2
    )["o"]["brier"]
    np.testing.assert_allclose([once[key] for key in once], [thrice[key] for key in once])
