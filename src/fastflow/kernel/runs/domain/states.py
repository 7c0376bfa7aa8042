"""The states of a run, the moves between them, and who makes each move.

    PENDING --claim (runner)--------------------------> RUNNING
    PENDING --cancel (service), wait timeout (runner)-> FAILED
    RUNNING --finish (the runner that holds the lease)-> SUCCESS | FAILED

SUCCESS and FAILED are terminal and written once. A run that is relaunched because its process never started stays
RUNNING: it kept its slot.
"""

from enum import StrEnum
from typing import Final, get_args

from fastflow.kernel.executors.port import Reason
from fastflow.kit.errors import Bug


class RunStatus(StrEnum):
    """Where a run is between its submission and its one end."""

    PENDING = "PENDING"
    """In the queue. A runner moves it on when a slot is free; a cancel or its wait timeout ends it."""
    RUNNING = "RUNNING"
    """Claimed under a lease: its environment is made ready, then its process runs. The lease's holder ends it."""
    SUCCESS = "SUCCESS"
    """Ended with exit code 0. Nobody moves it on; retention removes its log and artifacts."""
    FAILED = "FAILED"
    """Ended in any other way; `reason` says which. Nobody moves it on."""

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self in TERMINAL


ALLOWED_MOVES: Final = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.FAILED}),
    RunStatus.RUNNING: frozenset({RunStatus.SUCCESS, RunStatus.FAILED}),
    RunStatus.SUCCESS: frozenset[RunStatus](),
    RunStatus.FAILED: frozenset[RunStatus](),
}
TERMINAL: Final = frozenset(status for status, onward in ALLOWED_MOVES.items() if not onward)
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
TRIGGERS: Final = (
    "api", "cli", "ui", "schedule", "webhook", "flow", "backfill", "rerun", "retry", "replay", "daemon",
)  # fmt: skip
"""What submits runs."""


def check_move(before: RunStatus, after: RunStatus) -> None:
    """Return when a run may go from `before` to `after`.

    Raises:
        Bug: the table of moves does not have it.
    """
    if after not in ALLOWED_MOVES[before]:
        raise Bug(f"A run cannot go from {before} to {after}.", code="illegal_run_move")
