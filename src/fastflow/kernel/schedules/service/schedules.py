"""Schedules as people make them, change them and look at them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fastflow.kernel.pipelines.domain.errors import PipelineBroken
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.runs.domain.errors import InvalidParams
from fastflow.kernel.runs.domain.params import validate_params
from fastflow.kernel.schedules.domain.clock_changes import ClockChange, clock_changes, note_on
from fastflow.kernel.schedules.domain.declared import read_declared
from fastflow.kernel.schedules.domain.definition import check
from fastflow.kernel.schedules.domain.due_times import fire_time, next_due_times, timing_problem
from fastflow.kernel.schedules.domain.errors import InvalidSchedule, ScheduleDeclared, ScheduleNotFound
from fastflow.kernel.schedules.domain.schedule import Definition, Occurrence, Pause, Schedule, in_words
from fastflow.kernel.schedules.domain.zones import zone_problem
from fastflow.kernel.schedules.ports import (
    WAKE_MESSAGE,
    Counts,
    Ledger,
    LedgerFilter,
    PauseStore,
    Pipelines,
    ScheduleFilter,
    ScheduleStore,
    WakeUp,
)
from fastflow.kernel.schedules.service.making import make_schedule, remake
from fastflow.kernel.schedules.service.rules import SchedulerRules
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, InvalidInput, named
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import parse_id
from fastflow.kit.name_patterns import expand
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor

_TIMING_FIELDS = frozenset({"trigger", "expression", "timezone", "start_at", "end_at"})
_MOST_COMING = 2000
_TROUBLES = 50
_SLACK_SECONDS = 15.0
_CLOCK_SLACK = timedelta(minutes=1)
_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class ScheduleView:
    """A schedule with what surrounds it.

    Attributes:
        pauses: those in force that hold it back.
        last: the latest row of its ledger.
        problem: what keeps it from starting runs, in words; None: nothing does.
    """

    schedule: Schedule
    pauses: Sequence[Pause]
    last: Occurrence | None
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class DueTime:
    """A due time that lies ahead.

    Attributes:
        fire_at: with its jitter.
        note: what a change of the clocks does to it; None: nothing.
    """

    schedule: Schedule
    due_at: datetime
    fire_at: datetime
    note: str | None


@dataclass(frozen=True, kw_only=True)
class SchedulerStatus:
    """The scheduler as a whole.

    Attributes:
        counts: the next due time in them is of a schedule in the asker's scope that starts a run then.
        pauses: of the system and of pipelines.
        troubled: schedules that cannot start runs now; at most 50.
    """

    counts: Counts
    pauses: Sequence[Pause]
    troubled: Sequence[ScheduleView]


class ScheduleService:
    """Schedules. Every method that changes something is one transaction with its audit entry."""

    def __init__(
        self,
        *,
        store: ScheduleStore,
        ledger: Ledger,
        pauses: PauseStore,
        pipelines: Pipelines,
        wakeup: WakeUp,
        rules: SchedulerRules,
        clock: Clock,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._pauses = pauses
        self._pipelines = pipelines
        self._wakeup = wakeup
        self._rules = rules
        self._clock = clock

    # -- make and change ------------------------------------------------------------------------------------------------

    def create(
        self, definition: Definition, *, actor: Actor, is_enabled: bool = True, reason: str | None = None
    ) -> ScheduleView:
        """A new schedule; paused from the beginning when it is not enabled.

        Raises:
            NotFound: no such pipeline; names near ones.
            PipelineBroken: its settings cannot be read, so nothing can be checked against them.
            InvalidSchedule: names every wrong field, parameters among them.
            ScheduleNameTaken: the pipeline has a schedule of that name.
            Forbidden: role, or outside the actor's scope.
        """
        actor.require_pipeline(definition.pipeline_name, Role.OPERATOR)
        now = self._clock.now()
        checked = self.check(definition, now)
        schedule = make_schedule(checked, "user", actor, now)
        pause = None
        if not is_enabled:
            pause = Pause(scope="schedule", subject=schedule.id, since=now, by=actor.name, reason=reason)
        added = self._store.add(schedule, pause, actor=actor)
        self._wakeup.wake_runner(WAKE_MESSAGE)
        return self._view([added])[0]

    def change(self, schedule_id: str, changes: Mapping[str, Any], *, actor: Actor) -> ScheduleView:
        """Give the schedule a new form; what has come before is decided by the old one.

        Args:
            schedule_id: any schedule that was made by a user.
            changes: field of `Definition` -> its new value.
            actor: needs the role operator and the pipeline in scope.

        Raises:
            ScheduleNotFound: there is none.
            ScheduleDeclared: the code declares it.
            Others: as `create`.
        """
        schedule = self._find(schedule_id, actor, Role.OPERATOR)
        if schedule.origin == "code":
            raise _declared(schedule)
        now = self._clock.now()
        wanted = replace(schedule.definition, **{**changes, "name": changes.get("name") or schedule.name})
        if wanted.pipeline_name != schedule.pipeline_name:
            problem = f"is {schedule.pipeline_name!r} and stays so; make a schedule of the other pipeline"
            raise InvalidSchedule({"pipeline_name": problem})
        is_timing_kept = not any(getattr(wanted, name) != getattr(schedule, name) for name in _TIMING_FIELDS)
        checked = self.check(wanted, now, is_past_allowed=is_timing_kept)
        after = self._store.change(
            schedule.id,
            lambda before: remake(before, checked, actor, now),
            self._rules.decide(now),
            actor=actor,
            at=now,
        )
        if after is None:
            raise ScheduleNotFound(schedule.id)
        self._wakeup.wake_runner(WAKE_MESSAGE)
        return self._view([after])[0]

    def delete(self, schedule_id: str, *, actor: Actor) -> None:
        """Remove the schedule with its ledger; its runs stay.

        Raises:
            ScheduleNotFound: there is none.
            ScheduleDeclared: the code declares it, and would bring it back.
            Forbidden: role, or outside the actor's scope.
        """
        schedule = self._find(schedule_id, actor, Role.OPERATOR)
        if schedule.origin == "code" and self._is_still_declared(schedule):
            raise _declared(schedule)
        if not self._store.delete(schedule.id, actor=actor, at=self._clock.now()):
            raise ScheduleNotFound(schedule.id)
        self._wakeup.wake_runner(WAKE_MESSAGE)

    def check(self, definition: Definition, now: datetime, *, is_past_allowed: bool = False) -> Definition:
        """The definition in the form it is kept in, checked against its pipeline.

        Raises:
            NotFound, PipelineBroken, InvalidSchedule: as `create`.
        """
        with named("pipeline_name"):
            pipeline = self._pipelines.get(definition.pipeline_name)
        if not pipeline.is_healthy:
            raise PipelineBroken(pipeline.name, pipeline.faults)
        problems: dict[str, str] = {}
        try:
            definition = check(definition, now, is_past_allowed=is_past_allowed)
        except InvalidSchedule as error:
            problems.update(error.fields)
        try:
            validate_params(definition.params, pipeline.params_schema)
        except InvalidParams as error:
            problems.update(error.fields)
        if problems:
            raise InvalidSchedule(problems)
        return definition

    # -- look -------------------------------------------------------------------------------------------------------------

    def get(self, schedule_id: str, *, actor: Actor) -> ScheduleView:
        """The schedule.

        Raises:
            InvalidInput: not an id.
            ScheduleNotFound: there is none.
            Forbidden: its pipeline is outside the actor's scope.
        """
        return self._view([self._find(schedule_id, actor)])[0]

    def list(
        self,
        wanted: ScheduleFilter | None = None,
        *,
        actor: Actor,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> Page[ScheduleView]:
        """One page of schedules, oldest first; those outside the actor's scope are left out.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Forbidden: the filter names a pipeline outside the actor's scope.
        """
        after = parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else ""
        found = self._store.load_page(_scoped(wanted, actor), after_id=after, limit=limit + 1)
        items = found[:limit]
        next_cursor = encode_cursor(items[-1].id) if len(found) > limit else None
        return Page(items=self._view(items), next_cursor=next_cursor)

    def next_due_times(self, schedule_id: str, count: int, *, actor: Actor) -> Sequence[DueTime]:
        """The next due times, at most `count`, with what changes of the clocks do to them; raises as `get`."""
        schedule = self._find(schedule_id, actor)
        if schedule.next_due_at is None or timing_problem(schedule) is not None:
            return ()
        since = max(self._clock.now(), schedule.next_due_at - timedelta(microseconds=1))
        due = next_due_times(schedule, since, count)
        changes = list(clock_changes(schedule, since - timedelta(days=1), due[-1] + timedelta(days=1))) if due else []
        return [due_time_of(schedule, each, changes) for each in due]

    def occurrences(
        self,
        schedule_id: str,
        wanted: LedgerFilter | None = None,
        *,
        actor: Actor,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> Page[Occurrence]:
        """One page of the schedule's ledger, latest due time first; raises as `get` and `list`."""
        schedule = self._find(schedule_id, actor)
        before = _instant_in(cursor) if cursor else None
        found = self._ledger.load_page(schedule.id, wanted or LedgerFilter(), before=before, limit=limit + 1)
        items = found[:limit]
        next_cursor = encode_cursor(items[-1].due_at.isoformat()) if len(found) > limit else None
        return Page(items=items, next_cursor=next_cursor)

    def status(self, *, actor: Actor) -> SchedulerStatus:
        """The due-table in numbers, what is paused, and which schedules cannot start runs."""
        pauses = [pause for pause in self._pauses.load_open() if pause.scope != "schedule"]
        coming = self.coming(actor=actor, limit=1, at_most=_MOST_COMING)
        return SchedulerStatus(
            counts=replace(self._store.count(), next_fire_at=coming[0].next_fire_at if coming else None),
            pauses=[pause for pause in pauses if pause.scope == "system" or actor.may_touch(pause.subject)],
            troubled=self._troubled(actor),
        )

    def coming(self, *, actor: Actor, limit: int, at_most: int) -> Sequence[Schedule]:
        """Those that start runs next, soonest first: neither paused nor of a pipeline that is gone or broken.

        Args:
            actor: whose scope counts.
            limit: how many are wanted.
            at_most: how many are looked at.
        """
        pauses = self._pauses.load_open()
        due = [
            (schedule.next_due_at, schedule)
            for schedule in self.all(None, actor=actor, at_most=at_most)
            if schedule.next_due_at is not None and not any(pause.concerns(schedule) for pause in pauses)
        ]
        found: list[Schedule] = []
        problems: dict[str, str | None] = {}
        for _, schedule in sorted(due, key=lambda each: (each[0], each[1].id)):
            name = schedule.pipeline_name
            if name not in problems:
                problems[name] = self._pipeline_problem(name)
            if problems[name] is None:
                found.append(schedule)
            if len(found) == limit:
                break
        return found

    def health(self) -> Mapping[str, Any]:
        """Whether due times are being handled, for `/health`."""
        counts = self._store.count()
        late = 0.0
        if counts.next_fire_at is not None:
            late = (self._clock.now() - counts.next_fire_at).total_seconds()
        is_kept = late <= self._rules.grace.total_seconds() + _SLACK_SECONDS
        told: dict[str, Any] = {
            "ok": is_kept,
            "schedules": counts.schedules,
            "next_fire_at": None if counts.next_fire_at is None else counts.next_fire_at.isoformat(),
            "paused": any(pause.scope == "system" for pause in self._pauses.load_open()),
        }
        if not is_kept:
            told["problem"] = f"No scheduler has handled a due time that came {in_words(late)} ago."
            told["hint"] = "Due times are handled by the runner process of `fastflow serve`: see whether it is up."
        return told

    def all(self, wanted: ScheduleFilter | None, *, actor: Actor, at_most: int) -> Iterator[Schedule]:
        """Every schedule that fits, in the order of their ids; raises as `list`."""
        after, given = "", 0
        scoped = _scoped(wanted, actor)
        while page := self._store.load_page(scoped, after_id=after, limit=min(_PAGE, at_most - given)):
            yield from page
            after, given = page[-1].id, given + len(page)
            if given >= at_most:
                return

    # -- inside -----------------------------------------------------------------------------------------------------------

    def _find(self, schedule_id: str, actor: Actor, role: Role = Role.VIEWER) -> Schedule:
        actor.require_somewhere(role)
        schedule_id = parse_id(schedule_id, "schedule_id")
        schedule = self._store.find(schedule_id)
        if schedule is None:
            raise ScheduleNotFound(schedule_id)
        actor.require_pipeline(schedule.pipeline_name, role)
        return schedule

    def _view(self, schedules: Sequence[Schedule]) -> Sequence[ScheduleView]:
        pauses = self._pauses.load_open() if schedules else ()
        last = self._ledger.load_last(schedules)
        problems = self._problems({schedule.pipeline_name for schedule in schedules})
        now = self._clock.now()
        return [
            ScheduleView(
                schedule=schedule,
                pauses=[pause for pause in pauses if pause.concerns(schedule)],
                last=last.get(schedule.id),
                problem=problems[schedule.pipeline_name] or _own_problem(schedule, now),
            )
            for schedule in schedules
        ]

    def _problems(self, names: set[str]) -> Mapping[str, str | None]:
        return {name: self._pipeline_problem(name) for name in names}

    def _pipeline_problem(self, name: str) -> str | None:
        """What keeps the pipeline from running."""
        try:
            pipeline = self._pipelines.get(name)
        except FastFlowError as error:
            return error.message
        return None if pipeline.is_healthy else PipelineBroken(name, pipeline.faults).message

    def _troubled(self, actor: Actor) -> Sequence[ScheduleView]:
        """Looks at every pipeline and zone once, whatever the number of their schedules."""
        pipelines, zones = self._store.load_names()
        reach = actor.reach()
        within = None if reach is None else expand(reach, pipelines)
        found = self._store.load_troubled(
            pipelines=[name for name in pipelines if self._pipeline_problem(name)],
            timezones=[name for name in zones if zone_problem(name)],
            decided_after=self._clock.now() + _CLOCK_SLACK,
            within=within,
            limit=_TROUBLES,
        )
        return self._view(found)

    def _is_still_declared(self, schedule: Schedule) -> bool:
        try:
            pipeline: Pipeline = self._pipelines.get(schedule.pipeline_name)
        except FastFlowError:
            return False
        if not pipeline.is_healthy:
            return True
        entries = read_declared(pipeline.name, pipeline.schedules, pipeline.params_schema)
        return any(entry.definition is not None and entry.definition.name == schedule.name for entry in entries)


