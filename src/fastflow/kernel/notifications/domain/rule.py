"""Rules: what is worth a message, and to whom it goes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from enum import IntEnum
from typing import Literal, get_args

from fastflow.kernel.notifications.domain.errors import InvalidRule
from fastflow.kernel.schedules.domain.zones import zone_problem
from fastflow.kit.words import did_you_mean

Event = Literal["failure", "recovery", "late", "slow", "deadline", "system", "crash-loop", "approval"]
"""A run failed for good; the first success after that; a due time whose run has not started; a run that takes much longer
than others did; no success by a time of day; the product's own machine (disk, a server that went away); a
daemon that crashes again and again; a step of a flow that waits for a person."""
Origin = Literal["user", "code"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

EVENTS: tuple[Event, ...] = get_args(Event)
DAYS: tuple[Day, ...] = get_args(Day)
REASONS = ("exit", "timeout", "oom", "setup", "lost", "cancelled")
FAILURE_REASONS = ("exit", "timeout", "oom", "setup", "lost")
"""Those a rule tells of unless it says otherwise: whoever cancels a run knows it."""

LONGEST_SECONDS = 30 * 86_400.0
SHORTEST_REPEAT = 60.0
MAX_CHANNELS = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)


class Severity(IntEnum):
    """How much it matters."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """As the API and the settings write it."""
        return self.name.lower()


SEVERITIES = tuple(severity.word for severity in Severity)
USUAL_SEVERITY: dict[Event, Severity] = {
    "failure": Severity.CRITICAL,
    "recovery": Severity.INFO,
    "late": Severity.WARNING,
    "slow": Severity.WARNING,
    "deadline": Severity.CRITICAL,
    "system": Severity.CRITICAL,
    "crash-loop": Severity.CRITICAL,
    "approval": Severity.WARNING,
}


@dataclass(frozen=True, kw_only=True)
class RuleDefinition:
    """What somebody asks for.

    Attributes:
        pipeline_name: None: every pipeline.
        name: unique among the rules of the pipeline and origin; None: one is found.
        events: what it tells of.
        channels: names of those it tells.
        severity: None: the usual one of each event.
        reasons: failure: of which reasons.
        after: late: seconds between due time and start.
        factor: slow: so many times the median of earlier runs; None: not judged by that.
        mad: slow: so many median absolute deviations above the median; None: not judged by that.
        min_history: slow: successful runs there must be before anything is judged.
        by: deadline: time of day, such as 08:00.
        timezone: deadline: IANA name.
        days: deadline: on which days.
        within: deadline: seconds before it in which a success counts.
        repeat_every: seconds after which an alert is told again until it is acknowledged or over; None: once.
    """

    pipeline_name: str | None = None
    name: str | None = None
    events: tuple[Event, ...] = ("failure",)
    channels: tuple[str, ...] = ()
    severity: str | None = None
    reasons: tuple[str, ...] = FAILURE_REASONS
    after: float = 300.0
    factor: float | None = 2.0
    mad: float | None = None
    min_history: int = 5
    by: str | None = None
    timezone: str = "UTC"
    days: tuple[Day, ...] = DAYS
    within: float = 86_400.0
    repeat_every: float | None = None


@dataclass(frozen=True, kw_only=True)
class Rule(RuleDefinition):
    """A rule as the database holds it.

    Attributes:
        is_enabled: False: it tells of nothing.
        watched_until: late: due times up to here have been judged.
        next_check_at: deadline: the next one.
    """

    id: str
    name: str = ""
    origin: Origin = "user"
    is_enabled: bool = True
    watched_until: datetime
    next_check_at: datetime | None = None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @property
    def definition(self) -> RuleDefinition:
        """What it was asked to be."""
        return RuleDefinition(**{name: getattr(self, name) for name in RuleDefinition.__dataclass_fields__})

    @property
    def label(self) -> str:
        """As people call it."""
        return f"{self.pipeline_name or '*'}/{self.name}"

    @property
    def hears_crash_loops(self) -> bool:
        """Whether it tells of a daemon that crash-loops: asked to, or to tell of failures of every usual reason."""
        return "crash-loop" in self.events or ("failure" in self.events and set(FAILURE_REASONS) <= set(self.reasons))

    def severity_of(self, event: Event) -> Severity:
        """How much the event matters to it."""
        return USUAL_SEVERITY[event] if self.severity is None else Severity[self.severity.upper()]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a rule shall tell of.

    Attributes:
        key: the same for the same thing, so that it is told once.
        group: equal ones of a window share a message.
        facts: what the message says; JSON.
    """

    event: Event
    key: str
    group: str
    pipeline_name: str | None = None
    run_id: str | None = None
    schedule_id: str | None = None
    facts: dict[str, object] = field(default_factory=dict)


