"""How many rows a training may have, so that a run's memory is known from the panel's.

Every row has all features of a customer at an anchor, and most of them say again what the months before said: beyond some rows
per customer a model learns little that is new, and memory grows with every one of them.
"""

from dataclasses import dataclass

from .features import FeatureSet
from .panel import Panel

CELLS = 2
"""Cells of a training for every cell of the panel, a cell being a customer's month in one raw column; the same for every kind
of model, so that they are compared on the same rows."""
LEAST_CELLS = 16_000_000
"""So many are always allowed (64 MB in single precision), however small the panel."""


@dataclass(frozen=True)
class RowLimit:
    """About so many rows, and what sets the limit: the setting `most_training_rows`, or `memory`."""

    rows: int
    by: str


def row_limit(panel: Panel, plan: FeatureSet, most_rows: int) -> RowLimit:
    """No more rows than asked for, and no more cells than the panel affords."""
    cells = sum(grid.size for grid in panel.dynamic.values())
    afforded = max(CELLS * cells, LEAST_CELLS) // len(plan.names)
    return RowLimit(most_rows, "most_training_rows") if most_rows <= afforded else RowLimit(int(afforded), "memory")
