"""When a schedule is due, in words; how it stands, and what became of its due times."""

from datetime import datetime

from fastflow.kernel.schedules.domain.schedule import Outcome, Timing
from fastflow.kernel.schedules.service.schedules import ScheduleView
from fastflow.kit.durations import parse_duration
from fastflow.ui.markup import Html, span
from fastflow.ui.parts import pill, seconds, when
from fastflow.ui.rooms.schedules.cron import Kind, Shape, shape_of
from fastflow.ui.texts import Data, Phrase, Texts

_KINDS = {
    Outcome.STARTING: "runs",
    Outcome.STARTED: "good",
    Outcome.SKIPPED: "waits",
    Outcome.COALESCED: "still",
    Outcome.MISSED: "bad",
    Outcome.PAUSED: "still",
}
_WORKDAYS = (1, 2, 3, 4, 5)
_ALL_DAYS = 7


def in_words(t: Texts, timing: Timing) -> Html | Phrase | None:
    """When it is due; None: its cron line has no name, and speaks for itself."""
    if timing.trigger == "interval":
        return t("schedules.in_interval", length=seconds(parse_duration(timing.expression, "expression")))
    if timing.trigger == "once":
        return span(t("schedules.in_once"), Data(" "), when(datetime.fromisoformat(timing.expression), "full"))
    shape = shape_of(timing.expression)
    return None if shape is None else _line_in_words(t, shape)


def _line_in_words(t: Texts, shape: Shape) -> Phrase:
    times = ", ".join(shape.times)
    if shape.kind is Kind.MINUTES:
        return t.count("schedules.in_minutes", shape.every)
    if shape.kind is Kind.HOURS:
        key = "one" if shape.every == 1 else "many"
        return t(f"schedules.in_hours_{key}", n=shape.every, minute=f"{shape.minute:02d}")
    if shape.kind is Kind.MONTHLY:
        if shape.day == "L":
            return t("schedules.in_last_day", times=times)
        return t("schedules.in_monthly", day=shape.day, times=times)
    if shape.kind is Kind.DAILY or len(shape.weekdays) == _ALL_DAYS:
        return t("schedules.in_daily", times=times)
    if tuple(shape.weekdays) == _WORKDAYS:
        return t("schedules.in_workdays", times=times)
    days = ", ".join(t(f"schedules.day_{number}") for number in shape.weekdays)
    return t("schedules.in_weekly", days=days, times=times)


def state(t: Texts, view: ScheduleView) -> Html:
    """How it stands."""
    if view.problem is not None:
        return pill("bad", t("schedules.state_stuck"))
    if view.pauses:
        return pill("waits", t("schedules.state_paused"))
    if view.schedule.next_due_at is None:
        return pill("still", t("schedules.state_over"))
    return pill("good", t("schedules.state_active"))


def outcome(t: Texts, what: Outcome) -> Html:
    """What became of a due time."""
    return pill(_KINDS[what], t(f"schedules.outcome_{what}"))
