"""Windows that an experiment may begin with, and how often their task can be learned."""

import pytest

from fastflow.apps.churn.domain.experiment import define
from fastflow.apps.churn.domain.month import Month, Window
from fastflow.apps.churn.domain.timeline import lay_out, propose_timeline


def months(first: int, last: int) -> Window:
    return Window(Month.parse(first), Month.parse(last))


@pytest.mark.parametrize(
    ("known", "history", "embargo", "backtest"),
    [
        (months(202201, 202412), 6, 0, "202407-202412"),
        (months(199701, 199806), 6, 0, "199804-199806"),
        (months(199701, 199809), 3, 0, "199804-199809"),
        (months(202201, 202210), 6, 0, "202209-202210"),
        (months(202201, 202412), 6, 2, "202407-202412"),
    ],
)
def test_windows_when_proposed_then_they_use_all_months_and_can_be_learned_from(
    known: Window, history: int, embargo: int, backtest: str
) -> None:
    laid = propose_timeline(known, history_months=history, embargo_months=embargo)
    assert laid is not None
    assert (str(laid.backtest), laid.training.first, laid.backtest.last) == (backtest, known.first, known.last)
    assert laid.anchors >= 1
    names = {"training": laid.training, "backtest": laid.backtest}
    given = {
        f"{name}_{end}": str(getattr(one, of))
        for name, one in names.items()
        for end, of in (("from", "first"), ("to", "last"))
    }
    settings = {"history_months": history, "embargo_months": embargo}
    define({"experiment_name": "proposed", "hyperparameters": settings, **given})


def test_windows_when_the_data_is_too_short_then_none_are_proposed() -> None:
    assert propose_timeline(months(202201, 202207), history_months=6, embargo_months=0) is None
    assert propose_timeline(months(202201, 202201), history_months=1, embargo_months=0) is None


def test_gap_when_there_is_an_embargo_or_a_pause_then_it_lies_between_the_windows() -> None:
    training, backtest = months(202201, 202312), months(202401, 202406)
    together = lay_out(training, backtest, history_months=6, embargo_months=0)
    assert together is not None and together.gap is None
    apart = lay_out(training, backtest, history_months=6, embargo_months=2)
    assert apart is not None and str(apart.gap) == "202311-202312"
    paused = lay_out(training, months(202404, 202406), history_months=6, embargo_months=1)
    assert paused is not None and (str(paused.gap), paused.anchors) == ("202401-202403", 13)
    assert lay_out(backtest, training, history_months=6, embargo_months=0) is None
