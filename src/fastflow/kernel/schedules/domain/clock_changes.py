"""What changes of the clocks do to a schedule, in words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal

from fastflow.kernel.schedules.domain.cron import CronLine, read_cron
from fastflow.kernel.schedules.domain.schedule import Timing
from fastflow.kernel.schedules.domain.zones import Transition, load_zone, transitions_between, wall_at

_SECOND = timedelta(seconds=1)
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class ClockChange:
    """A change of the clocks that a schedule feels.

    Attributes:
        at: the instant of the change.
        kind: gap: times are left out; overlap: times come twice.
        wall_from: first of these times, on the zone's clocks.
        wall_to: end of these times, without itself.
        times: of these, the ones that the schedule names; at most 5.
        text: what happens, in a sentence.
    """

    at: datetime
    timezone: str
    kind: Literal["gap", "overlap"]
    wall_from: datetime
    wall_to: datetime
    times: Sequence[datetime]
    text: str


def clock_changes(timing: Timing, since: datetime, until: datetime) -> Iterator[ClockChange]:
    """The changes after `since`, up to and with `until`, that concern times the cron line names."""
    if timing.trigger != "cron":
        return
    line = read_cron(timing.expression)
    for transition in transitions_between(timing.timezone, since, until):
        times = list(islice(_named(line, transition), _SHOWN + 1))
        if times and _is_within(timing, transition):
            yield _told(timing.timezone, line, transition, times)


def note_on(due: datetime, changes: Iterable[ClockChange]) -> str | None:
    """What is to be told of a due time, of the changes its schedule feels; None: nothing."""
    for change in changes:
        if change.kind == "gap" and change.at == due:
            return change.text
        wall = wall_at(load_zone(change.timezone), due)
        if change.kind == "overlap" and change.wall_from <= wall < change.wall_to:
            return change.text
    return None


def _named(line: CronLine, transition: Transition) -> Iterator[datetime]:
    start, end = transition.walls
    for wall in line.walk(start - _SECOND):
        if wall >= end:
            return
        yield wall


def _is_within(timing: Timing, transition: Transition) -> bool:
    return (
        timing.start_at is None or timing.start_at <= transition.at + abs(transition.after - transition.before)
    ) and (timing.end_at is None or transition.at < timing.end_at)


def _told(zone: str, line: CronLine, transition: Transition, times: Sequence[datetime]) -> ClockChange:
    start, end = transition.walls
    day = f"{start:%Y-%m-%d}"
    named = ", ".join(f"{wall:%H:%M}" for wall in times[:_SHOWN]) + (" …" if len(times) > _SHOWN else "")
    if transition.is_gap:
        what = f"On {day} the clocks in {zone} go from {start:%H:%M} to {end:%H:%M}; {named} {_verb(times)} not exist"
        told = f": due at {end:%H:%M} instead." if line.is_fixed else ", and nothing is due then."
    else:
        what = f"On {day} the clocks in {zone} go back from {end:%H:%M} to {start:%H:%M}; {named} {_come(times)} twice"
        told = ": due the first time only." if line.is_fixed else ", and is due both times."
        if len(times) > 1:
            told = told.replace("is due", "are due")
    return ClockChange(
        at=transition.at.astimezone(UTC),
        timezone=zone,
        kind="gap" if transition.is_gap else "overlap",
        wall_from=start,
        wall_to=end,
        times=tuple(times[:_SHOWN]),
        text=what + told,
    )


def _verb(times: Sequence[datetime]) -> str:
    return "does" if len(times) == 1 else "do"


def _come(times: Sequence[datetime]) -> str:
    return "comes" if len(times) == 1 else "come"
