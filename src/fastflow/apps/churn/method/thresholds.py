"""Decision thresholds: chosen on validation predictions, never on the test, which only reports what they do there."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .panel import Doubles

METHODS = ("half", "f1", "roc_corner", "cost", "capacity")


def confusion(predicted: Doubles, churned: NDArray[np.int8], threshold: float) -> dict[str, float]:
    """Counts and rates of flagging everyone at or above a threshold; a rate without a denominator is 0.

    >>> confusion(np.array([0.9, 0.6, 0.2]), np.array([1, 0, 0], dtype=np.int8), 0.5)["precision"]
    0.5
    """
    flagged = predicted >= threshold
    tp = float((flagged & (churned == 1)).sum())
    fp = float((flagged & (churned == 0)).sum())
    fn = float((~flagged & (churned == 1)).sum())
    tn = float((~flagged & (churned == 0)).sum())
    return {
        "true_positives": tp,
        "false_positives": fp,
        "false_negatives": fn,
        "true_negatives": tn,
        "flagged_share": (tp + fp) / len(predicted),
        "precision": _share(tp, tp + fp),
        "recall": _share(tp, tp + fn),
        "specificity": _share(tn, tn + fp),
        "f1": _share(2 * tp, 2 * tp + fp + fn),
        "accuracy": (tp + tn) / len(predicted),
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def choose_thresholds(
    predicted: Doubles, churned: NDArray[np.int8], *, miss_cost: float, capacity: float
) -> Mapping[str, float]:
    """One threshold per method, from validation predictions.

    Args:
        miss_cost: what a missed churner costs, in units of a needless contact.
        capacity: share of the customers that can be contacted, above 0, up to 1.

    Returns:
        half: 0.5. f1: highest F1. roc_corner: nearest to no false alarm and no miss. cost: least total cost.
        capacity: the prediction of the last customer who can be contacted. Of equal candidates the higher one, which
        contacts fewer.
    """
    order = np.argsort(-predicted, kind="stable")
    p, y = predicted[order], churned[order].astype(np.float64)
    last = np.flatnonzero(np.concatenate([p[1:] != p[:-1], [True]]))
    tp = np.cumsum(y)[last]
    fp = (last + 1) - tp
    positives = max(float(y.sum()), 1.0)
    negatives = max(float(len(y) - y.sum()), 1.0)
    f1 = 2 * tp / (tp + fp + positives)
    corner = (fp / negatives) ** 2 + (1 - tp / positives) ** 2
    cost = miss_cost * (positives - tp) + fp
    place = min(len(p) - 1, max(0, round(capacity * len(p)) - 1))
    return {
        "half": 0.5,
        "f1": float(p[last[int(np.argmax(f1))]]),
        "roc_corner": float(p[last[int(np.argmin(corner))]]),
        "cost": float(p[last[int(np.argmin(cost))]]),
        "capacity": float(p[place]),
    }
