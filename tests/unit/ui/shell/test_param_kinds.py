from typing import Any

import pytest

from fastflow.ui.shell.param_kinds import UNSET, Kind, Unreadable, kind_of, read


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "string"}, Kind.TEXT),
        ({"type": "string", "format": "date"}, Kind.DATE),
        ({"type": "string", "enum": ["a"]}, Kind.CHOICE),
        ({"type": "integer"}, Kind.WHOLE),
        ({"type": "number"}, Kind.NUMBER),
        ({"type": "boolean"}, Kind.SWITCH),
        ({"type": "array"}, Kind.JSON),
        ({"type": ["string", "null"]}, Kind.JSON),
        ({}, Kind.JSON),
    ],
)
def test_kind_when_the_schema_is_given_then_the_field_fits(part: dict[str, Any], kind: Kind) -> None:
    assert kind_of(part) is kind


@pytest.mark.parametrize(
    ("kind", "filled_in", "meant"),
    [
        (Kind.TEXT, " a ", " a "),
        (Kind.WHOLE, " 7 ", 7),
        (Kind.WHOLE, "7.5", 7.5),
        (Kind.NUMBER, "1,5", 1.5),
        (Kind.CHOICE, "3", 3),
        (Kind.SWITCH, None, False),
        (Kind.JSON, '{"a": [1]}', {"a": [1]}),
        (Kind.FREE, "", {}),
        (Kind.FREE, '{"A": 1}', {"A": 1}),
    ],
)
def test_value_when_filled_in_then_it_is_what_was_meant(kind: Kind, filled_in: Any, meant: Any) -> None:
    assert read(kind, filled_in) == meant


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.WHOLE, Kind.NUMBER, Kind.DATE, Kind.CHOICE, Kind.JSON])
def test_value_when_left_empty_then_the_default_holds(kind: Kind) -> None:
    assert read(kind, "") is UNSET
    assert read(kind, None) is UNSET


@pytest.mark.parametrize(
    ("kind", "filled_in", "key"),
    [(Kind.NUMBER, "many", "not_number"), (Kind.JSON, "[1", "not_json"), (Kind.FREE, "[1]", "not_object")],
)
def test_value_when_it_says_nothing_then_the_phrase_says_what_is_needed(kind: Kind, filled_in: str, key: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(kind, filled_in)
    assert caught.value.key == key
