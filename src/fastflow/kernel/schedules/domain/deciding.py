"""What becomes of the due times that have come: a pure function of the schedule, the pauses and the present instant.

Each due time is decided once and for ever, in order. One that is noticed in time is started. One that is noticed late was
missed: `all` starts it all the same, `last` starts the latest alone, `none` starts nothing; older than the catch-up window
nothing is made up for. While anything that concerns the schedule is paused, or was when it was due, nothing is started.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from fastflow.kernel.schedules.domain.due_times import due_times, fire_time
from fastflow.kernel.schedules.domain.schedule import Occurrence, Outcome, Pause, Schedule, in_words

_NOTEWORTHY = 5.0
"""Seconds: a start that is late by less is called on time."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The rows that the ledger gets, and where the schedule stands afterwards.

    Attributes:
        occurrences: in order of their due times.
        next_due_at: the first due time that was not decided; None when there is none.
        next_fire_at: when it is to be started.
        has_more: that one has come as well; it was left for another time.
    """

    occurrences: Sequence[Occurrence]
    next_due_at: datetime | None
    next_fire_at: datetime | None
    has_more: bool


def decide(
    schedule: Schedule, pauses: Sequence[Pause], now: datetime, *, grace: timedelta, limit: int = 1000
) -> Decision:
    """Decide the due times up to `now`, at most `limit` of them.

    Args:
        schedule: as it stands.
        pauses: all that may concern it: those in force, and those lifted since its next due time.
        now: aware.
        grace: how late a start may be without counting as missed.
        limit: so many at a time.
    """
    relevant = [pause for pause in pauses if pause.concerns(schedule)]
    came, following = _come(schedule, now, limit)
    has_more = following is not None and _has_come(schedule, following, now)
    last = _last_to_start(schedule, relevant, now, came, following if has_more else None)
    judge = _Judge(schedule=schedule, pauses=relevant, now=now, grace=grace, last=last)
    return Decision(
        occurrences=[judge.judge(due) for due in came],
        next_due_at=following,
        next_fire_at=None if following is None else fire_time(schedule.id, following, schedule.jitter),
        has_more=has_more,
    )


def _come(schedule: Schedule, now: datetime, limit: int) -> tuple[list[datetime], datetime | None]:
    """The undecided due times whose start has come, at most `limit`, and the one after them."""
    came: list[datetime] = []
    first = schedule.next_due_at
    if first is None:
        return came, None
    for due in chain((first,), due_times(schedule, first)):
        if len(came) == limit or not _has_come(schedule, due, now):
            return came, due
        came.append(due)
    return came, None


def _has_come(schedule: Schedule, due: datetime, now: datetime) -> bool:
    return due <= now and fire_time(schedule.id, due, schedule.jitter) <= now


def _last_to_start(
    schedule: Schedule,
    pauses: Sequence[Pause],
    now: datetime,
    came: Sequence[datetime],
    due: datetime | None,
) -> datetime | None:
    """The latest due time that has come and that no pause holds back; the earlier missed ones are coalesced into it.

    Beyond the limit (`due` and later) one that is free of pauses is enough to know: it need not be the latest.
    """
    while due is not None and _has_come(schedule, due, now):
        pause = next((pause for pause in pauses if pause.covers(due)), None)
        if pause is None:
            return due
        until = pause.until
        due = None if until is None else next(due_times(schedule, until - timedelta(microseconds=1)), None)
    return next((due for due in reversed(came) if not any(pause.covers(due) for pause in pauses)), None)


def _put_off(due: datetime, fire: datetime) -> str:
    return f"Put off by {(fire - due).total_seconds():.1f} s of jitter"


@dataclass(frozen=True, kw_only=True)
class _Judge:
    schedule: Schedule
    pauses: Sequence[Pause]
    now: datetime
    grace: timedelta
    last: datetime | None

    def judge(self, due: datetime) -> Occurrence:
        fire = fire_time(self.schedule.id, due, self.schedule.jitter)
        outcome, why = self._outcome(due, fire)
        return Occurrence(
            schedule_id=self.schedule.id, due_at=due, fire_at=fire, outcome=outcome, why=why, recorded_at=self.now
        )

    def _outcome(self, due: datetime, fire: datetime) -> tuple[Outcome, str]:
        pause = next((pause for pause in self.pauses if pause.covers(due)), None)
        if pause is not None:
            return Outcome.PAUSED, f"Due while {pause.describe()}."
        present = next((pause for pause in self.pauses if pause.covers(self.now)), None)
        if present is not None:
            if fire > due and present.covers(fire):
                return Outcome.PAUSED, f"{_put_off(due, fire)}, and by then {present.describe()}."
            return Outcome.PAUSED, f"{self._noticed(due)}, and {present.describe()}."
        # jitter lets a later due time come before an earlier one, which it then waits for: that is not late
        if self.now - due <= self.grace + timedelta(seconds=self.schedule.jitter):
            return Outcome.STARTING, self._in_time(due, fire)
        return self._missed(due)

    def _in_time(self, due: datetime, fire: datetime) -> str:
        late = (self.now - fire).total_seconds()
        if late >= _NOTEWORTHY:
            told = f"Started {in_words(late)} late, which counts as in time"
            return f"{told}; {_put_off(due, fire).lower()}." if fire > due else f"{told}."
        return "On time." if fire == due else f"On time, {_put_off(due, fire).lower()}."

    def _missed(self, due: datetime) -> tuple[Outcome, str]:
        schedule, late = self.schedule, self._noticed(due)
        if schedule.missed == "none":
            return Outcome.MISSED, f"{late}, and missed runs are not made up for (missed: none)."
        window = schedule.catch_up_window
        if window is not None and (self.now - due).total_seconds() > window:
            return Outcome.MISSED, f"{late}, which is beyond the catch-up window of {in_words(window)}."
        if schedule.missed == "last" and due != self.last:
            return Outcome.COALESCED, f"{late}; a later due time stands for it (missed: last)."
        return Outcome.STARTING, f"{late}; made up for (missed: {schedule.missed})."

    def _noticed(self, due: datetime) -> str:
        return f"Noticed {in_words((self.now - due).total_seconds())} late"
