"""Time zones: finding them by name, and when their clocks change."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from fastflow.kit.words import did_you_mean

_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})
"""Entries of zone databases that are no zones, or a different one on each machine."""
_LAST_YEAR = 9990
_STEP = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every zone of this machine's database."""
    return frozenset(available_timezones() - _NO_PLACES)


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """The zone; ask `zone_problem` first of a name that somebody typed.

    Raises:
        ValueError: there is none of that name.
    """
    problem = zone_problem(name)
    if problem is not None:
        raise ValueError(problem)
    return ZoneInfo(name)


def zone_problem(name: str) -> str | None:
    """What is wrong with a zone's name; None when there is such a zone.

    >>> zone_problem("Berlin")
    "'Berlin' is no time zone. Did you mean 'Europe/Berlin'?"
    >>> zone_problem("Europe/Berlin") is None
    True
    """
    known = zone_names()
    if name in known:
        return None
    wanted = name.strip().lower().replace(" ", "_")
    alike = sorted(zone for zone in known if wanted and wanted in (zone.lower(), zone.lower().rpartition("/")[2]))
    near = f" Did you mean {' or '.join(map(repr, alike[:3]))}?" if alike else did_you_mean(name[:80], known)
    return f"{name[:80]!r} is no time zone.{near or ' Zones are named like Europe/Berlin or UTC'}"


@dataclass(frozen=True, kw_only=True)
class Transition:
    """A change of a zone's clocks.

    Attributes:
        at: the first instant under the new offset, UTC.
        before: offset from UTC until then.
        after: offset from then on.
    """

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def is_gap(self) -> bool:
        """Whether wall-clock times are left out (spring); else some come twice (autumn)."""
        return self.after > self.before

    @property
    def walls(self) -> tuple[datetime, datetime]:
        """The wall-clock times that are left out or come twice: from, and up to but without. Naive."""
        then = self.at.replace(tzinfo=None)
        return then + min(self.before, self.after), then + max(self.before, self.after)


@lru_cache(maxsize=8192)
def transitions_of(zone_name: str, year: int) -> tuple[Transition, ...]:
    """Every change of the zone's clocks in a year of UTC, in order."""
    zone = load_zone(zone_name)
    found: list[Transition] = []
    at = datetime(year, 1, 1, tzinfo=UTC) - _SECOND
    end = datetime(year + 1, 1, 1, tzinfo=UTC) - _SECOND
    while at < end:
        following = min(at + _STEP, end)
        if offset_at(zone, at) != offset_at(zone, following):
            found.append(_narrow(zone, at, following))
        at = following
    return tuple(found)


def transitions_between(zone_name: str, since: datetime, until: datetime) -> Iterator[Transition]:
    """Changes after `since`, up to and with `until`."""
    for year in range(since.astimezone(UTC).year, min(until.astimezone(UTC).year, _LAST_YEAR) + 1):
        for transition in transitions_of(zone_name, year):
            if since < transition.at <= until:
                yield transition


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """The zone's offset from UTC at an instant."""
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def wall_at(zone: ZoneInfo, instant: datetime) -> datetime:
    """What the zone's clocks show at an instant, naive."""
    return instant.astimezone(zone).replace(tzinfo=None)


def instants_of(zone: ZoneInfo, wall: datetime) -> tuple[datetime, ...]:
    """When the zone's clocks show a wall-clock time (naive): never, once or twice."""
    first, second = zone.utcoffset(wall.replace(fold=0)), zone.utcoffset(wall.replace(fold=1))
    if first is not None and first == second:  # neither left out nor repeated
        return ((wall - first).replace(tzinfo=UTC, fold=0),)
    candidates = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return tuple(dict.fromkeys(instant for instant in candidates if wall_at(zone, instant) == wall.replace(fold=0)))


def _narrow(zone: ZoneInfo, low: datetime, high: datetime) -> Transition:
    """The one change between two instants that have different offsets."""
    before, after = offset_at(zone, low), offset_at(zone, high)
    while high - low > _SECOND:
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if offset_at(zone, middle) == before:
            low = middle
        else:
            high = middle
    return Transition(at=high, before=before, after=after)
