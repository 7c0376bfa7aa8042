import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.apps.churn.method.panel import Panel, panel_from_columns, yyyymm
from fastflow.apps.churn.method.problems import Refusal
from fastflow.apps.churn.method.windows import Outcomes, Task, audit_windows, plan_windows, read_outcomes

JAN = 2022 * 12


def panel(states: list[list[int]]) -> Panel:
    return Panel(np.arange(len(states)), JAN, np.array(states, dtype=np.int8), {}, {}, {})


@given(
    training=st.integers(1, 60),
    after=st.integers(0, 6),
    horizon=st.integers(1, 12),
    embargo=st.integers(0, 4),
    history=st.integers(1, 12),
    most=st.integers(1, 20),
)
def test_plan_when_any_windows_fit_then_no_training_label_is_later_than_the_training_window(
    training: int, after: int, horizon: int, embargo: int, history: int, most: int
) -> None:
    begin = JAN + training + after
    try:
        plan = plan_windows(
            training_from=JAN,
            training_to=JAN + training - 1,
            backtest_from=begin,
            backtest_to=begin + horizon - 1,
            embargo=embargo,
            history=history,
            most_anchors=most,
        )
    except Refusal:
        return
    ends = [plan.task.label_window(anchor)[1] for anchor in plan.anchors]
    assert 1 <= len(plan.anchors) <= most
    assert max(ends) <= plan.training_to < plan.task.label_window(plan.test_anchor)[0] == begin
    assert plan.task.gap >= embargo
    assert min(plan.anchors) - JAN + 1 >= history


def test_plan_when_windows_overlap_then_it_names_both_months() -> None:
    with pytest.raises(Refusal, match=r"begins in 202206, inside the training window that ends in 202206"):
        plan_windows(training_from=JAN, training_to=JAN + 5, backtest_from=JAN + 5, backtest_to=JAN + 8)


def test_plan_when_training_is_too_short_then_it_says_how_many_months_are_needed() -> None:
    with pytest.raises(Refusal, match="12 months; 6 of history, 0 of gap and 7 of labels need 13"):
        plan_windows(training_from=JAN, training_to=JAN + 11, backtest_from=JAN + 12, backtest_to=JAN + 18)


def test_outcomes_when_a_fate_was_not_observed_to_the_end_then_it_is_censored_and_not_stayed() -> None:
    known = panel([[1, 1, 1], [1, 0, -1], [1, 1, -1], [1, -1, 1], [0, -1, -1], [-1, 1, 1]])
    found = read_outcomes(known, JAN, Task(gap=0, horizon=2))
    assert found.rows.tolist() == [0, 1, 3]
    assert found.churned.tolist() == [0, 1, 0]
    assert (found.population, found.censored, found.gone) == (4, 1, 0)


def test_outcomes_when_a_customer_dies_in_the_gap_then_it_is_no_longer_at_risk() -> None:
    found = read_outcomes(panel([[1, 0, -1, -1], [1, 1, 1, 0]]), JAN, Task(gap=1, horizon=2))
    assert (found.rows.tolist(), found.churned.tolist(), found.gone) == ([1], [1], 1)


def test_outcomes_when_only_the_end_counts_then_a_return_is_no_churn() -> None:
    known = panel([[1, 0, 1], [1, 0, -1], [0, 0, 0]])
    found = read_outcomes(known, JAN, Task(gap=0, horizon=2, outcome="end", population="observed"))
    assert found.churned.tolist() == [0, 1, 1]


def test_outcomes_when_the_panel_ends_too_early_then_it_is_refused_with_the_months() -> None:
    with pytest.raises(Refusal, match="labels to 202205 are needed"):
        read_outcomes(panel([[1, 1, 1]]), JAN, Task(gap=0, horizon=4))


def test_audit_when_written_then_it_compares_the_months_that_were_read() -> None:
    plan = plan_windows(
        training_from=JAN, training_to=JAN + 11, backtest_from=JAN + 12, backtest_to=JAN + 14, history=6
    )
    empty = Outcomes(np.array([0]), np.array([1], dtype=np.int8), 1, 0, 0)
    record = audit_windows(plan, dict.fromkeys(plan.anchors, empty), empty)
    assert record["separated"] is True
    assert (record["latest_month_read_for_training"], record["earliest_test_label_month"]) == (202212, 202301)
    assert [row["labels_to"] for row in record["training_anchors"]] == [202209, 202210, 202211, 202212]


def test_panel_when_cut_then_later_months_are_not_there(small_panel: Panel) -> None:
    cut = small_panel.between(JAN + 2, JAN + 5)
    assert (yyyymm(cut.first_month), yyyymm(cut.last_month)) == (202203, 202206)
    assert all(grid.shape == cut.alive.shape for grid in cut.dynamic.values())


@pytest.mark.parametrize(
    ("months", "alive", "problem"),
    [
        ([202201, 202201], [1, 1], "Customer 5 has two rows in 202201"),
        ([202213, 202201], [1, 1], "I_TIMEBASE holds 202213"),
        ([202201, 202202], [1, 2], "other than 0 and 1"),
    ],
)
def test_panel_when_rows_are_impossible_then_it_is_refused_by_name(
    months: list[int], alive: list[int], problem: str
) -> None:
    with pytest.raises(Refusal, match=problem):
        panel_from_columns(np.array([5, 5]), np.array(months), np.array(alive), {}, {})
