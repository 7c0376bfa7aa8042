"""Submits the run of a due time, and says in words what became of it."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from fastflow.kernel.pipelines.domain.errors import PipelineChanging
from fastflow.kernel.runs.domain.errors import IdempotencyMismatch, QueueFull, RunSkipped
from fastflow.kernel.runs.domain.scheduled import Scheduled
from fastflow.kernel.schedules.domain.schedule import Occurrence, Outcome, Schedule
from fastflow.kernel.schedules.ports import Claimed, Runs, Settled
from fastflow.kernel.schedules.service.rules import SchedulerRules
from fastflow.kit.errors import Bug, FastFlowError, Unavailable
from fastflow.kit.identity import Actor, Role

logger = logging.getLogger(__name__)

RETRY = timedelta(seconds=5)


class Starter:
    """Starts claimed due times. Starting one twice, also from two processes at once, gives one run.

    Args:
        runs: where they are submitted.
        rules: how late is too late.
    """

    def __init__(self, runs: Runs, rules: SchedulerRules) -> None:
        self._runs = runs
        self._rules = rules

    def start(self, claimed: Claimed, now: datetime) -> Settled:
        """Submit the run. What keeps it from being submitted becomes the outcome; what may pass is tried again, for as
        long as a missed due time of the schedule may be made up for."""
        schedule, occurrence = claimed.schedule, claimed.occurrence
        try:
            run_id = self._submit(schedule, occurrence)
        except (RunSkipped, QueueFull) as error:
            return _settled(occurrence, Outcome.SKIPPED, error.message)
        except (Unavailable, PipelineChanging) as error:
            if self._may_wait(claimed, now):
                put_off = replace(occurrence, why=f"{error.message} It is tried again.")
                return Settled(occurrence=put_off, retry_at=now + RETRY)
            return _settled(occurrence, Outcome.MISSED, f"It could not be started in time: {error.message}")
        except Bug:
            logger.exception("schedule.not_started", extra={"fields": {"schedule": schedule.id}})
            return _settled(occurrence, Outcome.MISSED, "It could not be started because of a fault of ours.")
        except FastFlowError as error:
            return _settled(occurrence, Outcome.MISSED, f"It could not be started: {error.message}")
        except Exception:
            logger.exception("schedule.not_started", extra={"fields": {"schedule": schedule.id}})
            return _settled(occurrence, Outcome.MISSED, "It could not be started because of a fault of ours.")
        return Settled(occurrence=replace(occurrence, outcome=Outcome.STARTED, run_id=run_id))

    def _submit(self, schedule: Schedule, occurrence: Occurrence) -> str:
        try:
            run = self._runs.submit(
                schedule.pipeline_name,
                schedule.params,
                actor=_actor(schedule),
                trigger="schedule",
                priority=schedule.priority,
                idempotency_key=occurrence.idempotency_key,
                schedule=Scheduled(
                    schedule_id=schedule.id,
                    name=schedule.name,
                    due_at=occurrence.due_at,
                    timezone=schedule.timezone,
                    overlap=schedule.overlap,
                ),
            )
        except IdempotencyMismatch as error:  # submitted before a crash, and the schedule was changed since
            return str(error.extra["run_id"])
        return run.id

    def _may_wait(self, claimed: Claimed, now: datetime) -> bool:
        if claimed.schedule.missed == "none":
            return now - claimed.occurrence.due_at <= self._rules.grace
        window = claimed.schedule.catch_up_window
        return window is None or (now - claimed.occurrence.due_at).total_seconds() <= window


def _actor(schedule: Schedule) -> Actor:
    return Actor(
        name=f"schedule:{schedule.label}"[:200], role=Role.OPERATOR, pipelines=frozenset({schedule.pipeline_name})
    )


def _settled(occurrence: Occurrence, outcome: Outcome, why: str) -> Settled:
    return Settled(occurrence=replace(occurrence, outcome=outcome, why=why))
