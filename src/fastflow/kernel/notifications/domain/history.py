"""What is too long, judged by how long earlier runs took."""

from collections.abc import Sequence
from statistics import median

from fastflow.kernel.notifications.domain.rule import RuleDefinition

LOOKED_AT = 50
"""Successful runs that make the history."""
SHORTEST_SECONDS = 1.0
"""Nothing that ends sooner is called slow: jitter of milliseconds is no news."""


def longest_usual(durations: Sequence[float], rule: RuleDefinition) -> float | None:
    """Seconds above which a run is slow; None while there is too little history.

    With both measures set, the larger holds: what either takes for usual is.

    >>> longest_usual([60, 62, 58, 61, 59], RuleDefinition(factor=2.0))
    120.0
    >>> longest_usual([60, 62, 58, 61, 59], RuleDefinition(factor=None, mad=5.0))
    65.0
    >>> longest_usual([60], RuleDefinition()) is None
    True
    """
    if len(durations) < rule.min_history:
        return None
    middle = median(durations)
    found = [SHORTEST_SECONDS]
    if rule.factor is not None:
        found.append(rule.factor * middle)
    if rule.mad is not None:
        found.append(middle + rule.mad * median(abs(each - middle) for each in durations))
    return float(max(found))
