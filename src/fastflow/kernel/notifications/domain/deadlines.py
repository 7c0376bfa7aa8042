"""When a deadline of a time of day comes, on the clocks of its zone."""

from datetime import datetime, timedelta

from fastflow.kernel.notifications.domain.rule import DAYS, RuleDefinition, read_time
from fastflow.kernel.schedules.domain.zones import instants_of, load_zone, wall_at

_LOOK_DAYS = 15


def next_deadline(rule: RuleDefinition, after: datetime) -> datetime | None:
    """The first deadline later than an instant; None when the rule has none.

    A time that the clocks leave out is taken at the end of the gap; of one that comes twice the first counts.

    >>> from datetime import UTC
    >>> rule = RuleDefinition(pipeline_name="a", events=("deadline",), by="08:00", timezone="Europe/Berlin", days=("mon",))
    >>> next_deadline(rule, datetime(2026, 11, 21, tzinfo=UTC)).isoformat()
    '2026-11-23T07:00:00+00:00'
    """
    if rule.by is None or "deadline" not in rule.events:
        return None
    zone, at = load_zone(rule.timezone), read_time(rule.by)
    day = wall_at(zone, after).date() - timedelta(days=1)
    for _ in range(_LOOK_DAYS):
        if DAYS[day.weekday()] in rule.days:
            wall = datetime.combine(day, at)
            found = instants_of(zone, wall)
            while not found:
                wall += timedelta(minutes=1)
                found = instants_of(zone, wall)
            if found[0] > after:
                return found[0]
        day += timedelta(days=1)
    return None
