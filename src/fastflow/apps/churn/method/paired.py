"""What one prediction earns beyond another one of the same customers, with its interval."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .panel import Doubles
from .scores import brier, rank, ranking_scores


def paired_gains(
    predicted: Doubles,
    others: Mapping[str, Doubles],
    churned: NDArray[Any],
    customers: NDArray[Any],
    *,
    replicates: int,
    seed: int,
) -> dict[str, dict[str, dict[str, float]]]:
    """How much better a prediction is than others, with 95 % percentile intervals: every draw of whole customers, with
    replacement, judges both, so what is common to both cancels.

    Args:
        others: name -> predictions of the same rows, shape (n,). customers: key of each row's customer, shape (n,).

    Returns:
        name -> measure -> value, low, high; above 0 the prediction is better: its ROC-AUC is larger, its Brier score smaller.
        Draws with one outcome alone are left out.
    """
    _, who = np.unique(customers, return_inverse=True)
    count = int(who.max()) + 1
    generator = np.random.default_rng(seed)
    rankings = {name: rank(other, churned) for name, other in others.items()}
    own_ranking = rank(predicted, churned)

    def gains(weights: Doubles) -> list[tuple[float, float]]:
        auc, error = ranking_scores(own_ranking, weights)[0], brier(predicted, churned, weights)
        return [
            (auc - ranking_scores(rankings[name], weights)[0], brier(other, churned, weights) - error)
            for name, other in others.items()
        ]

    whole = gains(np.ones(len(churned)))
    drawn = np.array(
        [
            gains(np.bincount(generator.integers(0, count, count), minlength=count)[who].astype(np.float64))
            for _ in range(replicates)
        ]
    )
    return {
        name: {
            measure: _told(whole[at][column], drawn[:, at, column])
            for column, measure in enumerate(("roc_auc", "brier"))
        }
        for at, name in enumerate(others)
    }


def _told(value: float, drawn: Doubles) -> dict[str, float]:
    known = drawn[np.isfinite(drawn)]
    low, high = np.quantile(known, [0.025, 0.975]) if known.size else (np.nan, np.nan)
    return {"value": value, "low": float(low), "high": float(high)}
