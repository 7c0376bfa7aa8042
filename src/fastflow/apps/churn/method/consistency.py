"""Do the classifier and the survival model agree? The same customers, the same window, two answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .panel import Doubles
from .scores import brier, log_odds, logistic_line, rank, ranking_scores, sigmoid

FAR = 0.2
"""Probabilities further apart than this are listed as a disagreement."""


def compare_probabilities(
    classifier: Doubles, survival: Doubles, churned: NDArray[np.int8]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Agreement of two probabilities of the same event.

    Args:
        classifier: p of the classifier. survival: 1 - S of the survival model over the classifier's window. churned: what
            happened; used for judging both, never for the line that translates one into the other. Shapes (n,).

    Returns:
        The summary (rank correlation after Spearman, mean difference, share of disagreements, each model's own ROC-AUC and
        Brier score, and the line on log-odds that maps the survival model's onto the classifier's), and columns per customer.
    """
    difference = classifier - survival
    slope, intercept = logistic_line(log_odds(survival), classifier)
    summary = {
        "customers": len(classifier),
        "rank_correlation": rank_correlation(classifier, survival),
        "mean_difference": float(difference.mean()),
        "mean_absolute_difference": float(np.abs(difference).mean()),
        "disagreements": int((np.abs(difference) > FAR).sum()),
        "disagreement_beyond": FAR,
        "calibration_slope": slope,
        "calibration_intercept": intercept,
        "classifier": {
            "roc_auc": ranking_scores(rank(classifier, churned))[0],
            "brier": brier(classifier, churned),
        },
        "survival": {"roc_auc": ranking_scores(rank(survival, churned))[0], "brier": brier(survival, churned)},
    }
    columns = {
        "p_classifier": classifier,
        "p_survival": survival,
        "p_survival_calibrated": sigmoid(slope * log_odds(survival) + intercept),
        "difference": difference,
        "disagrees": np.abs(difference) > FAR,
    }
    return summary, columns


def rank_correlation(left: Doubles, right: Doubles) -> float:
    """Spearman's, with mean ranks for ties; NaN when either is constant.

    >>> round(rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0])), 9)
    1.0
    """
    ranks = [_ranks(values) for values in (left, right)]
    spread = float(ranks[0].std() * ranks[1].std())
    if spread == 0:
        return float("nan")
    return float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean() / spread)


def _ranks(values: Doubles) -> Doubles:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[which])
