"""What is wrong with a value, in our own words: the one translation of the validator's errors, for the API, the settings
and the command line.

An error comes as pydantic reports it: `type`, `msg`, `ctx`, `input`, `loc`. This module does not import pydantic.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fastflow.kit.addresses import without_credentials
from fastflow.kit.words import counted

_MAX_SHOWN = 80
_CONTAINERS: tuple[tuple[type, str], ...] = ((dict, "an object"), (list, "a list"), (tuple, "a list"), (set, "a list"))

_WANTED: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "finite_number": "a finite number",
    "bool": "true or false",
    "string": "text",
    "bytes": "text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "an object",
    "mapping": "an object",
    "model": "an object",
    "dataclass": "an object",
    "datetime": "an instant such as 2026-11-21T04:35:18Z",
    "date": "a date such as 2026-11-21",
    "time": "a time such as 04:35:18",
    "time_delta": "a duration",
    "path": "a path",
    "uuid": "a UUID",
    "url": "a URL",
    "json": "JSON",
    "none": "null",
}
"""First words of pydantic's error types -> what such a field takes."""

_LIMITS = ("ge", "gt", "le", "lt")
_SHAPE = re.compile(
    r"(?P<kind>[a-z_]+?)_(?:type|parsing|parsing_size|from_float|from_date_parsing|from_date_inexact|object_invalid|"
    r"attributes_type|sub_type|unicode|exact_type|class_type|invalid)"
)


def describe(item: Mapping[str, Any], *, hide_value: bool = False, bounds: str = "") -> str:
    """What is wrong with the value, to be put behind its name and a colon.

    Args:
        item: one of the errors of a pydantic `ValidationError`.
        hide_value: never show what was given: it may be a secret.
        bounds: what `describe_bounds` said; told with what a number should have been.

    >>> describe({"type": "int_parsing", "input": "abc"}, bounds=" from 1 to 500")
    "'abc' is not a whole number from 1 to 500"
    >>> describe({"type": "less_than_equal", "input": 900, "ctx": {"le": 500}})
    '900 is more than 500, the most allowed'
    """
    kind, ctx = str(item.get("type", "")), item.get("ctx") or {}
    if kind in _FIXED:
        return _FIXED[kind]
    given = "the value" if hide_value else shown(item.get("input"))
    if kind in _VERBS:
        return f"{given} {_VERBS[kind](ctx)}"
    if kind in ("enum", "literal_error"):
        return _not_among(given, str(ctx.get("expected", "")))
    if kind in ("value_error", "assertion_error"):
        return str(ctx.get("error") or _plain(item))
    shape = _SHAPE.fullmatch(kind)
    wanted = _WANTED.get(kind) or (_WANTED.get(shape["kind"]) if shape else None)
    if wanted is None:
        return f"{given} is not accepted: {_plain(item)}"
    wanted += bounds if wanted.endswith("number") else ""
    return f"is {given}, not {wanted}" if given.startswith("a") else f"{given} is not {wanted}"


def describe_bounds(field: Any) -> str:
    """` from 1 to 500`, ` from 1 up`, ` up to 9`, or nothing: the limits that a field's declaration sets.

    Args:
        field: has `annotation` and `metadata`, as pydantic's `FieldInfo`; None has no limits.
    """
    found = dict(_limits(field))
    low = f"from {_number(found['ge'])}" if "ge" in found else f"above {_number(found['gt'])}" if "gt" in found else ""
    high = f"to {_number(found['le'])}" if "le" in found else f"below {_number(found['lt'])}" if "lt" in found else ""
    if low and high:
        return f" {low} {high}"
    if low:
        return f" {low} up" if "ge" in found else f" {low}"
    return f" up {high}" if "le" in found else f" {high}" if high else ""


