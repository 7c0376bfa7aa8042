"""Pausing and resuming: one schedule, all of a pipeline, or the whole system."""

from collections.abc import Sequence

from fastflow.kernel.schedules.domain.errors import ScheduleNotFound
from fastflow.kernel.schedules.domain.schedule import SYSTEM_SUBJECT, Pause, Schedule, Scope
from fastflow.kernel.schedules.ports import WAKE_MESSAGE, PauseStore, Pipelines, ScheduleFilter, ScheduleStore, WakeUp
from fastflow.kit.clock import Clock
from fastflow.kit.errors import NotFound
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import parse_id


class PauseService:
    """Pauses. Doing it twice changes nothing; due times go on getting their rows, which say that they were paused."""

    def __init__(
        self, pauses: PauseStore, schedules: ScheduleStore, pipelines: Pipelines, wakeup: WakeUp, clock: Clock
    ) -> None:
        self._pauses = pauses
        self._schedules = schedules
        self._pipelines = pipelines
        self._wakeup = wakeup
        self._clock = clock

    def in_force(self) -> Sequence[Pause]:
        """Every pause that lasts, oldest first."""
        return self._pauses.load_open()

    def pause_schedule(self, schedule_id: str, *, actor: Actor, reason: str | None = None) -> Pause:
        """Let one schedule start nothing.

        Raises:
            InvalidInput: not an id.
            ScheduleNotFound: there is none.
            Forbidden: role, or its pipeline is outside the actor's scope.
        """
        return self._pause("schedule", self._find(schedule_id, actor).id, actor, reason)

    def resume_schedule(self, schedule_id: str, *, actor: Actor) -> bool:
        """Let it start again; whether it was paused. What was due meanwhile is not made up for; raises as above."""
        return self._resume("schedule", self._find(schedule_id, actor).id, actor)

    def pause_pipeline(self, pipeline_name: str, *, actor: Actor, reason: str | None = None) -> Pause:
        """Let no schedule of the pipeline start anything.

        Raises:
            NotFound: no such pipeline, nor a schedule of it.
            Forbidden: role, or outside the actor's scope.
        """
        self._require_pipeline(pipeline_name, actor)
        return self._pause("pipeline", pipeline_name, actor, reason)

    def resume_pipeline(self, pipeline_name: str, *, actor: Actor) -> bool:
        """Let them start again; whether the pipeline was paused; raises as above."""
        self._require_pipeline(pipeline_name, actor)
        return self._resume("pipeline", pipeline_name, actor)

    def pause_system(self, *, actor: Actor, reason: str | None = None) -> Pause:
        """Let no schedule start anything; needs the role admin.

        Raises:
            Forbidden: role.
        """
        actor.require(Role.ADMIN)
        return self._pause("system", SYSTEM_SUBJECT, actor, reason)

    def resume_system(self, *, actor: Actor) -> bool:
        """Let schedules start again; whether the system was paused; raises as above."""
        actor.require(Role.ADMIN)
        return self._resume("system", SYSTEM_SUBJECT, actor)

    def _pause(self, scope: Scope, subject: str, actor: Actor, reason: str | None) -> Pause:
        pause = Pause(scope=scope, subject=subject, since=self._clock.now(), by=actor.name, reason=reason or None)
        return self._pauses.begin(pause, actor=actor)

    def _resume(self, scope: Scope, subject: str, actor: Actor) -> bool:
        lifted = self._pauses.lift(scope, subject, at=self._clock.now(), actor=actor)
        self._wakeup.wake_runner(WAKE_MESSAGE)
        return lifted

    def _find(self, schedule_id: str, actor: Actor) -> Schedule:
        actor.require_somewhere(Role.OPERATOR)
        schedule_id = parse_id(schedule_id, "schedule_id")
        schedule = self._schedules.find(schedule_id)
        if schedule is None:
            raise ScheduleNotFound(schedule_id)
        actor.require_pipeline(schedule.pipeline_name, Role.OPERATOR)
        return schedule

    def _require_pipeline(self, pipeline_name: str, actor: Actor) -> None:
        """A pipeline that is gone can be resumed, and paused, as long as it has schedules."""
        actor.require_pipeline(pipeline_name, Role.OPERATOR)
        try:
            self._pipelines.get(pipeline_name)
        except NotFound:
            if not self._schedules.load_page(ScheduleFilter(pipeline_name=pipeline_name), after_id="", limit=1):
                raise
