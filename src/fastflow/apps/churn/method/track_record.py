"""What became of customers who moved as recommended, by themselves: predicted against observed, with matched controls.

Movement is read from the months right after the anchor, churn from the months after those, so nobody counts as moved for having
lived longer. Both groups are alive when churn begins to count. It is a comparison, not an experiment: who moves may differ.
"""

from typing import Any

import numpy as np

from .counterfactuals import Found
from .panel import Integers, Panel, mean_of_known, yyyymm
from .policy import Search

FEWEST = 10
CALIPER = 0.05
"""A control's probability may differ by this from the mover's."""


def track_record(
    panel: Panel, rows: Integers, anchor: int, last: int, search: Search, found: Found, share: float = 0.5
) -> dict[str, Any]:
    """Compare movers with their controls.

    Args:
        panel: reaching to `last`, the last counted month from which churn is read. rows: the customers searched.
        share: moved means at least this share of the recommended change, in every recommended column.

    Returns:
        Counts, observed churn of movers and matched controls, the difference with its 95 % interval, and the mean
        predictions before and after; or `why_not` when there is too little to compare.
    """
    now = panel.column(anchor)
    begin = now + search.months
    stop = panel.column(last)
    if begin + 1 > stop:
        return {"why_not": f"No month after {yyyymm(anchor + search.months)} is left to see who churned."}
    if begin >= panel.alive.shape[1]:
        return {"why_not": "The panel ends before a movement could be seen."}
    alive = panel.alive[rows, begin] == 1
    window = panel.alive[rows, begin + 1 : stop + 1]
    churned = (window == 0).any(axis=1)
    known = found.valid & alive & (churned | (window[:, -1] == 1))
    moved = known & _moved(panel, rows, now, search, found, share)
    controls = known & ~moved
    record: dict[str, Any] = {
        "movement_months": [yyyymm(anchor + 1), yyyymm(anchor + search.months)],
        "churn_months": [yyyymm(anchor + search.months + 1), yyyymm(last)],
        "comparable": int(known.sum()),
        "moved": int(moved.sum()),
    }
    pairs = _pairs(np.flatnonzero(moved), np.flatnonzero(controls), found)
    record["matched"] = len(pairs)
    if len(pairs) < FEWEST:
        return record | {"why_not": f"Only {len(pairs)} moved as recommended and have a control; {FEWEST} are needed."}
    movers, twins = np.array(pairs).T
    difference = churned[movers].astype(float) - churned[twins]
    error = float(difference.std(ddof=1) / len(pairs) ** 0.5)
    mean = float(difference.mean())
    return record | {
        "observed_moved": float(churned[movers].mean()),
        "observed_controls": float(churned[twins].mean()),
        "difference": mean,
        "difference_low": mean - 1.96 * error,
        "difference_high": mean + 1.96 * error,
        "predicted_before": float(found.before[movers].mean()),
        "predicted_after": float(found.after[movers].mean()),
    }


def _moved(panel: Panel, rows: Integers, now: int, search: Search, found: Found, share: float) -> np.ndarray:
    moved = found.change.any(axis=1)
    for number, rule in enumerate(search.rules):
        wanted = found.change[:, number]
        asked = wanted != 0
        if rule.column not in panel.dynamic:
            moved &= ~asked
            continue
        grid = panel.dynamic[rule.column][rows].astype(np.float64)
        before = mean_of_known(grid[:, max(0, now - search.months + 1) : now + 1])
        after = mean_of_known(grid[:, now + 1 : now + 1 + search.months])
        with np.errstate(invalid="ignore"):
            went = (after - before) * np.sign(wanted) >= share * np.abs(wanted)
        moved &= ~asked | went
    return np.asarray(moved)


def _pairs(movers: Integers, controls: Integers, found: Found) -> list[tuple[int, int]]:
    """Each mover with the control whose probability was nearest before; a control may serve several."""
    pairs = []
    for mover in movers:
        if len(controls):
            gaps = np.abs(found.before[controls] - found.before[mover])
            if gaps.min() <= CALIPER:
                pairs.append((int(mover), int(controls[int(np.argmin(gaps))])))
    return pairs
