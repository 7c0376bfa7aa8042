"""What failures need of others: their stores, the ends of logs, commits, and the runs below."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from fastflow.kernel.failures.domain.changes import Commit
from fastflow.kernel.failures.domain.fingerprint import Failure
from fastflow.kernel.failures.domain.records import DeadLetter, FailureGroup, GroupFilter, LetterFilter, LetterState
from fastflow.kernel.runs.domain.comparing import RunDiff
from fastflow.kernel.runs.domain.run import Run
from fastflow.kit.identity import Actor


class LetterStore(Protocol):
    """Dead letters; they are made at the end of a run (`infra/keeping.py`)."""

    def find(self, run_id: str) -> DeadLetter | None:
        """The dead letter; None when the run is none."""
        ...

    def load_page(self, wanted: LetterFilter, *, before_id: str | None, limit: int) -> Sequence[DeadLetter]:
        """At most `limit` dead letters, newest first, older than `before_id`."""
        ...

    def settle(
        self, run_id: str, state: LetterState, *, replayed_by: str | None, note: str | None, at: datetime, actor: Actor
    ) -> tuple[DeadLetter | None, bool]:
        """Settle an open dead letter, with an audit entry. Returns it afterwards and whether it was open."""
        ...


class GroupStore(Protocol):
    """Groups of failures."""

    def load_unsorted(self, host: str, *, limit: int) -> Sequence[Run]:
        """At most `limit` failed runs that are in no group, oldest first: those whose log lies with this host, and those
        whose end needs no log."""
        ...

    def sort(self, found: Sequence[tuple[Run, Failure]]) -> None:
        """Put the runs into their groups; one that is in one already stays there."""
        ...

    def load_page(
        self, wanted: GroupFilter, *, before_run_id: str | None, limit: int, now: datetime
    ) -> Sequence[FailureGroup]:
        """At most `limit` groups, by their latest run, latest first, older than `before_run_id`."""
        ...

    def find(self, group: str, wanted: GroupFilter, *, now: datetime) -> FailureGroup | None:
        """The group as far as the filter's pipelines have it; None when they do not."""
        ...

    def load_good_before(self, pipeline_name: str, run_id: str, *, limit: int) -> Sequence[Run]:
        """At most `limit` successful runs of the pipeline that were submitted before the run, latest first."""
        ...

    def count_failures(self, pipeline_name: str, *, after_id: str, until_id: str) -> int:
        """Failed runs of the pipeline after one run, up to another one."""
        ...


class LogTails(Protocol):
    """Logs on this machine."""

    def read(self, run_id: str) -> Sequence[str]:
        """The last lines that the script wrote to its standard error, else of all it wrote; secrets are masked as in the
        log. None are left when the log is gone."""
        ...


class Commits(Protocol):
    """The history of the pipelines' code."""

    def between(self, pipeline_name: str, before: str, after: str) -> Sequence[Commit] | None:
        """The commits that touched the pipeline, latest first; None when that cannot be found out."""
        ...


class Runs(Protocol):
    """The runs below."""

    def get(self, run_id: str, *, actor: Actor) -> Run:
        """See `RunService.get`."""
        ...

    def diff(self, left_id: str, right_id: str, *, actor: Actor) -> RunDiff:
        """See `RunService.diff`."""
        ...

    def rerun(
        self,
        run_id: str,
        *,
        actor: Actor,
        exact: bool = False,
        params: Mapping[str, Any] | None = None,
        trigger: str = "rerun",
        idempotency_key: str | None = None,
        not_before: datetime | None = None,
    ) -> Run:
        """See `RunService.rerun`."""
        ...


HandedBytes = Callable[[Sequence[Run]], Mapping[str, int]]
"""Of these runs those that run after others: run id -> bytes of the artifacts that these left for it."""
