"""Measures of predicted probabilities, each with weights, so that a bootstrap over customers is one more weighting.

Pure functions over arrays. Ties are handled by groups of equal predictions: no measure depends on the order of rows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .panel import Doubles, Integers

_TINY = 1e-12


@dataclass(frozen=True)
class Ranking:
    """Predictions sorted once, for many weightings.

    Args:
        order: rows by falling prediction, shape (n,).
        ties: group of equal predictions that each sorted row belongs to, rising from 0, shape (n,).
        churned: outcomes in that order, 0 or 1, shape (n,).
        predicted: predictions in that order, shape (n,).
    """

    order: Integers
    ties: Integers
    churned: Doubles
    predicted: Doubles


def rank(predicted: Doubles, churned: NDArray[Any]) -> Ranking:
    """Sort predictions; the highest come first."""
    order = np.argsort(-predicted, kind="stable")
    ordered = predicted[order]
    ties = np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1])]) if len(ordered) else np.empty(0, np.int64)
    return Ranking(order, ties, churned[order].astype(np.float64), ordered.astype(np.float64))


def ranking_scores(ranking: Ranking, weights: Doubles | None = None) -> tuple[float, float]:
    """ROC-AUC (ties count half) and PR-AUC (average precision, a step per group of ties).

    Returns:
        NaN for both when only one outcome is there. Source: Hanley and McNeil 1982; scikit-learn's definition of
        average precision.

    >>> ranking_scores(rank(np.array([0.9, 0.8, 0.8, 0.1]), np.array([1, 1, 0, 0])))
    (0.875, 0.8333333333333333)
    """
    weighted = np.ones(len(ranking.order)) if weights is None else weights[ranking.order]
    positive = np.bincount(ranking.ties, weighted * ranking.churned)
    every = np.bincount(ranking.ties, weighted)
    negative = every - positive
    positives, negatives = positive.sum(), negative.sum()
    if positives <= 0 or negatives <= 0:
        return float("nan"), float("nan")
    below = negatives - np.cumsum(negative)
    auc = float((positive * (below + negative / 2)).sum() / (positives * negatives))
    found = np.cumsum(positive)
    contacted = np.cumsum(every)
    precision = np.divide(found, contacted, out=np.zeros_like(found), where=contacted > 0)
    return auc, float((positive * precision).sum() / positives)


def ranking_curve(ranking: Ranking, points: int = 200) -> list[dict[str, float]]:
    """The ROC and the precision-recall curve: one row per threshold, the highest first, thinned to about `points`.

    Returns:
        threshold (a customer is flagged from it on), false_positive_rate, recall, precision; the first row flags nobody: its
        threshold is above every prediction and its precision is that of the first group. Empty when one outcome is missing.

    >>> ranking_curve(rank(np.array([0.9, 0.8, 0.8, 0.1]), np.array([1, 1, 0, 0])))[2]
    {'threshold': 0.8, 'false_positive_rate': 0.5, 'recall': 1.0, 'precision': 0.6666666666666666}
    """
    found, flagged = np.cumsum(np.bincount(ranking.ties, ranking.churned)), np.cumsum(np.bincount(ranking.ties))
    if not len(found) or not 0 < found[-1] < flagged[-1]:
        return []
    threshold = ranking.predicted[np.flatnonzero(np.diff(ranking.ties, prepend=-1))]
    recall, false = found / found[-1], (flagged - found) / (flagged[-1] - found[-1])
    precision = found / flagged
    # evenly along the curve, so that neither of its two arms is thinned more than the other
    along = np.interp(np.linspace(0, 2, points), recall + false, np.arange(len(recall)))
    kept = np.unique(np.concatenate([[0], np.round(along).astype(int), [len(recall) - 1]]))
    rows = [(float(threshold[k]), float(false[k]), float(recall[k]), float(precision[k])) for k in kept]
    above = (float(np.nextafter(threshold[0], np.inf)), 0.0, 0.0, rows[0][3])
    names = ("threshold", "false_positive_rate", "recall", "precision")
    return [dict(zip(names, row, strict=True)) for row in (above, *rows)]


def brier(predicted: Doubles, churned: NDArray[Any], weights: Doubles | None = None) -> float:
    """Mean squared difference of probability and outcome; 0 is best."""
    return float(np.average((predicted - churned) ** 2, weights=weights))


def log_loss(predicted: Doubles, churned: NDArray[Any]) -> float:
    """Mean negative log-likelihood; probabilities are held 1e-12 off 0 and 1."""
    p = np.clip(predicted, _TINY, 1 - _TINY)
    return float(-(churned * np.log(p) + (1 - churned) * np.log1p(-p)).mean())


def log_odds(probability: Doubles, edge: float = 1e-6) -> Doubles:
    """log(p / (1 - p)) with p held `edge` off 0 and 1."""
    p = np.clip(probability, edge, 1 - edge)
    return np.asarray(np.log(p) - np.log1p(-p))


def sigmoid(z: Doubles) -> Doubles:
    """1 / (1 + exp(-z)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))