def due_time_of(schedule: Schedule, due: datetime, changes: Sequence[ClockChange]) -> DueTime:
    """A due time with what is to be told of it."""
    return DueTime(
        schedule=schedule,
        due_at=due,
        fire_at=fire_time(schedule.id, due, schedule.jitter),
        note=note_on(due, changes),
    )


def _scoped(wanted: ScheduleFilter | None, actor: Actor) -> ScheduleFilter:
    wanted = wanted or ScheduleFilter()
    if wanted.pipeline_name is not None:
        actor.require_pipeline(wanted.pipeline_name)
        return wanted
    return replace(wanted, pipelines=actor.reach())


def _own_problem(schedule: Schedule, now: datetime) -> str | None:
    """Whether its due times cannot be worked out, or the clock was ahead when they were decided."""
    problem = timing_problem(schedule)
    if problem is not None or schedule.last_due_at is None or schedule.last_due_at <= now + _CLOCK_SLACK:
        return problem
    return (
        f"The clock has gone back: due times up to {schedule.last_due_at:%Y-%m-%d %H:%M:%S} UTC have been decided "
        "already, and nothing is started before."
    )


def _declared(schedule: Schedule) -> ScheduleDeclared:
    return ScheduleDeclared(
        f"The schedule {schedule.label} is declared in the settings of pipeline {schedule.pipeline_name}."
    )


def _instant_in(cursor: str) -> datetime:
    text = str(decode_cursor(cursor, (str,))[0])
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise _bad_cursor() from error
    if instant.tzinfo is None:
        raise _bad_cursor()
    return instant


def _bad_cursor() -> InvalidInput:
    return InvalidInput("The cursor is not one of this list.", code="invalid_cursor", fields={"cursor": "wrong"})
