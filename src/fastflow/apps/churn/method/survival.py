"""Survival functions and how well they predict: Kaplan-Meier, concordance, Brier score, restricted mean survival time.

Pure functions over arrays. `durations` are times to event or censoring, shape (n,); `events` 1 = event, 0 = censored.
At equal times an event comes before a censoring. Where a time is not supported by the data, it is left out and said.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .panel import Doubles


@dataclass(frozen=True)
class Steps:
    """A falling step function that is 1 before its first time.

    Args:
        times: where it steps, rising, shape (k,). values: from each of these times on, shape (k,).
    """

    times: Doubles
    values: Doubles

    def at(self, when: Doubles, before: bool = False) -> Doubles:
        """Values at some times; with `before`, just before them."""
        place = np.searchsorted(self.times, when, side="left" if before else "right")
        return np.concatenate([[1.0], self.values])[place]


def kaplan_meier(durations: Doubles, events: NDArray[np.int8], z: float = 1.959963984540054) -> tuple[Steps, Doubles]:
    """Survival function and its 95 % limits, shape (k, 2), on the log-log scale.

    Source: Kaplan and Meier 1958; Greenwood's variance; Kalbfleisch and Prentice 2002, section 1.4.
    """
    times = np.unique(durations[events == 1])
    at_risk = len(durations) - np.searchsorted(np.sort(durations), times, side="left")
    died = np.searchsorted(np.sort(durations[events == 1]), times, side="right")
    died = np.diff(np.concatenate([[0], died]))
    survival = np.cumprod(1 - died / at_risk, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(died / (at_risk * (at_risk - died)))
        half = z * np.sqrt(variance) / np.log(survival)
        limits = np.column_stack([survival ** np.exp(-half), survival ** np.exp(half)])
    limits[~np.isfinite(limits)] = np.nan
    return Steps(times, survival), limits


def censoring_survival(durations: Doubles, events: NDArray[np.int8]) -> Steps:
    """Probability of not being censored by a time; events at the same time have left the risk set before."""
    times = np.unique(durations[events == 0])
    lost = np.array([((durations == t) & (events == 0)).sum() for t in times], dtype=np.float64)
    at_risk = np.array([((durations > t) | ((durations == t) & (events == 0))).sum() for t in times])
    return Steps(times, np.cumprod(1 - lost / np.maximum(at_risk, 1)))


def harrell_concordance(durations: Doubles, events: NDArray[np.int8], risk: Doubles) -> float:
    """Share of comparable pairs in which the one who died earlier had the higher risk; equal risks count half.

    Comparable: the earlier time is an event, and the later one is later, or censored at the same time. NaN without any.
    Source: Harrell et al. 1982.
    """
    return _concordance(durations, events, risk, np.ones(len(durations)), float("inf"))


def uno_concordance(durations: Doubles, events: NDArray[np.int8], risk: Doubles, limit: float) -> float:
    """Harrell's share with each pair weighted by the inverse squared probability of not being censored.

    Args:
        limit: only events before this time count. Source: Uno et al. 2011.
    """
    kept = censoring_survival(durations, events).at(durations, before=True)
    weights = np.divide(1.0, kept**2, out=np.zeros_like(kept), where=kept > 0)
    return _concordance(durations, events, risk, weights, limit)


def _concordance(durations: Doubles, events: NDArray[np.int8], risk: Doubles, weights: Doubles, limit: float) -> float:
    """Pairs by distinct event time: each is compared with the sorted risks of those who outlive it."""
    concordant = pairs = 0.0
    for time in np.unique(durations[(events == 1) & (durations < limit)]):
        now = (durations == time) & (events == 1)
        later = np.sort(risk[(durations > time) | ((durations == time) & (events == 0))])
        lower = np.searchsorted(later, risk[now], side="left")
        equal = np.searchsorted(later, risk[now], side="right") - lower
        concordant += float((weights[now] * (lower + 0.5 * equal)).sum())
        pairs += float(weights[now].sum() * len(later))
    return concordant / pairs if pairs else float("nan")


@dataclass(frozen=True)
class BrierCurve:
    """Brier score over time.

    Args:
        times: the supported times asked for. scores: at each, shape (k,); 0 is best. integrated: mean over the times.
        left_out: times asked for that the data do not support.
    """

    times: Doubles
    scores: Doubles
    integrated: float
    left_out: Doubles


def brier_curve(durations: Doubles, events: NDArray[np.int8], times: Doubles, survival: Doubles) -> BrierCurve:
    """Squared error of predicted survival, weighted for censoring, on the times that the data support.

    Args:
        times: rising, shape (k,). survival: predicted, shape (n, k).

    Who is censored at a time was alive at it. A time is supported when it is not past the last one observed. The integral is by trapezoids over
    the supported times, divided by their span; of one time, its score. Source: Graf et al. 1999.
    """
    censoring = censoring_survival(durations, events)
    supported = (times <= durations.max()) & (censoring.at(times, before=True) > 0)
    kept, predicted = times[supported], survival[:, supported]
    scores = np.empty(len(kept))
    at_event = censoring.at(durations, before=True)
    for index, time in enumerate(kept):
        died = (durations <= time) & (events == 1)
        lives = (durations > time) | ((durations == time) & (events == 0))
        error = np.zeros(len(durations))
        error[died] = predicted[died, index] ** 2 / at_event[died]
        error[lives] = (1 - predicted[lives, index]) ** 2 / censoring.at(np.array([time]), before=True)[0]
        scores[index] = error.mean()
    if len(kept) > 1:
        whole = float(np.trapezoid(scores, kept) / (kept[-1] - kept[0]))
    else:
        whole = float(scores[0]) if len(kept) else float("nan")
    return BrierCurve(kept, scores, whole, times[~supported])


def dynamic_auc(durations: Doubles, events: NDArray[np.int8], risk: Doubles, time: float) -> float:
    """ROC-AUC of those who died by a time against those who outlived it, weighted for censoring; NaN without either.

    Source: cumulative/dynamic AUC, Hung and Chiang 2010.
    """
    died = (durations <= time) & (events == 1)
    lives = np.sort(risk[(durations > time) | ((durations == time) & (events == 0))])
    if not died.any() or not lives.size:
        return float("nan")
    weights = 1 / censoring_survival(durations, events).at(durations[died], before=True)
    lower = np.searchsorted(lives, risk[died], side="left")
    equal = np.searchsorted(lives, risk[died], side="right") - lower
    return float((weights * (lower + 0.5 * equal)).sum() / (weights.sum() * len(lives)))


def restricted_mean(times: Doubles, survival: Doubles, horizon: float) -> Doubles:
    """Area under survival curves from 0 to a horizon: expected time alive within it, shape (n,).

    Args:
        times: where the curves step, rising, shape (k,). survival: values from these times on, shape (n, k).

    >>> restricted_mean(np.array([1.0, 2.0]), np.array([[0.5, 0.25]]), 3.0).tolist()
    [1.75]
    """
    inside = times < horizon
    edges = np.concatenate([[0.0], times[inside], [horizon]])
    heights = np.column_stack([np.ones(len(survival)), survival[:, inside]])
    return np.asarray((heights * np.diff(edges)).sum(axis=1))


def conditional_survival(times: Doubles, survival: Doubles, survived: float) -> tuple[Doubles, Doubles]:
    """Curves of those who got as far as `survived`: times from then on, and S(survived + t) / S(survived), shape (n, k)."""
    later = times > survived
    place = int(np.searchsorted(times, survived, side="right"))
    base = survival[:, place - 1] if place else np.ones(len(survival))
    return times[later] - survived, survival[:, later] / np.maximum(base, 1e-300)[:, None]


def median_life(times: Doubles, survival: Doubles) -> Doubles:
    """First time at which a curve is at or below one half, shape (n,); NaN where it never gets there."""
    below = survival <= 0.5
    if not below.shape[1]:
        return np.full(len(survival), np.nan)
    return np.where(below.any(axis=1), times[np.argmax(below, axis=1)], np.nan)
