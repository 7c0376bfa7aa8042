"""Early signs in words: what a customer does less of than a while ago, by more than the customer's own ups and downs.

The flags among the features are for the model, which weighs them. People read these: few, the strongest first, and none that
chance alone gives to many. Falls in per cent are told of columns that are never negative and of customers with a level to fall from.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import DROP, VOLATILE
from .panel import Doubles, Floats, Integers, Panel, mean_of_known

MOST, MOST_COLUMNS = 3, 3
"""Sentences of a customer, and columns that a sentence names; of more it says how many."""
LEVEL = 0.5
"""A level is one of at least this share of the column's mean over all customers and months."""
BEYOND = 1.64
"""Standard errors that a fall must exceed: chance gives so large a one to one customer in twenty."""
PAST, FEWEST = 12, 6
"""Months before the newest three that a customer's ups and downs are read from, and how many of them must be known."""
_CHUNK = 8192
_WORDS = (
    "Nothing in the last three months: {}",
    "More than 30 % less in the last three months: {}",
    "Three falls in a row: {}",
    "Varying strongly, unlike before: {}",
)
"""The kinds of signs, the strongest first."""
_NONE = len(_WORDS)


@dataclass(frozen=True)
class _Signs:
    """One column's, shapes (n,): the strongest kind, its strength within the kind, the level before and now."""

    kind: NDArray[np.int64]
    strength: Doubles
    before: Doubles
    now: Doubles


def early_signs(panel: Panel, rows: Integers) -> list[list[str]]:
    """The signs of some customers at the panel's last month."""
    scales = {name: _scale(grid) for name, grid in panel.dynamic.items()}
    said: list[list[str]] = []
    for begin in range(0, len(rows), _CHUNK):
        here = rows[begin : begin + _CHUNK]
        signs = {name: _signs(panel.dynamic[name][here], scale) for name, scale in scales.items()}
        said += _in_words(signs, len(here))
    return said


def _scale(grid: Floats) -> float | None:
    """The column's mean; None: it can be negative, and has no level to fall from."""
    known = grid[~np.isnan(grid)]
    return None if known.size and known.min() < 0 else float(known.mean(dtype=np.float64)) if known.size else 0.0


def _signs(block: Floats, scale: float | None) -> _Signs:
    months = block.astype(np.float64)
    now, before = mean_of_known(months[:, -3:]), mean_of_known(months[:, -6:-3])
    past = months[:, -3 - PAST : -3]
    enough = (~np.isnan(past)).sum(axis=1) >= FEWEST
    spread = _spread(past)
    last_four = months[:, -4:]
    with np.errstate(invalid="ignore", divide="ignore"):
        fell = enough & (before - now > BEYOND * spread * np.sqrt(2 / 3))
        falls = enough & (np.diff(last_four, axis=1) < 0).all(axis=1) & (last_four.shape[1] == 4)
        falls &= last_four[:, 0] - last_four[:, -1] > BEYOND * spread * np.sqrt(2)
        kinds = np.where(falls, 2, _NONE)
        if scale is not None:
            has_level = before >= max(LEVEL * scale, 1e-9)
            six, earlier = months[:, -6:], months[:, -6 - PAST : -6]
            recent = mean_of_known(six)
            unlike = (_spread(six) > VOLATILE * recent) & (_spread(earlier) <= VOLATILE * mean_of_known(earlier))
            kinds = np.where(falls & has_level, 2, np.where(unlike & enough & (recent >= LEVEL * scale), 3, _NONE))
            kinds = np.where(fell & has_level & (now < DROP * before), 1, kinds)
            kinds = np.where(fell & has_level & (months[:, -3:] == 0).all(axis=1), 0, kinds)
        strength = np.where(
            kinds == 3, _spread(months[:, -6:]) / mean_of_known(months[:, -6:]), (before - now) / np.abs(before)
        )
    then, newest = np.where(kinds == 2, last_four[:, 0], before), np.where(kinds == 2, last_four[:, -1], now)
    return _Signs(kinds.astype(np.int64), np.nan_to_num(strength), then, newest)


def _spread(block: Doubles) -> Doubles:
    """Standard deviation of the months that are known."""
    return np.sqrt(mean_of_known((block - mean_of_known(block)[:, None]) ** 2))


def _in_words(signs: dict[str, _Signs], count: int) -> list[list[str]]:
    names = list(signs)
    kinds = np.stack([signs[name].kind for name in names], axis=1)
    said: list[list[str]] = [[] for _ in range(count)]
    for row in np.flatnonzero((kinds < _NONE).any(axis=1)):
        for kind, words in enumerate(_WORDS):
            columns = [name for name, own in zip(names, kinds[row], strict=True) if own == kind]
            if columns and len(said[row]) < MOST:
                columns.sort(key=lambda name: -float(signs[name].strength[row]))
                said[row].append(words.format(_listed(columns, signs, int(row), kind)))
    return said


def _listed(columns: list[str], signs: dict[str, _Signs], row: int, kind: int) -> str:
    shown = [f"{name}{_values(signs[name], row, kind)}" for name in columns[:MOST_COLUMNS]]
    more = f" (+{len(columns) - MOST_COLUMNS})" if len(columns) > MOST_COLUMNS else ""
    return ", ".join(shown) + more


def _values(signs: _Signs, row: int, kind: int) -> str:
    """From where to where, where that is what the sign says."""
    return "" if kind == 3 else f" ({_short(signs.before[row])} → {_short(signs.now[row])})"


def _short(value: Any) -> str:
    """At most three figures before trailing noughts, one after the point.

    >>> _short(4.23), _short(0.0), _short(1234.5), _short(0.04)
    ('4.2', '0', '1234', '0.04')
    """
    return (
        f"{value:.0f}" if abs(value) >= 100 or value == 0 else f"{value:.1f}" if abs(value) >= 0.1 else f"{value:.1g}"
    )
