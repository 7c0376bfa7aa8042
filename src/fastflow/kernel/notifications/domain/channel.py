"""Channels: where messages go, and when they may."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastflow.kernel.notifications.domain.errors import InvalidChannel
from fastflow.kernel.notifications.domain.rule import DAYS, SEVERITIES, Day, Severity, read_time
from fastflow.kernel.schedules.domain.zones import instants_of, load_zone, wall_at, zone_problem

MAX_URLS = 20
MAX_URL_LENGTH = 2000
LONGEST_WINDOW = 86_400.0
DEAD_AFTER = 3
"""Messages in a row that were given up on: the channel is dead then."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_SCHEME = re.compile(r"([a-z][a-z0-9]{0,30})://.+", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class QuietHours:
    """A time of day in which a channel holds messages back.

    Attributes:
        start: time of day, such as 22:00.
        end: time of day; earlier than `start`: of the next day.
        days: on which days it begins.
    """

    start: str
    end: str
    timezone: str = "UTC"
    days: tuple[Day, ...] = DAYS

    def end_of(self, now: datetime) -> datetime | None:
        """When the quiet hours around an instant end; None: it is not quiet then."""
        zone = load_zone(self.timezone)
        start, end = read_time(self.start), read_time(self.end)
        today = wall_at(zone, now).date()
        for day in (today - timedelta(days=1), today):
            if DAYS[day.weekday()] not in self.days:
                continue
            begin_wall = datetime.combine(day, start)
            end_wall = datetime.combine(day if end > start else day + timedelta(days=1), end)
            begins, ends = _instant(zone.key, begin_wall), _instant(zone.key, end_wall)
            if begins <= now < ends:
                return ends
        return None


def _instant(zone_name: str, wall: datetime) -> datetime:
    zone = load_zone(zone_name)
    found = instants_of(zone, wall)
    while not found:  # left out by the clocks: the end of the gap
        wall += timedelta(minutes=1)
        found = instants_of(zone, wall)
    return found[-1]


@dataclass(frozen=True, kw_only=True)
class ChannelSettings:
    """How a channel behaves.

    Attributes:
        quiet: hours in which messages are held back; they come as one when those end.
        breaks_quiet: from this severity on a message is sent all the same; None: none is.
        group_window: seconds in which equal messages become one; 0: each is sent.
    """

    description: str = ""
    quiet: tuple[QuietHours, ...] = ()
    breaks_quiet: str | None = "critical"
    group_window: float = 300.0
    is_enabled: bool = True

    def quiet_until(self, now: datetime, severity: Severity) -> datetime | None:
        """When a message of this severity may go; None: now."""
        if self.breaks_quiet is not None and severity >= Severity[self.breaks_quiet.upper()]:
            return None
        found = [end for hours in self.quiet if (end := hours.end_of(now)) is not None]
        return max(found, default=None)


@dataclass(frozen=True, kw_only=True)
class Channel(ChannelSettings):
    """A channel as the database holds it, without its addresses.

    Attributes:
        kinds: what its addresses are, such as mailto or slack.
        failures: messages in a row that were given up on.
        last_error: why the last attempt failed, without anything secret; None: it did not.
    """

    name: str
    kinds: tuple[str, ...]
    failures: int = 0
    last_error: str | None = None
    last_sent_at: datetime | None = None
    last_failed_at: datetime | None = None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @property
    def is_dead(self) -> bool:
        """Whether nothing has come through for a while."""
        return self.failures >= DEAD_AFTER


def kind_of(url: str) -> str | None:
    """The scheme of an address; None: it has none.

    >>> kind_of("mailto://user:pass@example.org"), kind_of("example.org")
    ('mailto', None)
    """
    match = _SCHEME.fullmatch(url.strip())
    return match[1].lower() if match else None


def fingerprint(url: str) -> str:
    """What tells an address from the others without showing it."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def check_name(name: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a name."""
    if not _NAME.fullmatch(name):
        yield "name", "is not made of letters, digits, `_`, `-` and `.`, beginning with a letter or digit, at most 100"


def check_urls(urls: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with addresses; never shows one, for it holds credentials."""
    if not urls:
        yield "urls", "is empty; give at least one Apprise URL, such as mailto://user:password@example.org"
    if len(urls) > MAX_URLS:
        yield "urls", f"has {len(urls)} entries; at most {MAX_URLS} are kept"
    for place, url in enumerate(urls, 1):
        if len(url) > MAX_URL_LENGTH:
            yield "urls", f"number {place} is longer than {MAX_URL_LENGTH} characters"
        elif not url.isprintable():
            yield "urls", f"number {place} has characters that are not printable"
        elif kind_of(url) is None:
            yield "urls", f"number {place} is no URL with a scheme, such as mailto://user:password@example.org"


def check_settings(settings: ChannelSettings) -> Iterator[tuple[str, str]]:
    """What is wrong with how it shall behave."""
    if not 0 <= settings.group_window <= LONGEST_WINDOW:
        yield "group_window", f"{settings.group_window:g} is not from 0 to {LONGEST_WINDOW:g} seconds"
    if settings.breaks_quiet is not None and settings.breaks_quiet not in SEVERITIES:
        yield "breaks_quiet", f"{settings.breaks_quiet[:40]!r} is none of {', '.join(SEVERITIES)}"
    for place, hours in enumerate(settings.quiet, 1):
        yield from ((f"quiet.{place}.{name}", problem) for name, problem in _problems_of_hours(hours))


def _problems_of_hours(hours: QuietHours) -> Iterator[tuple[str, str]]:
    for name in ("start", "end"):
        try:
            read_time(getattr(hours, name))
        except ValueError as error:
            yield name, str(error)
            return
    if read_time(hours.start) == read_time(hours.end):
        yield "end", "is the same as start; disable the channel to hold everything back"
    zone = zone_problem(hours.timezone)
    if zone is not None:
        yield "timezone", zone
    if not hours.days or any(day not in DAYS for day in hours.days):
        yield "days", f"must name some of {', '.join(DAYS)}"


def require_valid(problems: Iterator[tuple[str, str]]) -> None:
    """Raises:
    InvalidChannel: there are problems.
    """
    found = dict(problems)
    if found:
        raise InvalidChannel(found)
