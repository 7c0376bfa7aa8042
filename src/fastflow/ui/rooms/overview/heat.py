"""How runs went, hour by hour over the last days, in the reader's own zone: told in colour and in numbers."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastflow.kernel.runs.domain.run import Tally
from fastflow.kernel.runs.service import RunService
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Role
from fastflow.ui.markup import Html, div, link, span, tag
from fastflow.ui.parts import card
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Phrase, Texts

DAYS, HOURS = 7, 24
_REST = 50.0
"""After counting, so many times as long as it took nothing is counted, within these bounds."""
_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.0, 10.0
_STRONGEST, _WEAKEST = 42, 12
"""Percent of the colour in a cell: of the busiest hour, and of one with a single run."""
_THOUSAND = 1000


@dataclass(frozen=True, kw_only=True)
class Heat:
    """The hours of the last days.

    Attributes:
        days: the local dates, the latest first.
        hours: of each date its 24 hours; None: not begun yet.
        edges: where each of them begins and ends, in the same places.
    """

    days: Sequence[date]
    hours: Sequence[Sequence[Tally | None]]
    ends: Sequence[Sequence[datetime]]
    zone: str


def edges_of(now: datetime, zone: ZoneInfo) -> tuple[Sequence[date], Sequence[datetime]]:
    """The dates, the earliest first, and where their hours begin, up to the end of the last; never backwards: where the clock
    is put forward an hour is empty, where it is put back one is twice as long."""
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    edges: list[datetime] = []
    for number in range(DAYS * HOURS + 1):
        local = datetime.combine(days[0] + timedelta(days=number // HOURS), clock_time(number % HOURS), zone)
        instant = local.astimezone(UTC)
        edges.append(max(instant, edges[-1]) if edges else instant)
    return days, edges


class HeatMap:
    """Counts once in a while for all who may see the same in the same zone: the longer it takes, the more seldom.

    Args:
        runs: counts.
        clock: tells the time.
    """

    def __init__(self, runs: RunService, clock: Clock) -> None:
        self._runs = runs
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[object, tuple[float, Heat]] = {}  # with the time until which it is believed

    def look(self, actor: Actor, zone: ZoneInfo) -> Heat:
        """The last days, as they were a moment ago."""
        key = (actor.reach(Role.VIEWER), zone.key)
        with self._lock:
            begun = time.monotonic()
            self._kept = {each: value for each, value in self._kept.items() if value[0] > begun}
            if key not in self._kept:
                heat = self._take(actor, zone)
                took = time.monotonic() - begun
                self._kept[key] = (begun + min(max(_SHORTEST_SECONDS, _REST * took), _LONGEST_SECONDS), heat)
            return self._kept[key][1]

    def _take(self, actor: Actor, zone: ZoneInfo) -> Heat:
        now = self._clock.now()
        days, edges = edges_of(now, zone)
        tallies = [tally if tally.begin <= now else None for tally in self._runs.tally(edges, actor=actor)]
        parts = [slice(day * HOURS, (day + 1) * HOURS) for day in reversed(range(DAYS))]
        return Heat(
            days=days[::-1],
            hours=[tallies[part] for part in parts],
            ends=[edges[1:][part] for part in parts],
            zone=zone.key,
        )


def put_heat(t: Texts, heat: Heat) -> Html:
    """The map as a table whose cells lead to the runs of their hour."""
    busiest = max((tally.total for row in heat.hours for tally in row if tally), default=0)
    head = [
        tag("th", Data(f"{hour:02d}"), scope="col", cls="" if hour % 3 == 0 else "between") for hour in range(HOURS)
    ]
    rows = [
        tag(
            "tr",
            tag("th", _day(t, day), scope="row"),
            [
                _cell(t, day, hour, tally, end, busiest)
                for hour, (tally, end) in enumerate(zip(tallies, ends, strict=True))
            ],
        )
        for day, tallies, ends in zip(heat.days, heat.hours, heat.ends, strict=True)
    ]
    table = tag("table", tag("thead", tag("tr", tag("td"), head)), tag("tbody", rows), cls="heat")
    about = span(t("overview.heat_about", zone=heat.zone), cls="muted")
    wrapped = div(table, cls="table-wrap card-body", tabindex="0", role="region", aria_label=t("overview.heat"))
    return card(t("overview.heat"), wrapped, aside=about)


def _day(t: Texts, day: date) -> Phrase:
    return t("overview.day", weekday=t(f"overview.day_{day.weekday()}"), day=day.day)


def _cell(t: Texts, day: date, hour: int, tally: Tally | None, end: datetime, busiest: int) -> Html:
    if tally is None:
        return tag("td", cls="future")
    if tally.total == 0:
        return tag("td", span(Data("·"), aria_hidden="true"))
    told = t(
        "overview.heat_told",
        day=_day(t, day),
        hour=f"{hour:02d}",
        total=tally.total,
        failed=tally.failed,
        cancelled=tally.cancelled,
        active=tally.under_way,
    )
    strength = _WEAKEST + round((_STRONGEST - _WEAKEST) * (tally.total / busiest) ** 0.5)
    query = urlencode({"since": f"{tally.begin:%Y-%m-%dT%H:%M:%SZ}", "until": f"{end:%Y-%m-%dT%H:%M:%SZ}"})
    shown = link(
        f"{BASE}/runs?{query}",
        span(Data(_short(tally.total))),
        tag("b", Data(f"✕{_short(tally.failed)}")) if tally.failed else None,
        title=told,
        aria_label=told,
    )
    return tag("td", shown, cls=_kind(tally), style=f"--strength: {strength}%")


def _kind(tally: Tally) -> str:
    if tally.failed:
        return "bad"
    if tally.succeeded:
        return "good"
    return "runs" if tally.under_way else "still"


def _short(count: int) -> str:
    return str(count) if count < _THOUSAND else f"{count / _THOUSAND:.0f}k"
