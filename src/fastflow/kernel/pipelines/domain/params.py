"""The parameter schema: JSON Schema written as TOML, or the short typed table from which one is derived.

```toml
[params]                      # short: a type, or a table with a type
CITY = "string"
DAYS = { type = "integer", default = 7, minimum = 1 }
```
"""

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import SchemaError
from jsonschema.validators import Draft202012Validator, validator_for

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.toml_text import TomlText
from fastflow.kit.words import did_you_mean

TYPES = ("string", "integer", "number", "boolean", "array", "object")
_PARAM_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPE_HINT = (
    f'Write a type ({", ".join(TYPES)}), a table such as {{type = "integer", default = 7}}, '
    "or a JSON Schema with [params.properties]."
)
_MISPLACED = "If {0} is meant as the pipeline's setting, move the line up, above [params]: a key below a heading belongs to that table."
_NAME_HINT = "Use letters, digits and `_`: the parameter is handed in as the environment variable PARAM_<NAME>."


def read_params(toml: TomlText, faults: FaultList, settings: Collection[str] = ()) -> dict[str, Any] | None:
    """The JSON Schema that the `[params]` table means; None when it cannot be used, which is noted as faults.

    Args:
        toml: the table.
        faults: takes what is wrong.
        settings: a pipeline's settings; one of them among the parameters is likely to stand below the wrong heading.
    """
    table = toml.table
    if not _is_json_safe(toml, faults):
        return None
    before = len(faults.found)
    schema = table if is_json_schema(table) else _derived(toml, faults, settings)
    if len(faults.found) > before or not _is_valid(schema, toml, faults):
        return None
    _check_names(schema, toml, faults)
    _check_defaults(schema, toml, faults)
    return schema


def is_json_schema(table: Mapping[str, Any]) -> bool:
    """Whether the table is a JSON Schema itself rather than the short form.

    >>> is_json_schema({"required": ["CITY"], "properties": {"CITY": {}}}), is_json_schema({"type": "string"})
    (True, False)
    """
    return "$schema" in table or table.get("type") == "object" or isinstance(table.get("properties"), Mapping)


def _derived(toml: TomlText, faults: FaultList, settings: Collection[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, value in toml.table.items():
        fragment = {"type": value} if isinstance(value, str) else value
        problem = _type_problem(fragment)
        if problem is not None:
            faults.error(
                toml.file,
                f"The parameter {name!r} {problem}",
                _MISPLACED.format(name) if name in settings else _TYPE_HINT,
                line=toml.line(name),
            )
            continue
        fragment = dict(fragment)
        if fragment.pop("required", "default" not in fragment):
            required.append(name)
        properties[name] = fragment
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _type_problem(fragment: Any) -> str | None:
    if not isinstance(fragment, Mapping):
        return "is neither a type nor a table."
    if not isinstance(fragment.get("required", True), bool):
        return "has a `required` that is neither true nor false."
    types = fragment.get("type")
    if types is None:
        return None if {"enum", "const", "anyOf", "oneOf", "allOf"} & set(fragment) else "has no type."
    for name in types if isinstance(types, list) else [types]:
        if name not in (*TYPES, "null"):
            meant = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array"}
            guess = f" Did you mean {meant[name]!r}?" if name in meant else did_you_mean(str(name), TYPES)
            return f"has the unknown type {name!r}.{guess}"
    return None


def _is_valid(schema: dict[str, Any], toml: TomlText, faults: FaultList) -> bool:
    problem = _schema_problem(json.dumps(schema))
    if problem is not None:
        path, message = problem
        faults.error(
            toml.file,
            f"The parameter schema is wrong at {'.'.join(['params', *path])}: {message}.",
            "Correct it as JSON Schema (json-schema.org, draft 2020-12) asks.",
            line=_line_of(toml, *path),
        )
        return False
    remote = [ref for ref in _references(schema) if not ref.startswith("#")]
    if remote:
        faults.error(
            toml.file,
            f"The parameter schema refers to {remote[0]!r}, which is not part of it.",
            'Copy the referred schema into `$defs` and refer to it as "#/$defs/NAME"; nothing is fetched.',
            line=toml.line(),
        )
    return not remote


@lru_cache(maxsize=1000)
def _schema_problem(text: str) -> tuple[tuple[str, ...], str] | None:
    """Where a schema is wrong, and why. It takes milliseconds to find out, and the next version of a pipeline mostly has the
    same parameters, so it is kept."""
    schema = json.loads(text)
    validator = validator_for(schema, default=Draft202012Validator)
    try:
        validator.check_schema(schema, format_checker=validator.FORMAT_CHECKER)  # type: ignore[call-arg]  # missing in the protocol
    except SchemaError as error:
        return tuple(str(part) for part in error.absolute_path), error.message[:300]
    return None


def _check_names(schema: Mapping[str, Any], toml: TomlText, faults: FaultList) -> None:
    for name in schema.get("properties", {}):
        if not _PARAM_NAME.fullmatch(name):
            line = _line_of(toml, "properties", name)
            faults.error(toml.file, f"The parameter name {name!r} cannot be used.", _NAME_HINT, line=line)


def _check_defaults(schema: dict[str, Any], toml: TomlText, faults: FaultList) -> None:
    validator = validator_for(schema, default=Draft202012Validator)
    for name, fragment in schema.get("properties", {}).items():
        if not isinstance(fragment, Mapping) or "default" not in fragment:
            continue
        wrong = next(validator(schema).evolve(schema=fragment).iter_errors(fragment["default"]), None)
        if wrong is not None:
            faults.error(
                toml.file,
                f"The default of the parameter {name!r} does not fit its own schema: {wrong.message[:300]}.",
                "Correct the default or the schema.",
                line=_line_of(toml, "properties", name, "default"),
            )


def _line_of(toml: TomlText, *path: str) -> int | None:
    """The line of a place in the schema, which in the short form has no `properties` around it."""
    for keys in (path, path[1:]):
        for length in range(len(keys), 0, -1):
            found = toml.exact_line(*keys[:length])
            if found is not None:
                return found
    return toml.line()


def _is_json_safe(toml: TomlText, faults: FaultList) -> bool:
    """TOML knows dates, times, nan and inf; JSON does not."""
    for path, value in _leaves(toml.table):
        if not isinstance(value, str | int | float | bool) or (isinstance(value, float) and not math.isfinite(value)):
            faults.error(
                toml.file,
                f"params.{'.'.join(path)} = {value} has no form in JSON.",
                "Write dates and times as strings in quotes, and leave out nan and inf.",
                line=toml.line(*path),
            )
            return False
    return True


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(index)))
    else:
        yield path, value


def _references(schema: Any) -> Iterator[str]:
    for path, value in _leaves(schema):
        if path and path[-1] in ("$ref", "$dynamicRef") and isinstance(value, str):
            yield value
