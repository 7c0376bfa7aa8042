"""The table of moves."""

import pytest

from fastflow.kernel.runs.domain.states import ALLOWED_MOVES, TERMINAL, RunStatus, check_move
from fastflow.kit.errors import Bug

ALLOWED = {
    ("PENDING", "RUNNING"),
    ("PENDING", "FAILED"),
    ("RUNNING", "SUCCESS"),
    ("RUNNING", "FAILED"),
}


@pytest.mark.parametrize("before", RunStatus)
@pytest.mark.parametrize("after", RunStatus)
def test_move_when_not_in_the_table_is_refused(before: RunStatus, after: RunStatus) -> None:
    if (before.value, after.value) in ALLOWED:
        check_move(before, after)
    else:
        with pytest.raises(Bug):
            check_move(before, after)


def test_terminal_states_when_reached_have_no_way_on() -> None:
    assert {RunStatus.SUCCESS, RunStatus.FAILED} == TERMINAL
    assert set(ALLOWED_MOVES) == set(RunStatus)
