"""Parameters: checked against the pipeline's JSON Schema, completed with its defaults, encoded for the environment.

Values are never coerced: the text "3" is not the number 3. Who has only text (a form, a command line) parses it first.
"""

import copy
import difflib
import functools
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from fastflow.kernel.runs.domain.errors import InvalidParams
from fastflow.kit.errors import InvalidInput

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

MAX_VALUE_BYTES: Final = 120_000
"""Linux refuses an environment variable of more than 128 KiB."""
MAX_TOTAL_BYTES: Final = 1_000_000
"""Half of what Linux allows for all arguments and variables of a process."""
MAX_DEPTH: Final = 50
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TYPE_WORDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_MAX_SHOWN = 80
_MAX_PROBLEMS = 20


def validate_params(params: Mapping[str, Any], schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters with the schema's defaults filled in. Pure; `params` is left as it is.

    Args:
        params: name -> JSON value.
        schema: JSON Schema (draft 2020-12) of the whole object; None accepts any object. A schema with `properties`
            that says nothing of additional ones refuses them.

    Raises:
        InvalidParams: names every wrong field with its problem.
        InvalidInput: the schema itself cannot be used (code `pipeline_broken`).

    >>> validate_params({"CITY": "Ulm"}, {"properties": {"CITY": {"type": "string"}, "TOP": {"default": 3}}})
    {'CITY': 'Ulm', 'TOP': 3}
    """
    problems = dict(_problems_of_transport(params))
    if problems:
        raise InvalidParams(problems)
    complete = dict(copy.deepcopy(dict(params)))
    if schema is None:
        return complete
    _fill_defaults(complete, schema)
    problems = _schema_problems(complete, schema)
    if problems:
        raise InvalidParams(problems)
    _check_sizes(complete)
    return complete


def encode_environment(params: Mapping[str, Any]) -> dict[str, str]:
    """`PARAM_<NAME>` for each parameter: text as it is, every other value as JSON.

    >>> encode_environment({"CITY": "Ulm", "TOP": 3, "ALL": True})
    {'PARAM_CITY': 'Ulm', 'PARAM_TOP': '3', 'PARAM_ALL': 'true'}
    """
    return {f"PARAM_{name}": encode_value(value) for name, value in params.items()}


def encode_value(value: Any) -> str:
    """Text as it is, every other value as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _problems_of_transport(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What no schema can allow: names that are no variable names, values that no environment or database can hold."""
    total = 0
    for name, value in params.items():
        field = f"params.{name[:_MAX_SHOWN]}"
        if not _NAME.fullmatch(name) or len(name) > 200:
            yield field, "not a name for a variable: use letters, digits and _, not starting with a digit"
            continue
        problem = _value_problem(value, 0)
        if problem is None:
            size = len(encode_value(value).encode())
            total += size
            if size > MAX_VALUE_BYTES:
                problem = (
                    f"{size} bytes are too many for an environment variable (at most {MAX_VALUE_BYTES}); pass a path"
                )
        if problem:
            yield field, problem
    if total > MAX_TOTAL_BYTES:
        yield "params", f"{total} bytes together are too many (at most {MAX_TOTAL_BYTES}); pass a path"


def _check_sizes(params: Mapping[str, Any]) -> None:
    problems = dict(_problems_of_transport(params))
    if problems:
        raise InvalidParams(problems)


def _value_problem(value: Any, depth: int) -> str | None:
    if depth > MAX_DEPTH:
        return f"nested deeper than {MAX_DEPTH} levels"
    if isinstance(value, str):
        return _text_problem(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "not a finite number"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 1024:
        return "a number of more than 300 digits"
    if isinstance(value, Mapping):
        inner = (
            problem for key, item in value.items() for problem in (_text_problem(key), _value_problem(item, depth + 1))
        )
        return next((problem for problem in inner if problem), None)
    if isinstance(value, list | tuple):
        return next((problem for item in value if (problem := _value_problem(item, depth + 1))), None)
    return None


def _text_problem(text: str) -> str | None:
    if "\0" in text:
        return "contains a NUL character, which no environment variable can hold"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains half of a surrogate pair, which is no text"
    return None


def _fill_defaults(value: dict[str, Any], schema: Mapping[str, Any]) -> None:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return
    for name, part in properties.items():
        if not isinstance(part, Mapping):
            continue
        if name not in value and "default" in part:
            value[name] = copy.deepcopy(part["default"])
        if isinstance(value.get(name), dict):
            _fill_defaults(value[name], part)


def _schema_problems(params: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, str]:
    from jsonschema.exceptions import SchemaError  # imported where parameters are checked: most commands only look
    from referencing.exceptions import Unresolvable

    problems: dict[str, str] = {}
    try:
        for error in _validator(_schema_text(schema)).iter_errors(params):
            for field, problem in _explain(error):
                problems.setdefault(field, problem)
            if len(problems) >= _MAX_PROBLEMS:
                break
    except (SchemaError, Unresolvable, re.error, RecursionError, TypeError) as error:
        raise InvalidInput(
            f"The pipeline's parameter schema cannot be used: {str(error).splitlines()[0][:300]}",
            code="pipeline_broken",
            hint="Correct [params] in the pipeline's settings; `GET /pipelines/{name}/check` shows the place.",
            fields={"params_schema": "not a usable JSON Schema"},
        ) from error
    return problems


def _schema_text(schema: Mapping[str, Any]) -> str:
    strict = dict(schema)
    if "properties" in strict:
        strict.setdefault("additionalProperties", False)
    strict["type"] = "object"
    return json.dumps(strict, sort_keys=True, default=str)


@functools.lru_cache(maxsize=256)
def _validator(schema_text: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator
    from jsonschema_specifications import REGISTRY

    schema = json.loads(schema_text)
    Draft202012Validator.check_schema(schema)
    # The registry knows the drafts alone: a `$ref` to an address is refused instead of fetched.
    return Draft202012Validator(schema, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _explain(error: "ValidationError") -> Iterator[tuple[str, str]]:
    wanted: Any = error.validator_value
    path = ".".join(["params", *(str(part) for part in error.absolute_path)])
    if error.validator == "required" and isinstance(error.instance, Mapping):
        for name in wanted:
            if name not in error.instance:
                yield f"{path}.{name}", "missing, and the pipeline requires it"
    elif error.validator == "additionalProperties" and wanted is False:
        known = list(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else []
        patterns = list(error.schema.get("patternProperties", {})) if isinstance(error.schema, Mapping) else []
        given: Any = error.instance
        for name in given:
            if name not in known and not any(re.search(pattern, name) for pattern in patterns):
                yield f"{path}.{name}", _unknown(name, known)
    else:
        yield path, _sentence(error)


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1) or [k for k in known if k.lower() == name.lower()]
    if near:
        return f"unknown parameter; did you mean {near[0]}?"
    return (
        f"unknown parameter; known are {', '.join(sorted(known)[:20])}" if known else "unknown parameter; it takes none"
    )


def _sentence(error: "ValidationError") -> str:
    instance: Any = error.instance
    given, wanted = _shown(instance), cast("Any", error.validator_value)
    match error.validator:
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else list(wanted)
            words = " or ".join(_TYPE_WORDS.get(kind, kind) for kind in kinds)
            note = "; text is not converted, leave the quotes away" if _is_quoted(error.instance, kinds) else ""
            return f"{given} is not {words}{note}"
        case "enum":
            return f"{given} is none of {', '.join(_shown(choice) for choice in wanted[:20])}"
        case "minimum":
            return f"{given} is less than {wanted}"
        case "maximum":
            return f"{given} is more than {wanted}"
        case "pattern":
            return f"{given} does not match the pattern {wanted}"
        case "format":
            return f"{given} is not of the format {wanted}"
        case "minLength" | "maxLength":
            return f"{given} has {len(instance)} characters, {'at least' if error.validator == 'minLength' else 'at most'} {wanted} are allowed"
        case _:
            text = error.message
            return text if len(text) <= 200 else f"{text[:200]}…"


def _is_quoted(value: Any, kinds: list[str]) -> bool:
    if not isinstance(value, str) or not {"integer", "number", "boolean"} & set(kinds):
        return False
    try:
        return isinstance(json.loads(value), bool | int | float)
    except ValueError:
        return False


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
