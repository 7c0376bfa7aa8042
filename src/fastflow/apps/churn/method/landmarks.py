"""Survival data of a panel without looking ahead: covariates at a landmark, follow-up from there to the cutoff.

A customer's whole life described by what it did at the end of that life would let the future explain the past. So time
starts anew at every landmark: what was known then, how long the customer lived on, and, at the cutoff, censored, whatever
became known later. Rows of several landmarks are pooled (van Houwelingen 2007) and clustered by customer. A prediction at the
cutoff is thereby one for customers who survived so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..domain.problem import unknown
from .panel import Doubles, Integers, Panel, yyyymm
from .problems import Refusal

MEAN_MONTHS = 6
"""A dynamic column enters as its mean over the newest six months up to the landmark."""


@dataclass(frozen=True)
class Followed:
    """Customers alive at a landmark, and what became of them.

    Args:
        customers: indices into the panel, shape (n,). landmarks: counted month of each row's landmark, shape (n,).
        durations: months from the landmark to death or censoring, at least 1, shape (n,).
        events: 1 died, 0 censored, shape (n,).
    """

    customers: Integers
    landmarks: Integers
    durations: Doubles
    events: NDArray[np.int8]


def follow(panel: Panel, landmark: int, cutoff_exclusive: int) -> Followed:
    """Everyone alive at a landmark, followed through the months before the cutoff.

    A customer without a later row is left out: nothing is known of it after the landmark. One whose rows end alive is
    censored in its last month.
    """
    column = panel.column(landmark)
    stop = min(panel.column(cutoff_exclusive), panel.alive.shape[1])
    alive = np.flatnonzero(panel.alive[:, column] == 1)
    later = panel.alive[alive, column + 1 : stop]
    known = later >= 0
    there = known.any(axis=1)
    later, known, alive = later[there], known[there], alive[there]
    dead = later == 0
    events = dead.any(axis=1)
    last = later.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1) if len(later) else np.empty(0, np.int64)
    first = np.argmax(dead, axis=1) if len(later) else np.empty(0, np.int64)
    durations = np.where(events, first, last) + 1
    return Followed(alive, np.full(len(alive), landmark), durations.astype(np.float64), events.astype(np.int8))


def follow_all(panel: Panel, landmarks: Sequence[int], cutoff_exclusive: int) -> Followed:
    """`follow` at several landmarks, pooled."""
    parts = [follow(panel, landmark, cutoff_exclusive) for landmark in landmarks]
    pooled = Followed(
        np.concatenate([part.customers for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
        np.concatenate([part.durations for part in parts]),
        np.concatenate([part.events for part in parts]),
    )
    if not len(pooled.customers):
        raise Refusal(
            f"No customer is alive at a landmark and seen again before {yyyymm(cutoff_exclusive)}.",
            "Move the cutoff, or lengthen the training window.",
        )
    return pooled


def covariate_names(panel: Panel, chosen: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the covariates: means of dynamic columns, static numbers, all but the first word of static text.

    Raises:
        Refusal: a chosen column is not in the panel.
    """
    columns = tuple(panel.dynamic) + tuple(panel.static) if chosen is None else tuple(chosen)
    names = []
    for column in columns:
        if column in panel.dynamic:
            names.append(f"{column}__mean_{MEAN_MONTHS}")
        elif column in panel.levels:
            names += [f"{column}__is_{word}" for word in panel.levels[column][1:]]
        elif column in panel.static:
            names.append(column)
        else:
            problem = unknown("cox_covariates", column, (*panel.dynamic, *panel.static))
            raise Refusal(f"{problem.field}: {problem.problem}.", problem.remedy)
    return tuple(names)


def covariates(panel: Panel, followed: Followed, chosen: Sequence[str] | None) -> Doubles:
    """Covariates of each row from the months up to its landmark, shape (n, p); NaN where unknown."""
    columns = tuple(panel.dynamic) + tuple(panel.static) if chosen is None else tuple(chosen)
    parts = []
    for column in columns:
        if column in panel.dynamic:
            parts.append(_means(panel, followed, column)[:, None])
        elif column in panel.levels:
            codes = panel.static[column][followed.customers]
            parts.append((codes[:, None] == np.arange(1, len(panel.levels[column]))).astype(np.float64))
        else:
            parts.append(panel.static[column][followed.customers].astype(np.float64)[:, None])
    return np.concatenate(parts, axis=1)


def _means(panel: Panel, followed: Followed, column: str) -> Doubles:
    values = np.full(len(followed.customers), np.nan)
    for landmark in np.unique(followed.landmarks):
        here = followed.landmarks == landmark
        stop = panel.column(int(landmark)) + 1
        block = panel.dynamic[column][followed.customers[here], max(0, stop - MEAN_MONTHS) : stop].astype(np.float64)
        known = ~np.isnan(block)
        with np.errstate(invalid="ignore"):
            values[here] = np.where(known, block, 0.0).sum(axis=1) / known.sum(axis=1)
    return values
