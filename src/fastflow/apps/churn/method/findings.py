"""What is said about customers beside their probability: reasons, risk bands, and how far the data drifted."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import FeatureSet
from .panel import Doubles, Floats
from .scores import log_odds, wilson

BANDS = ("very low", "low", "medium", "high", "very high")
BAND_EDGES = (0.5, 0.8, 0.9, 0.95)
"""Quantiles of the validation predictions at which one band ends and the next begins."""


def reasons(
    predict: Callable[[Floats], Doubles], matrix: Floats, reference: Floats, plan: FeatureSet
) -> tuple[tuple[str, ...], Doubles]:
    """How much each raw column moves a customer's log-odds away from those of a customer who is typical in it.

    All features of one raw column are set to the reference (training medians) together and the model is asked again:
    it works for any model, derived columns never move alone, and the answer is the deployed model's own.

    Returns:
        Raw columns, and shape (n, columns): positive = raises the risk. Interactions are counted in each of their columns.
    """
    sources = np.array(plan.sources)
    names = tuple(dict.fromkeys(plan.sources))
    own = log_odds(predict(matrix))
    effect = np.empty((len(matrix), len(names)))
    changed = matrix.copy()
    for index, name in enumerate(names):
        columns = np.flatnonzero(sources == name)
        changed[:, columns] = reference[columns]
        effect[:, index] = own - log_odds(predict(changed))
        changed[:, columns] = matrix[:, columns]
    return names, effect


def top_reasons(names: Sequence[str], effect: Doubles, count: int = 3) -> list[list[str]]:
    """The strongest reasons of each customer in words, falling; effects below 0.05 log-odds are not named."""
    order = np.argsort(-np.abs(effect), axis=1, kind="stable")[:, :count]
    return [
        [f"{names[c]} {'raises' if row[c] > 0 else 'lowers'} the risk" for c in columns if abs(row[c]) >= 0.05]
        for row, columns in zip(effect, order, strict=True)
    ]


def band_edges(validation: Doubles) -> Doubles:
    """Probabilities at which bands end, from validation predictions; rising, equal ones allowed."""
    return np.quantile(validation, BAND_EDGES)


def bands_of(predicted: Doubles, edges: Doubles) -> NDArray[np.int64]:
    """Index into `BANDS` of each prediction; an edge belongs to the higher band."""
    return np.searchsorted(edges, predicted, side="right").astype(np.int64)


def band_table(
    predicted: Doubles, churned: NDArray[np.int8], validation: Doubles, edges: Doubles
) -> list[dict[str, Any]]:
    """Size, prediction and observed rate of each band in the test, and its share in the validation it was cut from."""
    here, there = bands_of(predicted, edges), bands_of(validation, edges)
    table = []
    for index, name in enumerate(BANDS):
        inside = here == index
        count = int(inside.sum())
        low, high = wilson(float(churned[inside].sum()), count) if count else (None, None)
        table.append(
            {
                "band": name,
                "from_probability": 0.0 if index == 0 else float(edges[index - 1]),
                "to_probability": 1.0 if index == len(edges) else float(edges[index]),
                "customers": count,
                "share": count / len(predicted),
                "share_in_validation": float((there == index).mean()),
                "predicted": float(predicted[inside].mean()) if count else None,
                "observed": float(churned[inside].mean()) if count else None,
                "observed_low": low,
                "observed_high": high,
            }
        )
    return table


def population_stability(before: NDArray[np.int64], after: NDArray[np.int64], bins: int) -> float:
    """Population stability index of two samples already put into bins; empty bins count as half a customer."""
    p = np.maximum(np.bincount(before, minlength=bins), 0.5) / max(len(before), 1)
    q = np.maximum(np.bincount(after, minlength=bins), 0.5) / max(len(after), 1)
    return float(((q - p) * np.log(q / p)).sum())


def drift_table(before: Floats, after: Floats, names: Sequence[str], bins: int = 10) -> list[dict[str, Any]]:
    """Per feature: stability index, largest gap between the distributions (Kolmogorov-Smirnov), shares of unknown.

    Bins are cut at quantiles of `before`; unknown values are a bin of their own. `severity`: the usual 0.1 and 0.25.
    """
    table: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        old, new = before[:, index], after[:, index]
        known_old, known_new = old[~np.isnan(old)], new[~np.isnan(new)]
        if not known_old.size or not known_new.size:
            table.append({"feature": name, "psi": None, "ks": None, "severity": "unknown"})
            continue
        edges = np.unique(np.quantile(known_old, np.linspace(0, 1, bins + 1)[1:-1]))
        count = len(edges) + 2
        psi = population_stability(_binned(old, edges), _binned(new, edges), count)
        table.append(
            {
                "feature": name,
                "psi": psi,
                "ks": ks_distance(known_old, known_new),
                "unknown_before": float(np.isnan(old).mean()),
                "unknown_after": float(np.isnan(new).mean()),
                "mean_before": float(known_old.mean(dtype=np.float64)),
                "mean_after": float(known_new.mean(dtype=np.float64)),
                "severity": "strong" if psi > 0.25 else "some" if psi > 0.1 else "none",
            }
        )
    return table


def _binned(values: Floats, edges: Floats) -> NDArray[np.int64]:
    where = np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, where).astype(np.int64)


def ks_distance(left: Floats, right: Floats) -> float:
    """Largest difference of two empirical distribution functions.

    >>> ks_distance(np.array([1, 2, 3], dtype=np.float32), np.array([2, 3, 4], dtype=np.float32))
    0.3333333333333333
    """
    left, right = np.sort(left), np.sort(right)
    points = np.concatenate([left, right])
    gap = np.searchsorted(left, points, side="right") / len(left)
    return float(round(np.abs(gap - np.searchsorted(right, points, side="right") / len(right)).max(), 16))
