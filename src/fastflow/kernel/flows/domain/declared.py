"""Reads `after` out of a pipeline's settings, with every problem by its key, and judges it with file and line."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from fastflow.kernel.flows.domain.after import (
    DEFAULT_ITEM,
    DEFAULT_LIMIT,
    JOINS,
    MAX_ELEMENTS,
    After,
    ApprovalRule,
    Join,
)
from fastflow.kernel.flows.domain.expressions import MAX_CONDITION, ConditionError, parse_condition, references_in
from fastflow.kernel.flows.domain.references import ReferenceProblem, holes_in, reference_problem
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.names import name_problem
from fastflow.kernel.pipelines.domain.pipeline import PipelineSettings
from fastflow.kernel.pipelines.domain.toml_text import TomlText
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import InvalidInput
from fastflow.kit.words import did_you_mean

AFTER_KEYS = ("pipelines", "join", "when", "params", "foreach", "item", "limit", "max_failures", "approval")
APPROVAL_KEYS = ("timeout", "on_timeout", "users", "note")
_MAX_UPSTREAMS = 200
_SHARE = re.compile(r"\d{1,2}(?:\.\d+)?%|100%")
_HINT = 'Write after = ["extract"], or a table [after] with pipelines = [...] and ' + ", ".join(AFTER_KEYS[1:]) + "."


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What was read.

    Attributes:
        after: None when nothing is declared or something is wrong.
        problems: by key, dotted; an empty key stands for the whole.
        named: of a faulty one: the texts that may be names of upstreams.
    """

    after: After | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    named: Sequence[str] = ()


def judge_after(toml: TomlText, faults: FaultList, settings: PipelineSettings) -> None:
    """Note what is wrong with `after` in the settings, with the lines; a `Judge` of the pipelines."""
    read = read_after(faults.pipeline, settings.after, settings.params_schema)
    for key, problem in read.problems.items():
        path = ("after", *(part for part in key.split(".") if part))
        told = f"after{'.' + key if key else ''}: {problem}"
        faults.error(toml.file, told if told.endswith("?") else f"{told}.", _HINT, line=toml.line(*path))


def read_after(pipeline_name: str, value: Any, schema: Mapping[str, Any] | None) -> Declared:
    """The value of `after`.

    Args:
        pipeline_name: whose it is.
        value: as TOML gives it; None: it stands in no flow but as a root.
        schema: of the pipeline's parameters.
    """
    if value is None:
        return Declared()
    if isinstance(value, list):
        if any(isinstance(each, Mapping) for each in value):
            problem = {"": "there is one table: head it with [after], in single brackets"}
            return Declared(problems=problem, named=_texts_in(value))
        value = {"pipelines": value}
    reader = _Reader(value)
    after = reader.after()
    problems = {**reader.problems, **_problems_together(pipeline_name, after, schema, reader.problems)}
    if not problems:
        return Declared(after=after)
    return Declared(problems=problems, named=after.pipelines or _texts_in(value.get("pipelines", value)))


class _Reader:
    """Takes values out of the table and notes what is wrong with them."""

    def __init__(self, table: Mapping[str, Any], known: Sequence[str] = AFTER_KEYS, prefix: str = "") -> None:
        self._table = table
        self._prefix = prefix
        self.problems: dict[str, str] = {}
        for key in table:
            if key not in known:
                near = did_you_mean(key, known)
                self.problems[prefix + key] = f"is no key of {'approval' if prefix else 'after'}" + (
                    f".{near}" if near else ""
                )

    def after(self) -> After:
        if "pipelines" not in self._table:
            self.problems["pipelines"] = "is missing: it names the upstreams"
        return After(
            pipelines=self.take("pipelines", _names, ()),
            join=cast("Join", self.take("join", _one_of(JOINS), "all")),
            when=self.take("when", _condition, None),
            params=self.take("params", _mapping, {}),
            foreach=self.take("foreach", _foreach, None),
            item=self.take("item", _variable, DEFAULT_ITEM),
            limit=self.take("limit", _whole(1, MAX_ELEMENTS), DEFAULT_LIMIT),
            max_failures=self.take("max_failures", _failures, 0),
            approval=self._approval(),
        )

    def _approval(self) -> ApprovalRule | None:
        table = self.take("approval", _approval_table, None)
        if table is None:
            return None
        reader = _Reader(table, APPROVAL_KEYS, "approval.")
        rule = ApprovalRule(
            timeout=reader.take("timeout", _seconds, ApprovalRule.timeout),
            on_timeout=reader.take("on_timeout", _one_of(("approve", "deny")), "deny"),
            users=reader.take("users", _texts, ()),
            note=reader.take("note", _note, ""),
        )
        self.problems.update(reader.problems)
        return rule

    def take(self, key: str, convert: Callable[[Any], Any], default: Any) -> Any:
        if key not in self._table:
            return default
        try:
            return convert(self._table[key])
        except ValueError as error:
            self.problems[self._prefix + key] = str(error)
            return default


