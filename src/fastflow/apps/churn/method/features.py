"""Features of customers at an anchor: a pure function of the raw months up to it, computed column by column.

A counterfactual changes raw months and calls the same function again, so a derived column can never move alone. All
windows end at the anchor and count months; a month without a value is left out of a window, not counted as nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .panel import Floats, Integers, Panel

FLAGS = ("drop", "decline", "volatile", "stopped")
"""Early warnings, 0 or 1, for the model; what people are told is in `early_signs`."""

DROP = 0.7  # the newest three months below 70 % of the three before: a drop of more than 30 %
VOLATILE = 1.0  # standard deviation over mean of the newest six months


@dataclass(frozen=True)
class FeatureSet:
    """Which features are computed, and from what.

    Args:
        dynamic: raw columns that change, in the order of their features.
        static: raw columns that do not.
        levels: static column of text -> its words; each becomes a 0/1 feature.
        windows: lengths in months.
    """

    dynamic: tuple[str, ...]
    static: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    windows: tuple[int, ...]

    @property
    def per_column(self) -> tuple[str, ...]:
        """Suffixes of the features of one dynamic column."""
        rolling = tuple(f"{kind}_{w}" for w in self.windows for kind in ("mean", "std", "sum", "trend", "change"))
        return ("last", *rolling, "total", "peak", "active_share", "months_since", *FLAGS)

    @property
    def names(self) -> tuple[str, ...]:
        """All features, in the order of the matrix's columns."""
        names = [f"{column}__{suffix}" for column in self.dynamic for suffix in self.per_column]
        for column in self.static:
            words = self.levels.get(column)
            names += [column] if words is None else [f"{column}__is_{word}" for word in words]
        return (*names, "months_known")

    @property
    def widths(self) -> tuple[int, ...]:
        """How many features each part has: one part per raw column, in order, and one for the months known."""
        fixed = tuple(len(self.levels.get(column, ("",))) for column in self.static)
        return (*(len(self.per_column),) * len(self.dynamic), *fixed, 1)

    @property
    def sources(self) -> tuple[str, ...]:
        """The raw column behind each feature, in the same order."""
        sources = [column for column in self.dynamic for _ in self.per_column]
        for column in self.static:
            sources += [column] * len(self.levels.get(column, ("",)))
        return (*sources, "months_known")


def feature_set(panel: Panel, windows: Sequence[int]) -> FeatureSet:
    """The features that a panel's columns give."""
    return FeatureSet(tuple(panel.dynamic), tuple(panel.static), dict(panel.levels), tuple(sorted(set(windows))))


def usable_windows(windows: Sequence[int], months: int) -> tuple[int, ...]:
    """The windows that `months` of history fill, at least the shortest.

    A longer one would mean something else at an early anchor than at a late one, and a model would take the growth of
    the history for a change in customers.
    """
    return tuple(window for window in sorted(windows) if window <= months) or (min(windows),)


def compute_features(panel: Panel, rows: Integers, anchor: int, plan: FeatureSet) -> Floats:
    """The feature matrix of some customers at an anchor, from months up to the anchor alone.

    Args:
        rows: indices of the customers, shape (n,).
        anchor: counted month, inside the panel.

    Returns:
        Shape (n, features), float32; NaN where nothing is known.
    """
    matrix = np.empty((len(rows), len(plan.names)), dtype=np.float32)
    at = 0
    for index, width in enumerate(plan.widths):
        matrix[:, at : at + width] = part_features(panel, rows, anchor, plan, index)
        at += width
    return matrix


def part_features(panel: Panel, rows: Integers, anchor: int, plan: FeatureSet, index: int) -> Floats:
    """The columns of `compute_features` that come from one raw column, or the months known; shape (n, `plan.widths[index]`)."""
    stop = panel.column(anchor) + 1
    if index < len(plan.dynamic):
        return column_features(panel.dynamic[plan.dynamic[index]][rows, :stop], plan.windows)
    index -= len(plan.dynamic)
    if index < len(plan.static):
        name = plan.static[index]
        return static_features(panel.static[name][rows], len(plan.levels[name]) if name in plan.levels else None)
    return np.asarray((panel.alive[rows, :stop] >= 0).sum(axis=1, keepdims=True), dtype=np.float32)


