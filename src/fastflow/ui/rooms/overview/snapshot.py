"""What the overview shows, read once for all who may see the same."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fastflow.kernel.failures.domain.records import FailureGroup, GroupFilter
from fastflow.kernel.failures.service import FailureService
from fastflow.kernel.flows.domain.approving import Question
from fastflow.kernel.flows.service import FlowService
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.runs.domain.explain import Explanation
from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.service import RunService
from fastflow.kernel.schedules.domain.schedule import Schedule
from fastflow.kernel.schedules.service import ScheduleService
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor, Role
from fastflow.ui.rooms.overview.machine import Machine, look

SHOWN = 6
MOST = 200
"""Beyond so many the exact number is not counted: it would be a look at every row."""
BELIEVED_SECONDS = 0.4
"""How long a look at the runs serves all pages."""
_SCHEDULES = 500
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Runs, the latest first: those that are shown, and how many there are."""

    shown: Sequence[Run]
    count: int
    is_more: bool


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The product at one moment, as far as somebody may see it.

    Attributes:
        questions: steps of flows that wait for a person, the oldest first.
        are_more_questions: whether there are more than are shown.
        reasons: of queued runs, by id.
        failed: in the last 24 hours, as `is_final_failure` has it.
        groups: of those, the most frequent first: what they have in common, how many, the latest.
        due: schedules that start runs next, soonest first.
        idle: schedules whose pipeline is not there any more, or is broken: they start nothing.
        recent: pipelines that ran lately and can be started, the latest first.
    """

    running: Counted
    queued: Counted
    questions: Sequence[Question]
    are_more_questions: bool
    reasons: Mapping[str, Explanation]
    failed: Counted
    groups: Sequence[tuple[FailureGroup | None, int, Run]]
    due: Sequence[Schedule]
    idle: Sequence[Schedule]
    recent: Sequence[str]
    machine: Machine


class Overview:
    """Takes snapshots; those who may see the same share one.

    Args:
        runs: what runs, waits and failed.
        failures: what failures have in common.
        schedules: what is due.
        pipelines: what there is to be started.
        flows: what waits for a person.
        data_dir: whose disk is looked at.
        clock: tells the time.
    """

    def __init__(
        self,
        runs: RunService,
        failures: FailureService,
        schedules: ScheduleService,
        pipelines: PipelineCatalog,
        flows: FlowService,
        data_dir: Path,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._failures = failures
        self._schedules = schedules
        self._pipelines = pipelines
        self._flows = flows
        self._data_dir = data_dir
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[object, tuple[float, Snapshot]] = {}

    def look(self, actor: Actor) -> Snapshot:
        """What the actor may see, not older than half a second."""
        key = actor.reach(Role.VIEWER)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or time.monotonic() - kept[0] > BELIEVED_SECONDS:
                snapshot = self._take(actor)
                self._kept = {
                    each: value for each, value in self._kept.items() if time.monotonic() - value[0] < BELIEVED_SECONDS
                }
                kept = self._kept[key] = (time.monotonic(), snapshot)
            return kept[1]

    def _take(self, actor: Actor) -> Snapshot:
        queued = self._count(RunFilter(status=RunStatus.PENDING), actor)
        since = self._clock.now() - _DAY
        failures = self._count(RunFilter(status=RunStatus.FAILED, since=since), actor, all_of_them=True)
        failed = [run for run in failures.shown if is_final_failure(run)]
        latest = self._runs.list(actor=actor, limit=50).items
        due = [
            schedule
            for schedule in self._schedules.all(None, actor=actor, at_most=_SCHEDULES)
            if schedule.next_due_at is not None
        ]
        asked = self._flows.questions(actor=actor, limit=SHOWN)
        able = startable((schedule.pipeline_name for schedule in due), self._pipelines.get)
        return Snapshot(
            running=self._count(RunFilter(status=RunStatus.RUNNING), actor),
            queued=queued,
            questions=asked.items,
            are_more_questions=asked.next_cursor is not None,
            reasons={run.id: self._runs.explain(run.id, actor=actor) for run in queued.shown},
            failed=Counted(shown=failed[:SHOWN], count=len(failed), is_more=failures.is_more),
            groups=self._group(failed, actor),
            due=self._schedules.coming(actor=actor, limit=SHOWN, at_most=_SCHEDULES),
            idle=[one for one in due if one.pipeline_name not in able],
            recent=startable((run.pipeline_name for run in latest), self._pipelines.get)[:SHOWN],
            machine=look(self._data_dir),
        )

    def _count(self, wanted: RunFilter, actor: Actor, *, all_of_them: bool = False) -> Counted:
        page = self._runs.list(wanted, actor=actor, limit=MOST)
        shown = page.items if all_of_them else page.items[:SHOWN]
        return Counted(shown=shown, count=len(page.items), is_more=page.next_cursor is not None)

    def _group(self, failed: Sequence[Run], actor: Actor) -> Sequence[tuple[FailureGroup | None, int, Run]]:
        if not failed:
            return []
        since = self._clock.now() - _DAY
        known = {
            group.failure.group: group
            for group in self._failures.list(GroupFilter(since=since), actor=actor, limit=100).items
        }
        counts = Counter(run.failure_group for run in failed)
        last = {run.failure_group: run for run in reversed(failed)}
        return [(known.get(group) if group else None, count, last[group]) for group, count in counts.most_common(SHOWN)]


def is_final_failure(run: Run) -> bool:
    """Whether a failed run counts: one that is tried again is counted by its last attempt, a cancelled one is nobody's failure."""
    return run.reason != "cancelled" and run.retried_by is None


def startable(names: Iterable[str], get: Callable[[str], Pipeline]) -> Sequence[str]:
    """Each name once, in its order, of a pipeline that is there and not broken.

    A run may be of one that was removed since, or that somebody ran out of another folder.
    """
    return [name for name in dict.fromkeys(names) if _can_start(name, get)]


def _can_start(name: str, get: Callable[[str], Pipeline]) -> bool:
    try:
        return all(fault.severity != "error" for fault in get(name).faults)
    except FastFlowError:  # not there: what can be started is all that is asked here
        return False