def _problems_together(
    pipeline_name: str, after: After, schema: Mapping[str, Any] | None, known: Mapping[str, str]
) -> Mapping[str, str]:
    """What is wrong with values that are right by themselves."""
    problems: dict[str, str] = {}
    upstreams = after.pipelines
    if pipeline_name in upstreams:
        problems["pipelines"] = f"{pipeline_name!r} is the pipeline itself, which cannot run after itself"
    if "pipelines" in known:
        return problems
    for name in references_in(parse_condition(after.when)) if after.when is not None else ():
        wrong = reference_problem(name, upstreams)
        if wrong:
            problems["when"] = wrong
    if after.when is not None and not list(references_in(parse_condition(after.when))):
        problems["when"] = f"{after.when!r} names no output: it would decide the same at every run"
    if isinstance(after.foreach, str):
        wrong = reference_problem(after.foreach, upstreams)
        if wrong:
            problems["foreach"] = wrong
    if after.foreach is None and (after.item, after.limit, after.max_failures) != (DEFAULT_ITEM, DEFAULT_LIMIT, 0):
        problems["foreach"] = "is missing: item, limit and max_failures belong to it"
    problems.update(_problems_of_params(after, schema))
    return problems


def _problems_of_params(after: After, schema: Mapping[str, Any] | None) -> Mapping[str, str]:
    problems: dict[str, str] = {}
    for name, value in after.params.items():
        try:
            wrong = [
                problem
                for hole in holes_in(value)
                if (problem := reference_problem(hole, after.pipelines, has_item=after.foreach is not None))
            ]
        except ReferenceProblem as error:
            wrong = [str(error)]
        if wrong:
            problems[f"params.{name}"] = wrong[0]
    if schema is None:
        return problems
    properties = schema.get("properties", {})
    given = set(after.params) | ({after.item} if after.foreach is not None else set())
    if schema.get("additionalProperties", "properties" not in schema) is False or "properties" in schema:
        for name in sorted(given - set(properties)):
            if "patternProperties" not in schema and not schema.get("additionalProperties"):
                key = f"params.{name}" if name in after.params else "item"
                problems.setdefault(
                    key, f"{name} is no parameter of this pipeline.{did_you_mean(name, properties)}".rstrip(".")
                )
    for name in schema.get("required", ()):
        if name not in given and "default" not in properties.get(name, {}):
            problems.setdefault("params", f"{name} is required by [params] and not set here")
    return problems


# --- what the keys take ----------------------------------------------------------------------------------------------


def _names(value: Any) -> tuple[str, ...]:
    names = _texts(value)
    if not names:
        raise ValueError("names no pipeline")
    if len(names) > _MAX_UPSTREAMS:
        raise ValueError(f"names {len(names)} pipelines; at most {_MAX_UPSTREAMS} are allowed")
    for name in names:
        problem = name_problem(name)
        if problem:
            raise ValueError(f"{name[:60]!r} is no pipeline: {problem}")
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ValueError(f"names {twice!r} twice")
    return names


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise ValueError('is no list of names, such as ["extract"]')
    return tuple(each.strip() for each in value)


def _condition(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_CONDITION:
        raise ValueError('is no condition in quotes, such as "extract.rows > 0"')
    try:
        parse_condition(value)
    except ConditionError as error:
        raise ValueError(f"{value!r} is no condition: {error}") from error
    return value.strip()


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("is no table; head it with [after.params]")  # noqa: TRY004 - a value of the file
    odd = next((each for each in _leaves(value) if not isinstance(each, str | int | float | bool)), None)
    if odd is not None:
        raise ValueError(f"{odd} has no form in JSON; write dates and times as text in quotes")
    return value


def _texts_in(value: Any) -> list[str]:
    return [leaf.strip() for leaf in _leaves(value) if isinstance(leaf, str)]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    return [leaf for inner in value for leaf in _leaves(inner)] if isinstance(value, list) else [value]


def _foreach(value: Any) -> Any:
    if isinstance(value, str) and value.strip():
        return value.strip()
    if not isinstance(value, list):
        raise ValueError('is neither a list nor a reference to one, such as "extract.files"')  # noqa: TRY004
    if len(value) > MAX_ELEMENTS:
        raise ValueError(f"has {len(value)} elements; at most {MAX_ELEMENTS} are allowed")
    _mapping({"list": value})
    return value


def _variable(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,199}", value, re.ASCII):
        raise ValueError("is no name of a parameter")
    return value


def _whole(lowest: int, highest: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ValueError(f"{value!r} is no whole number from {lowest} to {highest}")
        return value

    return convert


def _failures(value: Any) -> int | str:
    if isinstance(value, str) and _SHARE.fullmatch(value.strip()):
        return value.strip()
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_ELEMENTS:
        raise ValueError(f'{value!r} is neither a number of elements nor a share such as "10%"')
    return value


def _approval_table(value: Any) -> dict[str, Any] | None:
    if value is False:
        return None
    if value is True:
        return {}
    if not isinstance(value, dict):
        raise ValueError('is neither true nor a table, such as { timeout = "4h", users = ["olga"] }')  # noqa: TRY004
    return value


def _one_of(words: Sequence[str]) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return str(value)

    return convert


def _seconds(value: Any) -> float:
    try:
        return parse_duration(value, "it")
    except InvalidInput as error:
        raise ValueError(f"{value!r} is no length of time, such as 4h or 2d") from error


def _note(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 500:
        raise ValueError("is no text of at most 500 characters")
    return value.strip()