def logistic_line(z: Doubles, target: Doubles, ridge: float = 1e-6) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of a target (0 to 1) on one number, by Newton's method.

    A ridge of 1e-6 on slope - 1 and on the intercept keeps the answer finite when the outcomes are separated.
    """
    slope, intercept = 1.0, 0.0
    for _ in range(100):
        p = sigmoid(slope * z + intercept)
        w = np.maximum(p * (1 - p), _TINY)
        gradient = np.array([(z * (target - p)).sum() - ridge * (slope - 1), (target - p).sum() - ridge * intercept])
        hessian = np.array([[(w * z * z).sum() + ridge, (w * z).sum()], [(w * z).sum(), w.sum() + ridge]])
        step = np.clip(np.linalg.solve(hessian, gradient), -5.0, 5.0)
        slope, intercept = slope + float(step[0]), intercept + float(step[1])
        if float(np.abs(step).max()) < 1e-10:
            break
    return slope, intercept


def calibration_bins(predicted: Doubles, churned: NDArray[Any], bins: int = 10) -> list[dict[str, float]]:
    """Mean prediction against observed rate in bins of equally many customers; equal predictions stay together."""
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
    which = np.searchsorted(edges, predicted, side="right")
    table = []
    for number in np.unique(which):
        inside = which == number
        low, high = wilson(float(churned[inside].sum()), int(inside.sum()))
        table.append(
            {
                "bin": float(number),
                "customers": float(inside.sum()),
                "predicted": float(predicted[inside].mean()),
                "observed": float(churned[inside].mean()),
                "observed_low": low,
                "observed_high": high,
            }
        )
    return table


def wilson(successes: float, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """95 % interval of a share. Source: Wilson 1927.

    >>> tuple(round(edge, 4) for edge in wilson(10, 100))
    (0.0552, 0.1744)
    """
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, centre - half), min(1.0, centre + half)


def lift_table(
    predicted: Doubles, churned: NDArray[Any], shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2)
) -> list[dict[str, float]]:
    """What contacting the highest-ranked share finds; customers tied at the edge count by their group's mean rate."""
    found = _cumulative_gain(rank(predicted, churned))
    n, positives = len(predicted), float(churned.sum())
    table = []
    for share in shares:
        contacted = max(1, round(share * n))
        hits = float(found[contacted])
        table.append(
            {
                "share": share,
                "contacted": float(contacted),
                "churners_found": hits,
                "precision": hits / contacted,
                "gain": hits / positives if positives else float("nan"),
                "lift": hits / contacted / (positives / n) if positives else float("nan"),
            }
        )
    return table


def _cumulative_gain(ranking: Ranking) -> Doubles:
    """Expected churners among the first k, k = 0..n, when ties are ordered at random; shape (n + 1,)."""
    mean = np.bincount(ranking.ties, ranking.churned) / np.bincount(ranking.ties)
    return np.concatenate([[0.0], np.cumsum(mean[ranking.ties])])


def profit_curve(
    predicted: Doubles,
    churned: NDArray[Any],
    *,
    customer_value: float,
    success_rate: float,
    contact_cost: float,
    points: int = 100,
) -> list[dict[str, float]]:
    """Profit of contacting the highest-ranked k: each churner found is kept with `success_rate` and worth `customer_value`.

    Amounts in the currency of the configuration. One row per point, contacted share rising from 0 to 1.
    """
    found = _cumulative_gain(rank(predicted, churned))
    contacted = np.unique(np.round(np.linspace(0, len(predicted), points + 1)).astype(int))
    return [
        {
            "contacted": float(k),
            "share": float(k / len(predicted)),
            "churners_found": float(found[k]),
            "profit": float(found[k] * success_rate * customer_value - k * contact_cost),
        }
        for k in contacted
    ]


def bootstrap_intervals(
    predicted: Doubles,
    churned: NDArray[Any],
    customers: NDArray[Any],
    *,
    replicates: int,
    seed: int,
    coverage: float = 0.95,
) -> dict[str, dict[str, float]]:
    """Percentile intervals of ROC-AUC, PR-AUC, Brier and base rate, drawing whole customers with replacement.

    Args:
        customers: key of each row's customer, shape (n,); a customer's rows are drawn together.

    Returns:
        measure -> low, high, standard_error; replicates with one outcome alone are left out of the ranking measures.
    """
    _, who = np.unique(customers, return_inverse=True)
    count = int(who.max()) + 1
    ranking = rank(predicted, churned)
    generator = np.random.default_rng(seed)
    drawn = np.empty((replicates, 4))
    for index in range(replicates):
        weights = np.bincount(generator.integers(0, count, count), minlength=count)[who].astype(np.float64)
        drawn[index] = (
            *ranking_scores(ranking, weights),
            brier(predicted, churned, weights),
            np.average(churned, weights=weights),
        )
    tail = (1 - coverage) / 2
    intervals = {}
    for column, name in enumerate(("roc_auc", "pr_auc", "brier", "base_rate")):
        values = drawn[:, column][np.isfinite(drawn[:, column])]
        low, high = np.quantile(values, [tail, 1 - tail]) if values.size else (np.nan, np.nan)
        intervals[name] = {
            "low": float(low),
            "high": float(high),
            "standard_error": float(values.std(ddof=1)) if values.size > 1 else float("nan"),
        }
    return intervals


def score_report(predicted: Doubles, churned: NDArray[Any], base_rate_before: float) -> dict[str, float]:
    """The measures of one set of predictions.

    Args:
        base_rate_before: churn rate of the training, the constant prediction against which skill is measured.
    """
    auc, ap = ranking_scores(rank(predicted, churned))
    constant = brier(np.full(len(predicted), base_rate_before), churned)
    own = brier(predicted, churned)
    one = churned.min() == churned.max()
    slope, intercept = (float("nan"),) * 2 if one else logistic_line(log_odds(predicted), churned.astype(np.float64))
    return {
        "customers": float(len(predicted)),
        "base_rate": float(churned.mean()),
        "mean_predicted": float(predicted.mean()),
        "roc_auc": auc,
        "pr_auc": ap,
        "pr_auc_over_base_rate": ap / float(churned.mean()) if churned.any() else float("nan"),
        "brier": own,
        "brier_skill": 1 - own / constant if constant > 0 else float("nan"),
        "log_loss": log_loss(predicted, churned),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }
