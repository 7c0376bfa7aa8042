"""Schedules declared in a pipeline's settings: `[[schedules]]` entries, read with every problem by entry and key."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, cast

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.pipeline import PipelineSettings
from fastflow.kernel.pipelines.domain.toml_text import TomlText
from fastflow.kernel.runs.domain.errors import InvalidParams
from fastflow.kernel.runs.domain.params import validate_params
from fastflow.kernel.schedules.domain.definition import check
from fastflow.kernel.schedules.domain.errors import InvalidSchedule
from fastflow.kernel.schedules.domain.schedule import (
    DAY_SECONDS,
    MISSED,
    OVERLAPS,
    Definition,
    Missed,
    Overlap,
    Trigger,
)
from fastflow.kernel.schedules.domain.zones import instants_of, load_zone, zone_problem
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import InvalidInput
from fastflow.kit.words import did_you_mean

SCHEDULE_KEYS = (
    "name", "cron", "every", "at", "timezone", "params", "start", "end", "jitter", "overlap", "missed", "catch_up_window",
    "priority",
)  # fmt: skip
DEFAULT_NAME = "default"
UNLIMITED = "unlimited"
MAX_PRIORITY = 1_000_000
_TRIGGERS: Mapping[str, Trigger] = {"cron": "cron", "every": "interval", "at": "once"}
_KEY_OF_FIELD = {"start_at": "start", "end_at": "end"}
_MAX_EXPRESSION = 200
_REFERENCE = datetime(2026, 1, 1, tzinfo=UTC)
"""Due times are compared from here on: what a file says is right or wrong whatever the day is."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One `[[schedules]]` entry.

    Attributes:
        place: 0 is the first.
        definition: None when there are problems.
        problems: by key; an empty key stands for the entry as a whole.
    """

    place: int
    definition: Definition | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


def judge_schedules(toml: TomlText, faults: FaultList, settings: PipelineSettings) -> None:
    """Note what is wrong with the settings' schedules, with the lines; a `Judge` of the pipelines."""
    for entry in read_declared(faults.pipeline, settings.schedules, settings.params_schema):
        table = toml.below("schedules", str(entry.place))
        for key, problem in entry.problems.items():
            message = f"The schedule{_told(entry, table)}: {key and f'{key}: '}{problem}"
            line = table.line(*(part for part in key.split(".") if part))
            faults.error(toml.file, message if message.endswith("?") else f"{message}.", _HINT, line=line)


_HINT = "Known keys are " + ", ".join(SCHEDULE_KEYS) + "; the page on pipeline.toml says what each takes."


def _told(entry: Entry, table: TomlText) -> str:
    name = table.table.get("name")
    return f" {name!r}" if isinstance(name, str) else f" at place {entry.place + 1}"


def read_declared(pipeline_name: str, value: Any, schema: Mapping[str, Any] | None) -> Sequence[Entry]:
    """The entries in the value of `schedules`.

    Args:
        pipeline_name: whose they are.
        value: as TOML gives it; None: there are none.
        schema: of the pipeline's parameters.
    """
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return (Entry(place=0, problems={"": "head it with [[schedules]], in double brackets: there may be several"}),)
    entries = [_read(pipeline_name, place, table, schema, len(value)) for place, table in enumerate(value)]
    return [_unique(entry, entries) for entry in entries]


def _unique(entry: Entry, entries: Sequence[Entry]) -> Entry:
    if entry.definition is None:
        return entry
    name = entry.definition.name
    earlier = any(other.definition and other.definition.name == name for other in entries[: entry.place])
    return (
        Entry(place=entry.place, problems={"name": f"{name!r} is taken by an earlier schedule"}) if earlier else entry
    )


def _read(pipeline_name: str, place: int, table: Any, schema: Mapping[str, Any] | None, count: int) -> Entry:
    if not isinstance(table, Mapping):
        return Entry(place=place, problems={"": "it is no table; head each with [[schedules]]"})
    reader = _Reader(table)
    definition = reader.definition(pipeline_name, DEFAULT_NAME if count == 1 else None)
    problems = dict(reader.problems)
    if count > 1 and "name" not in table:
        problems.setdefault("", "it has no name, which tells it from the others")
    if not problems:
        try:
            definition = check(definition, _REFERENCE, is_past_allowed=True)
        except InvalidSchedule as error:
            problems.update({reader.key_of(name): problem for name, problem in error.fields.items()})
        try:
            validate_params(definition.params, schema)
        except InvalidParams as error:
            problems.update(error.fields)
        except InvalidInput:  # the schema itself is wrong, which is told where it stands
            pass
    return Entry(place=place, problems=problems) if problems else Entry(place=place, definition=definition)