def check(definition: RuleDefinition) -> RuleDefinition:
    """The definition in the form it is kept in.

    Raises:
        InvalidRule: names every field that is wrong, with its problem.
    """
    problems = dict(_problems(definition))
    if problems:
        raise InvalidRule(problems)
    by = None if definition.by is None else read_time(definition.by).strftime("%H:%M")
    return replace(
        definition,
        by=by,
        events=tuple(event for event in EVENTS if event in definition.events),
        channels=tuple(dict.fromkeys(definition.channels)),
        days=tuple(day for day in DAYS if day in definition.days),
    )


def read_time(text: str) -> time:
    """A time of day; raises ValueError.

    >>> read_time("8:05").isoformat()
    '08:05:00'
    """
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is no time of day; write it as 08:00")
    return time(int(match[1]), int(match[2]))


def _problems(definition: RuleDefinition) -> Iterator[tuple[str, str]]:
    if definition.name is not None and not _NAME.fullmatch(definition.name):
        yield "name", "is not made of letters, digits, `_`, `-` and `.`, beginning with a letter or digit, at most 100"
    yield from _problems_of_words(definition)
    if not definition.channels:
        yield "channels", "names nobody; give at least one channel"
    elif len(definition.channels) > MAX_CHANNELS:
        yield "channels", f"names {len(definition.channels)}; at most {MAX_CHANNELS} are told"
    if "system" in definition.events and definition.pipeline_name is not None:
        yield "events", "system is no pipeline's own; make a rule without a pipeline for it"
    if "slow" in definition.events:
        yield from _problems_of_slow(definition)
    if "deadline" in definition.events:
        yield from _problems_of_deadline(definition)
    for name in ("after", "within", "repeat_every"):
        seconds = getattr(definition, name)
        if seconds is not None and not 0 < seconds <= LONGEST_SECONDS:
            yield name, f"{seconds:g} is not above 0 and up to {LONGEST_SECONDS:g} seconds (30 days)"
    if definition.repeat_every is not None and 0 < definition.repeat_every < SHORTEST_REPEAT:
        yield "repeat_every", f"{definition.repeat_every:g} s is less than {SHORTEST_REPEAT:g} s"


def _problems_of_words(definition: RuleDefinition) -> Iterator[tuple[str, str]]:
    if not definition.events:
        yield "events", f"is empty; choose among {', '.join(EVENTS)}"
    for name, known in (("events", EVENTS), ("days", DAYS), ("reasons", REASONS)):
        strange = next((word for word in getattr(definition, name) if word not in known), None)
        if strange is not None:
            near = did_you_mean(str(strange)[:40], known)
            yield name, f"{str(strange)[:40]!r} is none of {', '.join(known)}" + (f".{near}" if near else "")
    if definition.severity is not None and definition.severity not in SEVERITIES:
        yield "severity", f"{definition.severity[:40]!r} is none of {', '.join(SEVERITIES)}"
    if "failure" in definition.events and not definition.reasons:
        yield "reasons", f"is empty; choose among {', '.join(REASONS)}"


def _problems_of_slow(definition: RuleDefinition) -> Iterator[tuple[str, str]]:
    if definition.factor is None and definition.mad is None:
        yield "factor", "is missing, and `mad` too: one of them says what too long is"
    if definition.factor is not None and not 1 < definition.factor <= 1000:
        yield "factor", f"{definition.factor:g} is not above 1 and up to 1000"
    if definition.mad is not None and not 0 < definition.mad <= 1000:
        yield "mad", f"{definition.mad:g} is not above 0 and up to 1000"
    if not 2 <= definition.min_history <= 50:
        yield "min_history", f"{definition.min_history} is not from 2 to 50"


def _problems_of_deadline(definition: RuleDefinition) -> Iterator[tuple[str, str]]:
    if definition.pipeline_name is None:
        yield "events", "deadline needs a pipeline: say which one shall have succeeded"
    if definition.by is None:
        yield "by", "is missing: the time of day by which a run shall have succeeded, such as 08:00"
    else:
        try:
            read_time(definition.by)
        except ValueError as error:
            yield "by", str(error)
    if not definition.days:
        yield "days", f"is empty; choose among {', '.join(DAYS)}"
    zone = zone_problem(definition.timezone)
    if zone is not None:
        yield "timezone", zone
