"""What can be seen of runs: one, a page of them, what they told and left, why they are where they are, how two differ."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from fastflow.kernel.runs.domain.comparing import RunDiff
from fastflow.kernel.runs.domain.errors import RunNotFound
from fastflow.kernel.runs.domain.explain import Explanation, explain
from fastflow.kernel.runs.domain.run import Artifact, Run, RunEvent, RunFilter, Runner, Tally
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.ports import Comparison, ReadStore, SecretVersions, SubmitStore
from fastflow.kernel.runs.service.comparing import compare_runs
from fastflow.kernel.runs.service.policy import RunPolicy
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, bad_cursor, decode_cursor, encode_cursor

MOST_EVENTS = 10_000
"""A run tells at most so many metrics and outputs; it is sampled so often in 14 hours."""


class LookingAtRuns:
    """The part of `RunService` that changes nothing."""

    def __init__(
        self,
        *,
        reads: ReadStore,
        submits: SubmitStore,
        comparison: Comparison,
        secrets: SecretVersions,
        clock: Clock,
        policy: RunPolicy,
    ) -> None:
        self._secrets = secrets
        self._reads = reads
        self._submits = submits
        self._comparison = comparison
        self._clock = clock
        self._policy = policy

    def get(self, run_id: str, *, actor: Actor) -> Run:
        """The run.

        Raises:
            InvalidInput: not an id.
            RunNotFound: there is none.
            Forbidden: its pipeline is outside the actor's scope.
        """
        run_id = parse_id(run_id, "run_id")
        run = self._reads.find(run_id)
        if run is None:
            raise RunNotFound(run_id)
        actor.require_pipeline(run.pipeline_name)
        return run

    def find_by_key(self, pipeline_name: str, idempotency_key: str) -> Run | None:
        """The run that was submitted with the key; for the product's own parts, no scope is asked."""
        return self._submits.find_by_idempotency_key(pipeline_name, idempotency_key)

    def list(
        self,
        wanted: RunFilter | None = None,
        *,
        actor: Actor,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
        oldest_first: bool = False,
        role: Role = Role.VIEWER,
    ) -> Page[Run]:
        """One page of runs, newest first or oldest first; those on which the actor has not the role are left out.

        These two orders are the ones that every index on runs gives, so that any page of any list is a look into an index.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Forbidden: the filter names a pipeline outside the actor's scope.
        """
        wanted = wanted or RunFilter()
        if wanted.pipeline_name is not None:
            actor.require_pipeline(wanted.pipeline_name, role)
        else:
            wanted = replace(wanted, pipelines=actor.reach(role))
        beyond = parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else None
        found = self._reads.load_page(wanted, beyond_id=beyond, limit=limit + 1, oldest_first=oldest_first)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > limit else None)

    def list_events(
        self, run_id: str, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[RunEvent]:
        """One page of what the run told and went through, oldest first; raises as `get` and `list`."""
        run = self.get(run_id, actor=actor)
        after = cast("int", decode_cursor(cursor, (int,))[0]) if cursor else 0
        if not 0 <= after < 2**63:
            raise bad_cursor()
        found = self._reads.load_events(run.id, after_id=after, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > limit else None)

    def tally(self, edges: Sequence[datetime], *, actor: Actor) -> Sequence[Tally]:
        """How the runs went that the actor may see, counted between each two of these instants, such as hours.

        Counted along an index, without a look at any row: a million runs take a fraction of a second.
        """
        return self._reads.tally(edges, actor.reach())

    def latest_events(
        self, run_id: str, kinds: Collection[str], *, actor: Actor, after_id: int = 0
    ) -> Sequence[RunEvent]:
        """What the run told of these kinds after the event `after_id`, oldest first, at most the latest `MOST_EVENTS`;
        raises as `get`."""
        run = self.get(run_id, actor=actor)
        return self._reads.load_latest_events(run.id, kinds=kinds, after_id=after_id, limit=MOST_EVENTS)

    def list_artifacts(self, run_id: str, *, actor: Actor) -> Sequence[Artifact]:
        """What the run left; raises as `get`."""
        return self._reads.load_artifacts(self.get(run_id, actor=actor).id)

    def explain(self, run_id: str, *, actor: Actor) -> Explanation:
        """The one current reason why the run is where it is; raises as `get`."""
        run = self.get(run_id, actor=actor)
        view, runners = None, tuple[Runner, ...]()
        if run.status is RunStatus.PENDING:
            view = self._reads.view_queue(run, self._policy.max_concurrent_runs)
        elif run.status is RunStatus.RUNNING:
            runners = tuple(self._reads.load_runners())
        return explain(run, view, self._clock.now(), runners)

    def diff(self, left_id: str, right_id: str, *, actor: Actor) -> RunDiff:
        """What two runs differ in: fields, files of the code, packages of the environment; raises as `get`."""
        left, right = self.get(left_id, actor=actor), self.get(right_id, actor=actor)
        return compare_runs(left, right, self._comparison, self._secrets)

    def runners(self) -> Sequence[Runner]:
        """Every runner process that ever reported, for health and doctor."""
        return self._reads.load_runners()

    def count_active(self) -> tuple[int, int]:
        """How many runs wait and how many run, for health and metrics."""
        return self._reads.count_active()
