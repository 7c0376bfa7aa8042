"""Which field a parameter gets, and what was meant by what was filled in."""

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final


class Kind(Enum):
    """How a parameter is filled in."""

    TEXT = "text"
    CHOICE = "choice"
    SWITCH = "switch"
    SWITCH_OR_NOT = "switch-or-not"
    """Yes, no, or nothing said."""
    WHOLE = "whole"
    NUMBER = "number"
    DATE = "date"
    JSON = "json"
    FREE = "free"
    """All of them as one object, of a pipeline that declares none."""


class Unreadable(Exception):
    """What was filled in says nothing.

    Attributes:
        key: of the phrase that says what is needed.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


UNSET: Final = object()
"""Left empty: the default of the schema holds."""


def kind_of(part: Mapping[str, Any], *, may_be_unset: bool = False) -> Kind:
    """The field that fits the parameter's schema; what no field fits is written as JSON.

    Args:
        part: the parameter's schema.
        may_be_unset: a switch that says nothing can be told from one that says no.
    """
    if isinstance(part.get("enum"), list):
        return Kind.CHOICE
    kind = part.get("type")
    if kind == "boolean":
        return Kind.SWITCH_OR_NOT if may_be_unset else Kind.SWITCH
    if kind == "integer":
        return Kind.WHOLE
    if kind == "number":
        return Kind.NUMBER
    if kind == "string":
        return Kind.DATE if part.get("format") == "date" else Kind.TEXT
    return Kind.JSON


def read(kind: Kind, value: Any) -> Any:
    """What was meant.

    Raises:
        Unreadable: nothing that the field can hold.

    >>> read(Kind.WHOLE, " 12 "), read(Kind.CHOICE, '"de"'), read(Kind.JSON, "[1, 2]")
    (12, 'de', [1, 2])
    """
    if kind is Kind.SWITCH:
        return bool(value)
    text = "" if value is None else str(value)
    if kind is Kind.FREE:
        found = _json(text) if text.strip() else {}
        if not isinstance(found, dict):
            raise Unreadable("not_object")
        return found
    if not text.strip():
        return UNSET
    if kind in (Kind.CHOICE, Kind.SWITCH_OR_NOT, Kind.JSON):
        return _json(text)
    if kind in (Kind.WHOLE, Kind.NUMBER):
        return _number(text)
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Unreadable("not_json") from error


def _number(text: str) -> int | float:
    plain = text.strip().replace(",", ".") if text.count(",") == 1 and "." not in text else text.strip()
    try:
        return int(plain)
    except ValueError:
        pass  # not whole: the schema says whether that is wrong
    try:
        return float(plain)
    except ValueError as error:
        raise Unreadable("not_number") from error
