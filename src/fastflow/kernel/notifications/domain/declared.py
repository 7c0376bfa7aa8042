"""Rules declared in a pipeline's settings: `[[notify]]` entries, read with every problem by entry and key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from fastflow.kernel.notifications.domain.errors import InvalidRule
from fastflow.kernel.notifications.domain.rule import DAYS, FAILURE_REASONS, Day, Event, RuleDefinition, check
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.pipeline import PipelineSettings
from fastflow.kernel.pipelines.domain.toml_text import TomlText
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import InvalidInput
from fastflow.kit.words import did_you_mean

NOTIFY_KEYS = (
    "name", "on", "channels", "severity", "reasons", "after", "factor", "mad", "min_history", "by", "timezone", "days", "within",
    "repeat_every",
)  # fmt: skip
_KEY_OF_FIELD = {"events": "on"}
_MAX_TEXT = 200


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One `[[notify]]` entry.

    Attributes:
        place: 0 is the first.
        definition: None when there are problems.
        problems: by key; an empty key stands for the entry as a whole.
    """

    place: int
    definition: RuleDefinition | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


def judge_notify(toml: TomlText, faults: FaultList, settings: PipelineSettings) -> None:
    """Note what is wrong with the settings' rules, with the lines; a `Judge` of the pipelines."""
    for entry in read_declared(faults.pipeline, settings.notify):
        table = toml.below("notify", str(entry.place))
        name = table.table.get("name")
        told = f" {name!r}" if isinstance(name, str) else f" at place {entry.place + 1}"
        for key, problem in entry.problems.items():
            message = f"The notification rule{told}: {key and f'{key}: '}{problem}"
            line = table.line(*(part for part in key.split(".") if part))
            faults.error(toml.file, message if message.endswith("?") else f"{message}.", _HINT, line=line)


_HINT = "Known keys are " + ", ".join(NOTIFY_KEYS) + "; the page on pipeline.toml says what each takes."


def read_declared(pipeline_name: str, value: Any) -> Sequence[Entry]:
    """The entries in the value of `notify`.

    Args:
        pipeline_name: whose they are.
        value: as TOML gives it; None: there are none.
    """
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return (Entry(place=0, problems={"": "head it with [[notify]], in double brackets: there may be several"}),)
    entries: list[Entry] = []
    for place, table in enumerate(value):
        entry = _read(pipeline_name, place, table, len(value))
        names = {other.definition.name for other in entries if other.definition is not None}
        if entry.definition is not None and entry.definition.name in names:
            entry = Entry(place=place, problems={"name": f"{entry.definition.name!r} is taken by an earlier rule"})
        entries.append(entry)
    return entries


def _read(pipeline_name: str, place: int, table: Any, count: int) -> Entry:
    if not isinstance(table, Mapping):
        return Entry(place=place, problems={"": "it is no table; head each with [[notify]]"})
    reader = _Reader(table)
    definition = reader.definition(pipeline_name, "default" if count == 1 else f"notify-{place + 1}")
    problems = dict(reader.problems)
    try:
        definition = check(definition)
    except InvalidRule as error:
        for name, problem in error.fields.items():
            problems.setdefault(_KEY_OF_FIELD.get(name, name), problem)
    return Entry(place=place, problems=problems) if problems else Entry(place=place, definition=definition)


class _Reader:
    """Takes values out of one entry and notes what is wrong with them."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table
        self.problems: dict[str, str] = {}
        for key in table:
            if key not in NOTIFY_KEYS:
                near = did_you_mean(key, NOTIFY_KEYS)
                self.problems[key] = "is no key of a notification rule" + (f".{near}" if near else "")

    def definition(self, pipeline_name: str, name: str) -> RuleDefinition:
        """The entry; where `problems` has something, with a default in place of what is wrong."""
        mad = self._take("mad", _number, None)
        return RuleDefinition(
            pipeline_name=pipeline_name,
            name=self._take("name", _text, name),
            events=cast("tuple[Event, ...]", self._take("on", _words, ("failure",))),
            channels=self._take("channels", _words, ()),
            severity=self._take("severity", _text, None),
            reasons=self._take("reasons", _words, FAILURE_REASONS),
            after=self._take("after", _seconds, 300.0),
            factor=self._take("factor", _number, None if mad is not None else 2.0),
            mad=mad,
            min_history=self._take("min_history", _whole, 5),
            by=self._take("by", _text, None),
            timezone=self._take("timezone", _text, "UTC"),
            days=cast("tuple[Day, ...]", self._take("days", _words, DAYS)),
            within=self._take("within", _seconds, 86_400.0),
            repeat_every=self._take("repeat_every", _seconds, None),
        )

    def _take(self, key: str, convert: Callable[[Any], Any], default: Any) -> Any:
        if key not in self._table:
            return default
        try:
            return convert(self._table[key])
        except ValueError as error:
            self.problems[key] = str(error)
            return default


def _text(value: Any) -> str:
    if hasattr(value, "isoformat"):  # 08:00 without quotes is a time of day in TOML
        return str(value.isoformat())[:5]
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_TEXT:
        raise ValueError(f"{_shown(value)} is no text of 1 to {_MAX_TEXT} characters in quotes")
    return value.strip()


def _words(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise ValueError(f"{_shown(value)} is no list of words in quotes")
    return tuple(values)


def _seconds(value: Any) -> float:
    try:
        return parse_duration(value, "it")
    except InvalidInput as error:
        raise ValueError(
            f"{_shown(value)} is no length of time; write seconds, or text such as 90s, 10m, 1h30m"
        ) from error


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is no number")  # noqa: TRY004 - a value of the file
    return float(value)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is no whole number")  # noqa: TRY004 - a value of the file
    return value


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
