"""The windows of an experiment beside each other: how far apart they are, how often the task can be learned, and which to begin with."""

from dataclasses import dataclass

from .month import Window

_BACKTESTS = (6, 3, 2, 1)
_WELL_TRAINED = 6
"""Anchors from which on a longer backtest is worth fewer of them."""


def gap_between(training: Window, backtest: Window, embargo_months: int) -> int:
    """Months between the last one that features may see and the first one that is predicted."""
    anchor = min(training.last, backtest.first.minus(1 + embargo_months))
    return backtest.first - anchor - 1


@dataclass(frozen=True)
class Timeline:
    """Two windows, neither of which is reversed and of which the backtest is the later one.

    Attributes:
        training, backtest: they.
        history_months: that features see behind an anchor.
        gap_months: between an anchor and its labels, the embargo at least.
    """

    training: Window
    backtest: Window
    history_months: int
    gap_months: int

    @property
    def anchors(self) -> int:
        """Months of the training window at which the backtest's task can be repeated; none when it is too short.

        >>> from fastflow.apps.churn.domain.month import Month, Window
        >>> training, backtest = (Window(Month.parse(a), Month.parse(b)) for a, b in ((202201, 202406), (202407, 202412)))
        >>> Timeline(training, backtest, history_months=6, gap_months=0).anchors
        19
        """
        return max(0, len(self.training) - self.history_months - self.gap_months - len(self.backtest) + 1)

    @property
    def gap(self) -> Window | None:
        """The months between what features see last and the backtest; None: there are none."""
        if not self.gap_months:
            return None
        return Window(self.backtest.first.minus(self.gap_months), self.backtest.first.minus(1))


def lay_out(training: Window, backtest: Window, *, history_months: int, embargo_months: int) -> Timeline | None:
    """The windows beside each other; None: the backtest does not come after the training."""
    if backtest.first <= training.last:
        return None
    return Timeline(training, backtest, history_months, gap_between(training, backtest, embargo_months))


def propose_timeline(known: Window, *, history_months: int, embargo_months: int) -> Timeline | None:
    """Windows that use all months of the data: the last half year tests, or less when that leaves too little to learn from.

    >>> from fastflow.apps.churn.domain.month import Month, Window
    >>> proposed = propose_timeline(Window(Month.parse(199701), Month.parse(199806)), history_months=6, embargo_months=0)
    >>> str(proposed.training), str(proposed.backtest), proposed.anchors
    ('199701-199803', '199804-199806', 7)

    Returns:
        None when even a backtest of one month leaves nothing to learn from.
    """
    feasible = [
        laid
        for months in _BACKTESTS
        if months < len(known)
        and (
            laid := lay_out(
                Window(known.first, known.last.minus(months)),
                Window(known.last.minus(months - 1), known.last),
                history_months=history_months,
                embargo_months=embargo_months,
            )
        )
        and laid.anchors
    ]
    return next((laid for laid in feasible if laid.anchors >= _WELL_TRAINED), feasible[0] if feasible else None)
