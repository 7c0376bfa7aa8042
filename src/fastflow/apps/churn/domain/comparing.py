"""Figures of two experiments beside each other: which is better, and whether chance alone would do."""

from dataclasses import dataclass
from typing import Literal

from .experiment import Experiment

LARGER_IS_BETTER = {"churn_roc_auc": True, "churn_pr_auc": True, "churn_brier": False}
"""Figure with an interval -> whether more of it is better."""
_SAME_TEST = ("outcome", "population", "embargo_months", "history_months")
Interval = tuple[float, float]
"""Both ends, at 95 %."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What the second has more than the first.

    Attributes:
        value: of it.
        low, high: its 95 % interval, the draws behind both figures taken as independent. On the same customers they are
            not, and the true interval is narrower: what is told apart here is apart.
        verdict: of the second; `even`: chance alone would do.
    """

    value: float
    low: float
    high: float
    verdict: Literal["better", "worse", "even"]


def difference(name: str, first: float, second: float, ends: tuple[Interval, Interval]) -> Difference | None:
    """How the second differs from the first; None: for this figure neither more nor less is better.

    >>> difference("churn_roc_auc", 0.70, 0.80, ((0.66, 0.74), (0.77, 0.83))).verdict
    'better'
    >>> difference("churn_brier", 0.10, 0.11, ((0.08, 0.12), (0.09, 0.13))).verdict
    'even'
    """
    if name not in LARGER_IS_BETTER:
        return None
    value = second - first
    half = sum(((high - low) / 2) ** 2 for low, high in ends) ** 0.5
    if abs(value) <= half:
        return Difference(value=value, low=value - half, high=value + half, verdict="even")
    verdict: Literal["better", "worse"] = "better" if (value > 0) == LARGER_IS_BETTER[name] else "worse"
    return Difference(value=value, low=value - half, high=value + half, verdict=verdict)


def same_test(first: Experiment, second: Experiment) -> bool:
    """Whether both are tested on the same customers and outcomes, so that their figures measure the same."""
    return (
        first.backtest == second.backtest
        and first.training_to == second.training_to
        and first.data_fingerprint == second.data_fingerprint
        and first.id_files == second.id_files
        and all(first.hyperparameters.get(name) == second.hyperparameters.get(name) for name in _SAME_TEST)
    )
