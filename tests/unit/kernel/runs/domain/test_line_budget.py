from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.runs.domain.line_budget import LineBudget


def test_budget_when_new_then_a_second_of_lines_may_go_at_once() -> None:
    budget = LineBudget(100, now=5.0)
    assert budget.available(5.0) == 100
    budget.spend(100)
    assert budget.available(5.0) == 0
    assert budget.available(5.25) == 25


def test_budget_when_it_waits_long_then_it_holds_one_second_of_lines() -> None:
    assert LineBudget(100, now=0.0).available(1000.0) == 100


@given(st.integers(1, 1000), st.integers(1, 2000), st.floats(0, 1e6))
def test_budget_when_the_time_it_asks_for_has_passed_then_the_lines_may_go(rate: int, lines: int, now: float) -> None:
    budget = LineBudget(rate, now)
    budget.spend(budget.available(now))
    seconds = budget.seconds_until(lines, now)
    assert 0 <= seconds <= 1 + 1e-6
    assert budget.available(now + seconds + 1e-6 * rate) >= min(lines, rate)
