"""What would be due between two instants: the schedules there are, or one that is not made yet."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, repeat

from fastflow.kernel.schedules.domain.clock_changes import ClockChange, clock_changes
from fastflow.kernel.schedules.domain.definition import check
from fastflow.kernel.schedules.domain.due_times import due_times, timing_problem
from fastflow.kernel.schedules.domain.errors import InvalidSchedule
from fastflow.kernel.schedules.domain.schedule import Definition, Pause, Schedule
from fastflow.kernel.schedules.ports import PauseStore, ScheduleFilter
from fastflow.kernel.schedules.service.making import make_schedule
from fastflow.kernel.schedules.service.schedules import DueTime, ScheduleService, due_time_of
from fastflow.kit.identity import Actor

LONGEST = timedelta(days=3660)
MAX_ITEMS = 10_000
_MOST_SCHEDULES = 10_000
_MOST_CHANGES = 500
_DAY = timedelta(days=1)
_JUST_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class SimulationRequest:
    """What to simulate.

    Attributes:
        since: the first instant.
        until: the end, without itself.
        schedule_ids: only these; None: all that fit.
        pipeline_name: only those of this pipeline.
        definition: a schedule that is not made yet, instead of those there are.
        limit: at most so many due times.
    """

    since: datetime
    until: datetime
    schedule_ids: Sequence[str] | None = None
    pipeline_name: str | None = None
    definition: Definition | None = None
    limit: int = 1000


@dataclass(frozen=True, kw_only=True)
class SimulatedDueTime:
    """A due time, and what would hold it back.

    Attributes:
        paused: why nothing would be started, as long as what is paused now stays so; None: it would start.
    """

    due: DueTime
    paused: str | None


@dataclass(frozen=True, kw_only=True)
class FeltChange:
    """A change of the clocks and the schedules that feel it."""

    change: ClockChange
    schedules: Sequence[Schedule]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What would be due.

    Attributes:
        items: in order.
        changes: changes of the clocks that concern the schedules, within the time that `items` cover.
        is_cut: there are more due times than the limit lets through.
        schedules: how many were looked at.
    """

    items: Sequence[SimulatedDueTime]
    changes: Sequence[FeltChange]
    is_cut: bool
    schedules: int


class SimulationService:
    """Looks ahead, or back; changes nothing."""

    def __init__(self, schedules: ScheduleService, pauses: PauseStore) -> None:
        self._schedules = schedules
        self._pauses = pauses

    def simulate(self, request: SimulationRequest, *, actor: Actor) -> Simulation:
        """What would be due from `since` to `until`, of the schedules the actor may see.

        Raises:
            InvalidSchedule: the times are the wrong way round or too far apart, or the definition is wrong.
            ScheduleNotFound, NotFound, Forbidden: of what is named.
        """
        _check_times(request)
        schedules = [schedule for schedule in self._chosen(request, actor) if timing_problem(schedule) is None]
        pauses = self._pauses.load_open()
        due = list(
            islice(heapq.merge(*map(_stream, range(len(schedules)), schedules, repeat(request))), request.limit + 1)
        )
        is_cut = len(due) > request.limit
        felt = _felt(schedules, request.since, due[-1][0] if is_cut else request.until)
        of_schedule: dict[str, list[ClockChange]] = {}
        for one in felt:
            for schedule in one.schedules:
                of_schedule.setdefault(schedule.id, []).append(one.change)
        return Simulation(
            items=[_item(schedules[place], each, of_schedule, pauses) for each, place in due[: request.limit]],
            changes=felt,
            is_cut=is_cut,
            schedules=len(schedules),
        )

    def _chosen(self, request: SimulationRequest, actor: Actor) -> Sequence[Schedule]:
        if request.definition is not None:
            definition = request.definition
            if definition.pipeline_name:
                actor.require_pipeline(definition.pipeline_name)
                checked = self._schedules.check(definition, request.since, is_past_allowed=True)
            else:
                checked = check(definition, request.since, is_past_allowed=True)
            return [make_schedule(checked, "user", actor, request.since)]
        if request.schedule_ids is not None:
            return [self._schedules.get(each, actor=actor).schedule for each in dict.fromkeys(request.schedule_ids)]
        wanted = ScheduleFilter(pipeline_name=request.pipeline_name)
        return list(self._schedules.all(wanted, actor=actor, at_most=_MOST_SCHEDULES))


def _check_times(request: SimulationRequest) -> None:
    if request.until <= request.since:
        raise InvalidSchedule(
            {"until": f"{request.until.isoformat()} is not after the beginning, {request.since.isoformat()}"}
        )
    if request.until - request.since > LONGEST:
        raise InvalidSchedule({"until": f"is more than {LONGEST.days} days after the beginning"})


def _stream(place: int, schedule: Schedule, request: SimulationRequest) -> Iterator[tuple[datetime, int]]:
    """Nothing before the schedule was made; one that is not made yet is made at the beginning."""
    for due in due_times(schedule, max(request.since - _JUST_BEFORE, schedule.created_at)):
        if due >= request.until:
            return
        yield due, place


def _felt(schedules: Sequence[Schedule], since: datetime, until: datetime) -> Sequence[FeltChange]:
    """The changes of the clocks in order, each with the schedules that feel it in the same way."""
    alike: dict[tuple[object, ...], list[Schedule]] = {}
    for schedule in schedules:
        key = (schedule.trigger, schedule.expression, schedule.timezone, schedule.start_at, schedule.end_at)
        alike.setdefault(key, []).append(schedule)
    found: dict[tuple[datetime, str], FeltChange] = {}
    for group in alike.values():
        for change in islice(clock_changes(group[0], since, until), _MOST_CHANGES):
            before = found.get((change.at, change.text))
            found[change.at, change.text] = FeltChange(
                change=change, schedules=[*(before.schedules if before else ()), *group]
            )
    return [found[key] for key in sorted(found)][:_MOST_CHANGES]


def _item(
    schedule: Schedule, due: datetime, felt: Mapping[str, Sequence[ClockChange]], pauses: Sequence[Pause]
) -> SimulatedDueTime:
    near = [change for change in felt.get(schedule.id, ()) if abs(change.at - due) <= _DAY]
    pause = next((pause for pause in pauses if pause.concerns(schedule)), None)
    return SimulatedDueTime(due=due_time_of(schedule, due, near), paused=pause.describe() if pause else None)
