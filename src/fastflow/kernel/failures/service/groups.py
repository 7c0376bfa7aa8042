"""Failures in groups, and why a run failed."""

from collections.abc import Sequence
from dataclasses import replace

from fastflow.kernel.failures.domain.changes import Commit, Why, changes_of, measures_of, summarise
from fastflow.kernel.failures.domain.errors import GroupNotFound, RunDidNotFail
from fastflow.kernel.failures.domain.records import FailureGroup, GroupFilter
from fastflow.kernel.failures.ports import Commits, GroupStore, HandedBytes, Runs
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor
from fastflow.kit.ids import parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor

HISTORY = 50
"""Good runs that a run is measured against."""


class FailureService:
    """Failures as their users see them.

    Args:
        store: groups and histories.
        runs: the runs below.
        commits: the code's history.
        handed: how much the runs before it handed on to a run.
        clock: what trends are counted back from.
    """

    def __init__(self, *, store: GroupStore, runs: Runs, commits: Commits, handed: HandedBytes, clock: Clock) -> None:
        self._handed = handed
        self._store = store
        self._runs = runs
        self._commits = commits
        self._clock = clock

    def list(
        self, wanted: GroupFilter, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[FailureGroup]:
        """One page of groups, by their latest run; counted over the pipelines in the actor's scope.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Forbidden: the filter names a pipeline outside the actor's scope.
        """
        before = parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else None
        found = self._store.load_page(
            _scoped(wanted, actor), before_run_id=before, limit=limit + 1, now=self._clock.now()
        )
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].last_run_id) if len(found) > limit else None)

    def get(self, group: str, *, actor: Actor) -> FailureGroup:
        """The group, as far as it is in the actor's scope.

        Raises:
            GroupNotFound: there is none.
        """
        found = self._store.find(group, _scoped(GroupFilter(), actor), now=self._clock.now())
        if found is None:
            raise GroupNotFound(f"There is no group of failures {group[:40]!r}.")
        return found

    def why(self, run_id: str, *, actor: Actor) -> Why:
        """What changed since the last good run of the pipeline, and how the run compares with its history.

        Raises:
            RunDidNotFail: it has not failed.
            InvalidInput, RunNotFound, Forbidden: as `RunService.get`.
        """
        run = self._runs.get(run_id, actor=actor)
        if run.status is not RunStatus.FAILED:
            raise RunDidNotFail(f"Run {run.id} has not failed: it is {run.status}.")
        history = self._store.load_good_before(run.pipeline_name, run.id, limit=HISTORY)
        last_good = history[0] if history else None
        diff = self._runs.diff(last_good.id, run.id, actor=actor) if last_good else None
        changes = changes_of(diff) if diff else []
        commits = self._commits_between(last_good, run)
        measures = measures_of(run, history, self._handed([run, *history]))
        group = None
        if run.failure_group is not None:
            group = self._store.find(run.failure_group, _scoped(GroupFilter(), actor), now=self._clock.now())
        return Why(
            run=run,
            text=summarise(last_good, changes, measures, diff, commits),
            last_good=last_good,
            failed_since=self._store.count_failures(
                run.pipeline_name, after_id=last_good.id if last_good else "", until_id=run.id
            ),
            failure=group.failure if group else None,
            group_runs=group.runs if group else 0,
            group_first_seen_at=group.first_seen_at if group else None,
            changes=changes,
            commits=commits,
            diff=diff,
            measures=measures,
        )

    def _commits_between(self, last_good: Run | None, run: Run) -> Sequence[Commit] | None:
        if last_good is None or last_good.commit is None or run.commit is None:
            return None
        if last_good.commit == run.commit:
            return ()
        return self._commits.between(run.pipeline_name, last_good.commit, run.commit)


def _scoped(wanted: GroupFilter, actor: Actor) -> GroupFilter:
    if wanted.pipeline_name is not None:
        actor.require_pipeline(wanted.pipeline_name)
        return wanted
    return replace(wanted, pipelines=actor.reach())
