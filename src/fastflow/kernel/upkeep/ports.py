"""What upkeep needs: the history in the database, the files of runs, the environments."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from fastflow.kernel.environments.domain.environment import Collected
from fastflow.kit.identity import Actor

InUse = Callable[[], Collection[str]]
"""Hashes of the environments of unfinished runs."""


class HistoryStore(Protocol):
    """What is over and may go; each method looks at this server's part alone."""

    def find_runs(self, *, before: datetime | None, keep: int | None, limit: int) -> Sequence[str]:
        """At most `limit` ids of ended runs, oldest first, that ended before the instant or are beyond the newest `keep` of
        their pipeline.

        Never among them: a pipeline's newest success, a run whose dead letter is open, a run of a flow that is kept, and
        one whose files lie on another server.
        """
        ...

    def remove_runs(self, run_ids: Sequence[str]) -> int:
        """Remove the rows of those runs that may still go, with events, artifacts and dead letters; how many."""
        ...

    def remove_flows(self, *, before: datetime | None, keep: int | None, limit: int) -> int:
        """Remove at most `limit` ended flows and backfills that ended before the instant, or are beyond the newest `keep` of
        their name; their runs stay. How many."""
        ...

    def remove_groups(self, unseen_since: datetime) -> int:
        """Remove the groups of failures that no run belongs to any more and that were last seen before; how many."""
        ...

    def remove_syncs(self, before: datetime, *, keep: int) -> int:
        """Remove syncs that ended before the instant and are not among the newest `keep` of their repository; how many."""
        ...


class RunFiles(Protocol):
    """Logs and artifacts on disk."""

    def remove(self, run_id: str) -> None:
        """Remove log and artifacts. Idempotent."""
        ...


class Environments(Protocol):
    """The environments of this machine."""

    def collect_garbage(self, unused_days: float, dry_run: bool, keep: Collection[str], actor: Actor) -> Collected:
        """Remove those unused for so long and not in `keep`, or only tell."""
        ...
