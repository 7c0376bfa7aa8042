"""What is said beside the probabilities: reasons, risk bands, how far the data drifted, whether measures rise or fall."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, stdtrit

from .features import FeatureSet
from .matrices import Matrix, as_matrix
from .panel import Doubles, Floats
from .scores import log_odds, wilson

FEWEST_FOR_TREND = 4
BANDS = ("lower half", "top 50 %", "top 20 %", "top 10 %", "top 5 %")
"""Ranks, not sizes: where all are at risk, even the lower half is."""
_LEVELS = {-1: "low ", 0: "", 1: "high "}
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


def levels_of(matrix: Floats, reference: Floats, plan: FeatureSet) -> NDArray[np.int8]:
    """Whether a customer has more (1) or less (-1) of a raw column than is typical, in the order of `reasons`; 0: neither, or words.

    Of a column that changes, its mean over the shortest window counts.
    """
    sources = np.array(plan.sources)
    names = tuple(dict.fromkeys(plan.sources))
    offset = plan.per_column.index(f"mean_{plan.windows[0]}")
    levels = np.zeros((len(matrix), len(names)), dtype=np.int8)
    for index, name in enumerate(names):
        if name not in plan.levels:
            at = int(np.flatnonzero(sources == name)[0]) + (offset if name in plan.dynamic else 0)
            levels[:, index] = np.nan_to_num(np.sign(matrix[:, at] - reference[at]))
    return levels


def top_reasons(names: Sequence[str], effect: Doubles, levels: NDArray[np.int8], count: int = 3) -> list[list[str]]:
    """The strongest reasons of each customer in words, falling; effects below 0.05 log-odds are not named."""
    order = np.argsort(-np.abs(effect), axis=1, kind="stable")[:, :count]
    return [
        [
            f"{_LEVELS[own[c]]}{names[c]} {'raises' if row[c] > 0 else 'lowers'} the risk"
            for c in columns
            if abs(row[c]) >= 0.05
        ]
        for row, own, columns in zip(effect, levels, order, strict=True)
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


def chi_square(before: NDArray[np.int64], after: NDArray[np.int64], bins: int) -> tuple[float, float, float]:
    """Pearson's test that two samples, already put into bins, have one distribution: statistic, p, Cramér's V.

    Bins that both leave empty do not count. With a single bin left there is nothing to tell apart: 0, 1, 0.

    >>> chi_square(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 3)
    (0.0, 1.0, 0.0)
    """
    seen = np.stack([np.bincount(sample, minlength=bins) for sample in (before, after)]).astype(np.float64)
    seen = seen[:, seen.sum(axis=0) > 0]
    total = seen.sum()
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / total
    value = float(((seen - expected) ** 2 / expected).sum())
    freedom = seen.shape[1] - 1
    return value, float(chdtrc(freedom, value)) if freedom else 1.0, float(np.sqrt(value / total))


def drift_table(
    before: Matrix | Floats, after: Matrix | Floats, names: Sequence[str], bins: int = 10
) -> list[dict[str, Any]]:
    """Per feature: stability index, largest gap between the distributions (Kolmogorov-Smirnov), chi-square, shares of unknown.

    Bins are cut at quantiles of `before`, a value with the mass of several is one of its own; unknown values are a bin of their own. `severity`: the usual 0.1 and 0.25 of the
    stability index. With many customers every chi-square is significant: its size is `cramers_v`, 0 to 1.
    """
    table: list[dict[str, Any]] = []
    for (first, old), (_, new) in zip(as_matrix(before).parts(), as_matrix(after).parts(), strict=True):
        table += [
            {"feature": names[first + index], **_drift(column, new[:, index], bins)}
            for index, column in enumerate(old.T)
        ]
    return table


def _drift(old: Floats, new: Floats, bins: int) -> dict[str, Any]:
    known_old, known_new = old[~np.isnan(old)], new[~np.isnan(new)]
    if not known_old.size or not known_new.size:
        return {"psi": None, "ks": None, "severity": "unknown"}
    edges = _edges(known_old, bins)
    count = len(edges) + 2
    bins_old, bins_new = _binned(old, edges), _binned(new, edges)
    psi = population_stability(bins_old, bins_new, count)
    chi2, chi2_p, cramers_v = chi_square(bins_old, bins_new, count)
    return {
        "psi": psi,
        "ks": ks_distance(known_old, known_new),
        "chi2": chi2,
        "chi2_p": chi2_p,
        "cramers_v": cramers_v,
        "unknown_before": float(np.isnan(old).mean()),
        "unknown_after": float(np.isnan(new).mean()),
        "mean_before": float(known_old.mean(dtype=np.float64)),
        "mean_after": float(known_new.mean(dtype=np.float64)),
        "severity": "strong" if psi > 0.25 else "some" if psi > 0.1 else "none",
    }


def _edges(known: Floats, bins: int) -> Doubles:
    """Quantiles where bins begin. A value that is several of them at once, as nought is of a rare event, is a bin of its own:
    else it would share one with all that is above it, and the event could become common unseen."""
    edges, times = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]), return_counts=True)
    return np.union1d(edges, np.nextafter(edges[times > 1], np.inf))


def _binned(values: Floats, edges: Doubles) -> NDArray[np.int64]:
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


def trend_per_year(months: Doubles, values: Doubles) -> dict[str, float] | None:
    """Least-squares change per twelve months with its 95 % interval; None with fewer than four values to draw a line through.

    Args:
        months: counted months, shape (n,). values: a measure in each, shape (n,).
    """
    if len(months) < FEWEST_FOR_TREND:
        return None
    years = (months - months.mean()) / 12
    spread = float((years**2).sum())
    slope = float((years * (values - values.mean())).sum()) / spread
    rest = values - values.mean() - slope * years
    freedom = len(months) - 2
    half = float(stdtrit(freedom, 0.975)) * float(np.sqrt((rest**2).sum() / freedom / spread))
    return {"per_year": slope, "low": slope - half, "high": slope + half}