class _Reader:
    """Takes values out of one entry and notes what is wrong with them."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table
        self.problems: dict[str, str] = {}
        for key in table:
            if key not in SCHEDULE_KEYS:
                near = did_you_mean(key, SCHEDULE_KEYS)
                self.problems[key] = "is no key of a schedule" + (f".{near}" if near else "")

    def key_of(self, field_name: str) -> str:
        """The key that a field of the definition was read from."""
        if field_name == "expression":
            return next((key for key in _TRIGGERS if key in self._table), "")
        return _KEY_OF_FIELD.get(field_name, field_name)

    def definition(self, pipeline_name: str, name: str | None) -> Definition:
        """The entry; where `problems` has something, with a default in place of what is wrong."""
        trigger, expression = self._trigger()
        timezone = self._take("timezone", _text, "UTC")
        return Definition(
            pipeline_name=pipeline_name,
            name=self._take("name", _text, name),
            trigger=trigger,
            expression=expression,
            timezone=timezone,
            params=self._take("params", _params, {}),
            start_at=self._take("start", _instant(timezone), None),
            end_at=self._take("end", _instant(timezone), None),
            jitter=self._take("jitter", _seconds_or_none_at_all, 0.0),
            overlap=cast("Overlap", self._take("overlap", _one_of(OVERLAPS), "queue")),
            missed=cast("Missed", self._take("missed", _one_of(MISSED), "last")),
            catch_up_window=self._take("catch_up_window", _window, DAY_SECONDS),
            priority=self._take("priority", _priority, 0),
        )

    def _trigger(self) -> tuple[Trigger, str]:
        given = [key for key in _TRIGGERS if key in self._table]
        if len(given) != 1:
            told = f"{' and '.join(given)} exclude each other" if given else "it says not when it is due"
            self.problems[given[1] if given else ""] = f"{told}: write one of cron, every, at"
            return "cron", "@daily"
        convert = {"cron": _text, "every": _period, "at": _moment}[given[0]]
        return _TRIGGERS[given[0]], self._take(given[0], convert, "@daily")

    def _take(self, key: str, convert: Callable[[Any], Any], default: Any) -> Any:
        if key not in self._table:
            return default
        try:
            return convert(self._table[key])
        except ValueError as error:
            self.problems[key] = str(error)
            return default


# --- what the keys take ------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_EXPRESSION:
        raise ValueError(f"{_shown(value)} is no text of 1 to {_MAX_EXPRESSION} characters in quotes")
    return value.strip()


def _period(value: Any) -> str:
    """Whether it is a length of time, `definition.check` says."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    return _text(value)


def _moment(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else _text(value)


def _instant(timezone: str) -> Callable[[Any], datetime]:
    def convert(value: Any) -> datetime:
        instant = value
        if isinstance(value, str):
            try:
                instant = datetime.fromisoformat(value.strip())
            except ValueError as error:
                raise ValueError(
                    f"{_shown(value)} is no date or instant, such as 2026-11-21 or 2026-11-21T04:35"
                ) from error
        if isinstance(instant, date) and not isinstance(instant, datetime):
            instant = datetime.combine(instant, time())
        if not isinstance(instant, datetime):
            raise ValueError(f"{_shown(value)} is no date or instant, such as 2026-11-21 or 2026-11-21T04:35")  # noqa: TRY004 - a value of the file
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
        if zone_problem(timezone) is not None:
            return instant.replace(tzinfo=UTC)
        zone = load_zone(timezone)
        return next(iter(instants_of(zone, instant)), instant.replace(tzinfo=zone).astimezone(UTC))

    return convert


def _seconds_or_none_at_all(value: Any) -> float:
    if value in (0, "0") and not isinstance(value, bool):
        return 0.0
    return _seconds(value)


def _seconds(value: Any) -> float:
    try:
        return parse_duration(value, "it")
    except InvalidInput as error:
        raise ValueError(
            f"{_shown(value)} is no length of time; write seconds, or text such as 90s, 10m, 1h30m"
        ) from error


def _window(value: Any) -> float | None:
    return None if value == UNLIMITED else _seconds(value)


def _one_of(words: Collection[str]) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value not in words:
            near = did_you_mean(str(value), words)
            raise ValueError(f"{_shown(value)} is none of {', '.join(words)}" + (f".{near}" if near else ""))
        return str(value)

    return convert


def _priority(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_PRIORITY:
        raise ValueError(f"{_shown(value)} is no whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}")
    return value


def _params(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{_shown(value)} is no table")  # noqa: TRY004 - a value of the file
    odd = next((item for item in _leaves(value) if not isinstance(item, str | int | float | bool)), None)
    if odd is not None:
        raise ValueError(f"{odd} has no form in JSON; write dates and times as text in quotes")
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(inner)
    else:
        yield value


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
