"""A clock that steps gives up no run of a server that lives, and keeps none of one that is gone."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from fastflow.kernel.runs.domain.commands import LEASE_SECONDS, RENEW_SECONDS, WATCH_SECONDS
from fastflow.kernel.runs.infra.lease_watch import LeaseWatch
from fastflow.testing.clock import START

LOST_AFTER = 90.0


@dataclass
class Row:
    lease_expires_at: datetime
    stopped_at: datetime | None = None
    id: str = "run-1"


@dataclass
class Machine:
    """A server that looks at another one's lease every ten seconds, with a clock that the test steps."""

    step: timedelta = timedelta(0)
    passed: float = 0.0
    row: Row = field(default_factory=lambda: Row(START + timedelta(seconds=LEASE_SECONDS)))

    def __post_init__(self) -> None:
        self.watch = LeaseWatch(lost_after=LOST_AFTER, watch_seconds=WATCH_SECONDS, monotonic=lambda: self.passed)

    def looks_for(self, seconds: float, *, renews: bool) -> float | None:
        """When it gives the run up, in seconds from now; None: not within so many."""
        for number in range(int(seconds / RENEW_SECONDS) + 1):
            true_time = START + timedelta(seconds=self.passed)
            if renews:
                self.row.lease_expires_at = true_time + timedelta(seconds=LEASE_SECONDS)
            if self.watch.find_lost([self.row], true_time + self.step):
                return number * RENEW_SECONDS
            self.passed += RENEW_SECONDS
        return None


@pytest.mark.parametrize("step", [timedelta(0), timedelta(hours=1), timedelta(days=4000), timedelta(hours=-1)])
def test_run_when_its_server_lives_then_no_step_of_the_clock_gives_it_up(step: timedelta) -> None:
    machine = Machine()
    assert machine.looks_for(60, renews=True) is None
    machine.step = step
    assert machine.looks_for(600, renews=True) is None
    fresh = Machine(step=step)  # a server that was started with a wrong clock
    assert fresh.looks_for(600, renews=True) is None


@pytest.mark.parametrize("step", [timedelta(0), timedelta(hours=-1)])
def test_run_when_its_server_is_gone_then_it_is_given_up_in_time_also_by_a_clock_that_went_back(
    step: timedelta,
) -> None:
    machine = Machine()
    machine.looks_for(30, renews=True)
    machine.step = step
    given_up = machine.looks_for(600, renews=False)
    assert given_up is not None
    assert LOST_AFTER - RENEW_SECONDS <= given_up <= LOST_AFTER + RENEW_SECONDS


def test_run_when_its_server_was_stopped_in_order_then_it_is_waited_for_longer() -> None:
    machine = Machine()
    machine.looks_for(30, renews=True)
    machine.row.stopped_at = START
    assert machine.looks_for(600, renews=False) is None
    assert machine.looks_for(600, renews=False) is not None