def _limits(field: Any) -> Iterator[tuple[str, Any]]:
    """`ge`, `gt`, `le`, `lt` and their values, also of the parts of a union."""
    for part in getattr(field, "metadata", ()):
        yield from ((name, value) for name in _LIMITS if (value := getattr(part, name, None)) is not None)
        yield from _limits(part)
    for inner in getattr(getattr(field, "annotation", None), "__args__", ()):
        for part in getattr(inner, "__metadata__", ()):
            yield from ((name, value) for name in _LIMITS if (value := getattr(part, name, None)) is not None)
            yield from _limits(part)


def shown(value: Any) -> str:
    """The value as it was given, without credentials in addresses, cut when it is long; of a list or an object only that it
    is one.

    >>> shown("abc"), shown(3), shown(True), shown(None), shown([1, 2])
    ("'abc'", '3', 'true', 'null', 'a list')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    for kind, word in _CONTAINERS:
        if isinstance(value, kind):
            return word
    text = without_credentials(repr(value) if isinstance(value, str | int | float) else str(value))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def is_secret(annotation: Any) -> bool:
    """Whether a field of this type holds a secret, itself or inside: its value must not be repeated.

    A type that hides its value says so by having `get_secret_value`, as pydantic's own have.
    """
    return _holds_secret(annotation, set())


def _holds_secret(annotation: Any, seen: set[int]) -> bool:
    if id(annotation) in seen:
        return False
    seen.add(id(annotation))
    if hasattr(annotation, "get_secret_value"):
        return True
    inner: Sequence[Any] = getattr(annotation, "__args__", ())
    fields: Mapping[str, Any] = getattr(annotation, "model_fields", None) or {}
    return any(_holds_secret(part, seen) for part in inner) or any(
        _holds_secret(field.annotation, seen) for field in fields.values()
    )


def _not_among(given: str, expected: str) -> str:
    words = re.findall(r"'([^']*)'", expected) or [expected]
    return (
        f"{given} is not {words[0]}, the only one allowed"
        if len(words) == 1
        else f"{given} is none of {', '.join(words)}"
    )


def _plain(item: Mapping[str, Any]) -> str:
    text = str(item.get("msg", "it does not fit")).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text[:1].lower() + text[1:]


_FIXED: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_unicode": "is not valid Unicode text",
    "recursion_loop": "contains itself",
    "unstorable_text": "holds a null byte or half of a surrogate pair, which no database can keep",
}
"""Problems that are told without the value: what is missing has none, and what is unknown may be anything."""


_COLLECTIONS = frozenset({"List", "Set", "Frozenset", "Tuple", "Dictionary", "Deque", "Mapping", "Generator"})


def _length(ctx: Mapping[str, Any], word: str, limit: str) -> str:
    number = int(ctx["min_length" if word == "short" else "max_length"])
    unit = "item" if ctx.get("field_type") in _COLLECTIONS else "character"
    return f"is too {word}: at {limit} {counted(number, unit)}"


def _form(pattern: str) -> str:
    if pattern.startswith(r"^[^\x00"):
        return "holds a control character"
    return f"is not of the form {pattern}"


_VERBS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda ctx: f"is not above {_number(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"is less than {_number(ctx['ge'])}, the least allowed",
    "less_than": lambda ctx: f"is not below {_number(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"is more than {_number(ctx['le'])}, the most allowed",
    "multiple_of": lambda ctx: f"is not a multiple of {_number(ctx['multiple_of'])}",
    "int_parsing_size": lambda _ctx: "has too many digits to be read",
    "string_too_short": lambda ctx: _length(ctx, "short", "least"),
    "string_too_long": lambda ctx: _length(ctx, "long", "most"),
    "too_short": lambda ctx: _length(ctx, "short", "least"),
    "too_long": lambda ctx: _length(ctx, "long", "most"),
    "string_pattern_mismatch": lambda ctx: _form(str(ctx["pattern"])),
    "timezone_aware": lambda _ctx: "has no time zone: write the offset as well, such as 2026-11-21T04:35:18Z",
    "timezone_naive": lambda _ctx: "has a time zone: leave the offset away",
}
"""What is said behind the value."""


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
