"""How good counterfactuals are: near, few, plausible, and unlike one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .counterfactuals import Found
from .panel import Booleans, Doubles, Integers, Panel, mean_of_known
from .policy import Search

_NEAR = 1e-9


@dataclass(frozen=True)
class Quality:
    """How near, few and plausible the changes are; NaN or False where there is no counterfactual.

    Args:
        proximity: sum over columns of the change in units of the column's spread between customers, shape (n,).
        sparsity: columns changed, shape (n,).
        distance: to the nearest other real customer, in the same units, shape (n,).
        plausible: no further from one than 95 % of the real customers are from theirs, shape (n,).
    """

    proximity: Doubles
    sparsity: Integers
    distance: Doubles
    plausible: Booleans


def judge_counterfactuals(panel: Panel, population: Integers, rows: Integers, search: Search, found: Found) -> Quality:
    """Quality of the counterfactuals; distances over the columns that may change, by their mean of the changed months.

    Spread is the median absolute deviation between customers, or the standard deviation where that is nought.
    """
    if not search.rules:
        nothing = np.full(len(rows), np.nan)
        return Quality(nothing, np.zeros(len(rows), dtype=np.int64), nothing, np.zeros(len(rows), dtype=bool))
    means = np.stack(
        [np.nan_to_num(recent_means(panel, population, rule.column, search.months)) for rule in search.rules], axis=1
    )
    spread = np.median(np.abs(means - np.median(means, axis=0)), axis=0)
    spread = np.where(spread > 0, spread, means.std(axis=0))
    spread = np.where(spread > 0, spread, 1.0)
    real = means / spread
    order = np.searchsorted(population, rows)
    moved = real[order] + found.change / spread
    usual = np.quantile(nearest_distances(real[:: max(1, len(real) // 500)], real, None), 0.95)
    distance = np.where(found.valid, nearest_distances(moved, real, order), np.nan)
    return Quality(
        proximity=np.where(found.valid, np.abs(found.change / spread).sum(axis=1), np.nan),
        sparsity=np.where(found.valid, (found.change != 0).sum(axis=1), 0).astype(np.int64),
        distance=distance,
        plausible=found.valid & (distance <= usual + _NEAR),
    )


def recent_means(panel: Panel, rows: Integers, column: str, months: int) -> Doubles:
    """Mean of the newest months that are known, a static column's value as it is; NaN where none is. Shape (n,)."""
    if column in panel.static:
        return panel.static[column][rows].astype(np.float64)
    return mean_of_known(panel.dynamic[column][rows, -months:].astype(np.float64))


def nearest_distances(points: Doubles, real: Doubles, own: Integers | None) -> Doubles:
    """Euclidean distance of each point to the nearest real one, shape (n,).

    Args:
        own: index of the real one that a point was made from, left out; None leaves out one at distance nought, itself.
    """
    nearest = np.empty(len(points))
    for index, point in enumerate(points):
        squares = ((real - point) ** 2).sum(axis=1)
        left_out = int(np.argmin(squares)) if own is None else int(own[index])
        squares[left_out] = np.inf
        nearest[index] = np.sqrt(squares.min())
    return nearest


def diversity(answers: Sequence[Found]) -> Doubles:
    """How unlike one another a customer's counterfactuals are: over all pairs, the mean share of the columns that only one of
    both changes, 0 to 1; shape (n,). NaN where there are not two.
    """
    changed = np.stack([found.change != 0 for found in answers])
    there = np.stack([found.valid for found in answers])
    total, pairs = np.zeros(there.shape[1]), np.zeros(there.shape[1])
    for first in range(len(answers)):
        for second in range(first + 1, len(answers)):
            both = there[first] & there[second]
            either = (changed[first] | changed[second]).sum(axis=1)
            one = (changed[first] ^ changed[second]).sum(axis=1)
            total += np.where(both, one / np.maximum(either, 1), 0.0)
            pairs += both
    return np.asarray(np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan))
