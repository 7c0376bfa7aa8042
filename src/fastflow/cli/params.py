"""Parameters from the command line: `-p KEY=VALUE` is text, which the pipeline's schema says how to read."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fastflow.cli.errors import WrongUsage
from fastflow.kit.errors import InvalidInput

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list in JSON",
    "object": "an object in JSON",
    "null": "null",
}
_ORDER = ("null", "boolean", "integer", "number", "array", "object")
_INTEGER = re.compile(r"[+-]?\d{1,300}")


def parse_params(pairs: Sequence[str], json_text: str | None, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters that `-p` and `--json-params` give; `-p` wins.

    Args:
        pairs: `KEY=VALUE` each.
        json_text: a JSON object, or None.
        schema: the pipeline's; None takes every value of `-p` as text.

    Raises:
        WrongUsage: a pair has no `=`, a key comes twice, or the JSON is none.
        InvalidInput: a value cannot be read as what the schema wants; names every such parameter.
    """
    params = _parse_object(json_text)
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise WrongUsage(f"-p {pair!r} is not KEY=VALUE.", hint="Write -p CITY=Ulm; for no text at all: -p CITY=.")
        if name in given:
            raise WrongUsage(f"The parameter {name} is given twice.", hint="Give each parameter once.")
        given[name] = value
    problems: dict[str, str] = {}
    for name, value in given.items():
        types = _types_of(name, schema or {})
        try:
            params[name] = read_value(value, types)
        except ValueError:
            wanted = " or ".join(_WORDS[kind] for kind in _ORDER if kind in types)
            problems[f"params.{name}"] = f"{value[:80]!r} is not {wanted}"
    if problems:
        problems |= _other_problems(params, schema, problems)
        raise InvalidInput(
            "Parameters have the wrong form.",
            code="invalid_params",
            hint="Correct the named parameters; `fastflow pipelines show NAME` shows what the pipeline takes.",
            fields=problems,
        )
    return params


def _other_problems(
    params: Mapping[str, Any], schema: Mapping[str, Any] | None, known: Collection[str]
) -> dict[str, str]:
    """What the server would say of the other parameters, so that all is told at once."""
    from fastflow.kernel.runs.domain.params import validate_params

    try:
        validate_params(params, schema)
    except InvalidInput as error:
        return {name: problem for name, problem in error.fields.items() if name not in known}
    return {}


def _parse_object(json_text: str | None) -> dict[str, Any]:
    if json_text is None:
        return {}
    try:
        parsed = json.loads(json_text, object_pairs_hook=_without_repeats)
    except ValueError as error:
        raise WrongUsage(
            f"--json-params is not JSON: {error}.", hint='Write --json-params \'{"CITY": "Ulm"}\'.'
        ) from error
    if not isinstance(parsed, dict):
        raise WrongUsage("--json-params is not a JSON object.", hint='Write --json-params \'{"CITY": "Ulm"}\'.')
    return parsed


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; JSON readers take the last of several equal keys, which is hardly ever what was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise WrongUsage(
            f"The key {repeated[:80]!r} is written {names.count(repeated)} times in one JSON object.",
            hint="Write each key once.",
        )
    return found


def read_value(text: str, types: frozenset[str]) -> Any:
    """The text as the first of the types that it fits; text where the schema allows text or says nothing.

    Raises:
        ValueError: it fits none.

    >>> read_value("3", frozenset({"integer"})), read_value("3", frozenset({"string"})), read_value("no", frozenset({"boolean"}))
    (3, '3', False)
    """
    for kind in _ORDER:
        if kind in types:
            try:
                return _READERS[kind](text, "string" in types)
            except ValueError:
                continue
    if types and "string" not in types:
        raise ValueError(text)
    return text


def _read_null(text: str, _or_text: bool) -> None:
    if text != "null":
        raise ValueError(text)


def _read_boolean(text: str, or_text: bool) -> bool:
    word = text.lower()
    if word == "true" or (not or_text and word in _TRUE):
        return True
    if word == "false" or (not or_text and word in _FALSE):
        return False
    raise ValueError(text)


def _read_integer(text: str, _or_text: bool) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise ValueError(text)
    return int(text)


def _read_number(text: str, _or_text: bool) -> float | int:
    if _INTEGER.fullmatch(text.strip()):
        return int(text)
    number = float(text)
    if "_" in text or number != number or number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _read_array(text: str, _or_text: bool) -> list[Any]:
    value = json.loads(text, object_pairs_hook=_without_repeats)
    if not isinstance(value, list):
        raise ValueError(text)  # noqa: TRY004 - the text does not fit
    return value


def _read_object(text: str, _or_text: bool) -> dict[str, Any]:
    value = json.loads(text, object_pairs_hook=_without_repeats)
    if not isinstance(value, dict):
        raise ValueError(text)  # noqa: TRY004 - the text does not fit
    return value


_READERS: Mapping[str, Any] = {
    "null": _read_null,
    "boolean": _read_boolean,
    "integer": _read_integer,
    "number": _read_number,
    "array": _read_array,
    "object": _read_object,
}


def _types_of(name: str, schema: Mapping[str, Any]) -> frozenset[str]:
    """The JSON types the schema allows for the parameter; none when it does not say."""
    properties = schema.get("properties")
    part = properties.get(name) if isinstance(properties, Mapping) else None
    if part is None:
        part = schema.get("additionalProperties")
    return _types(part, schema, 0)


def _types(part: Any, schema: Mapping[str, Any], depth: int) -> frozenset[str]:
    if not isinstance(part, Mapping) or depth > 10:
        return frozenset()
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        found: Any = schema
        for step in reference[2:].split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        return _types(found, schema, depth + 1)
    kinds = part.get("type")
    if isinstance(kinds, str):
        return frozenset({kinds})
    if isinstance(kinds, list):
        return frozenset(str(kind) for kind in kinds)
    if "const" in part or "enum" in part:
        values = part.get("enum", [part.get("const")])
        return frozenset(_type_of_value(value) for value in values)
    inner = [*part.get("anyOf", ()), *part.get("oneOf", ()), *part.get("allOf", ())]
    return frozenset().union(*(_types(one, schema, depth + 1) for one in inner))


def _type_of_value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    kinds: tuple[tuple[type, str], ...] = ((float, "number"), (list, "array"), (dict, "object"))
    return next((word for kind, word in kinds if isinstance(value, kind)), "string")