def static_features(values: Floats, words: int | None) -> Floats:
    """A static column as features: itself, or one 0/1 column per word. Shape (n, 1) or (n, words)."""
    if words is None:
        return values[:, None]
    return np.asarray(values[:, None] == np.arange(words, dtype=np.float32), dtype=np.float32)


def column_features(block: Floats, windows: Sequence[int]) -> Floats:
    """The features of one dynamic column.

    Args:
        block: its months, the anchor's last, shape (n, months); NaN where unknown.

    Returns:
        Shape (n, features) in the order of `FeatureSet.per_column`:
        last; per window mean, std (of the population), sum, trend (least squares, per month), change (newest half of
        the window against the half before, -1 to 1); total and peak since the beginning, share of active months,
        months since the last active one (all months when never); the four flags.
    """
    values = np.nan_to_num(block.astype(np.float64))
    known = ~np.isnan(block)
    parts = [_last(values, known)]
    for window in windows:
        parts += _rolling(values[:, -window:], known[:, -window:])
    active = known & (values != 0)
    count = known.sum(axis=1)
    months = values.shape[1]
    since = np.where(active.any(axis=1), np.argmax(active[:, ::-1], axis=1), months)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts += [
            np.where(count > 0, values.sum(axis=1), np.nan),
            np.where(known, values, -np.inf).max(axis=1),
            active.sum(axis=1) / count,
            since.astype(np.float64),
        ]
    parts += _flags(values, known, active)
    matrix = np.column_stack(parts)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix.astype(np.float32)


def _last(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    newest = values.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return np.where(known.any(axis=1), values[np.arange(len(values)), newest], np.nan)


def _mean(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(values.sum(axis=1) / known.sum(axis=1))


def _rolling(values: np.ndarray, known: np.ndarray) -> list[np.ndarray]:
    count = known.sum(axis=1)
    total = values.sum(axis=1)
    months = np.arange(values.shape[1], dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        centred = np.where(known, values - mean[:, None], 0.0)
        centre = np.where(known, months, 0.0).sum(axis=1) / count
        times = np.where(known, months - centre[:, None], 0.0)
        spread = (times**2).sum(axis=1)
        trend = np.where(spread > 0, (times * centred).sum(axis=1) / np.where(spread > 0, spread, 1.0), 0.0)
        std = np.sqrt((centred**2).sum(axis=1) / count)
        half = max(values.shape[1] // 2, 1)
        newer = _mean(values[:, -half:], known[:, -half:])
        older = _mean(values[:, :-half], known[:, :-half]) if values.shape[1] > half else newer
        size = np.abs(newer) + np.abs(older)
        change = np.where(size > 0, (newer - older) / np.where(size > 0, size, 1.0), 0.0)
    nothing = count == 0
    change[~np.isfinite(newer) | ~np.isfinite(older)] = np.nan
    total, trend = np.where(nothing, np.nan, total), np.where(nothing, np.nan, trend)
    return [mean, std, total, trend, change]


def _flags(values: np.ndarray, known: np.ndarray, active: np.ndarray) -> list[np.ndarray]:
    new, old = _mean(values[:, -3:], known[:, -3:]), _mean(values[:, -6:-3], known[:, -6:-3])
    falls = np.diff(values[:, -4:], axis=1) < 0
    steady = known[:, -4:].all(axis=1) & (falls.shape[1] == 3)
    six = _rolling(values[:, -6:], known[:, -6:])
    with np.errstate(invalid="ignore"):
        drop = new < DROP * old
        volatile = six[1] > VOLATILE * np.abs(six[0])
    quiet = known[:, -3:].any(axis=1) & ~active[:, -3:].any(axis=1)
    flags = (drop, falls.all(axis=1) & steady, volatile, quiet & active[:, :-3].any(axis=1))
    return [np.asarray(flag, dtype=np.float64) for flag in flags]
