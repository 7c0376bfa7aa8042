"""What the settings leave to the model: which way a column may go, and from which probability on customers are searched."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .consistency import rank_correlation
from .panel import Doubles, Integers, Panel
from .policy import UNSAID, Rule, Search
from .quality import recent_means

WEAK = 0.05
"""A rank correlation nearer to nought than this says nothing of a direction, however many customers there are."""
TIMES_AVERAGE = 2.0
"""Searched is who has at least so many times the average probability, where the settings do not say."""


def settle(search: Search, panel: Panel, population: Integers, probabilities: Doubles, capacity: float) -> Search:
    """The search with what its settings leave open found in the population.

    Args:
        panel: ending at the anchor. population: rows of it; probabilities: the deployed model's, of these.
        capacity: share of customers that can be contacted.
    """
    rules = [
        _directed(rule, panel, population, probabilities, search.months) if rule.change == UNSAID else rule
        for rule in search.rules
    ]
    return replace(
        search,
        rules=tuple(rule for rule in rules if rule.change != "immutable"),
        held=tuple(rule for rule in rules if rule.change == "immutable"),
        from_probability=_begin(search, probabilities, capacity),
    )


def _directed(rule: Rule, panel: Panel, population: Integers, probabilities: Doubles, months: int) -> Rule:
    """The rule with the direction that comes with less risk among real customers; immutable where none stands out from chance.

    By single customers a model may go either way: what it has learnt of few, or from columns that move together, is no advice.
    """
    means = recent_means(panel, population, rule.column, months)
    known = ~np.isnan(means)
    if known.sum() < 3:
        return replace(rule, change="immutable")
    correlation = rank_correlation(means[known], probabilities[known])
    if np.isnan(correlation):
        return replace(rule, change="immutable")
    is_clear = abs(correlation) >= max(WEAK, 1.96 / float(np.sqrt(known.sum())))
    change = ("down" if correlation > 0 else "up") if is_clear else "immutable"
    return replace(rule, change=change, correlation=correlation)


def _begin(search: Search, probabilities: Doubles, capacity: float) -> float:
    """Twice the average, or lower so that as many as can be contacted are searched, whatever the base rate."""
    if search.from_probability is not None:
        return search.from_probability
    if not len(probabilities):
        return 0.0
    likeliest = float(np.quantile(probabilities, 1 - capacity))
    return min(TIMES_AVERAGE * float(probabilities.mean()), likeliest, search.to_probability)


def who_was_searched(search: Search, given: Mapping[str, Any], probabilities: Doubles, searched: int) -> dict[str, Any]:
    """How many customers were scored and searched, and why the others were not.

    Args:
        search: settled. given: the settings, as they were given.
    """
    begin = search.from_probability or 0.0
    below, above = probabilities < begin, probabilities > search.to_probability
    inside = int((~below & ~above).sum())
    drawn = search.drawn_of(inside)
    return {
        "from_probability": begin,
        "to_probability": search.to_probability,
        "from_is_given": given.get("from_probability") is not None,
        "average_probability": float(probabilities.mean()) if len(probabilities) else None,
        "scored": len(probabilities),
        "below": int(below.sum()),
        "above": int(above.sum()),
        "in_range": inside,
        "not_drawn": inside - drawn,
        "beyond_limit": drawn - searched,
        "searched": searched,
    }
