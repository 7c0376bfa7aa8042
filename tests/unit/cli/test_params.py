"""`-p KEY=VALUE` is read as the pipeline's schema says."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.cli.errors import WrongUsage
from fastflow.cli.params import parse_params, read_value
from fastflow.kit.errors import InvalidInput

SCHEMA: dict[str, Any] = {
    "properties": {
        "TEXT": {"type": "string"},
        "COUNT": {"type": "integer"},
        "SHARE": {"type": "number"},
        "ALL": {"type": "boolean"},
        "NAMES": {"type": "array"},
        "MAP": {"type": "object"},
        "MAYBE": {"type": ["integer", "null"]},
        "EITHER": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "LEVEL": {"enum": [1, 2, 3]},
        "WORD": {"enum": ["1", "2"]},
        "SHARED": {"$ref": "#/$defs/day"},
        "ANY": {},
    },
    "$defs": {"day": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("TEXT=3", "3"),
        ("TEXT=", ""),
        ("TEXT=a=b", "a=b"),
        ("COUNT=3", 3),
        ("COUNT=-12", -12),
        ("SHARE=0.25", 0.25),
        ("SHARE=1e3", 1000.0),
        ("SHARE=2", 2),
        ("ALL=true", True),
        ("ALL=No", False),
        ("ALL=1", True),
        ('NAMES=["a", 1]', ["a", 1]),
        ('MAP={"a": {"b": null}}', {"a": {"b": None}}),
        ("MAYBE=null", None),
        ("MAYBE=7", 7),
        ("EITHER=7", 7),
        ("EITHER=seven", "seven"),
        ("LEVEL=2", 2),
        ("WORD=2", "2"),
        ("SHARED=20261121", 20261121),
        ("ANY=3", "3"),
        ("UNKNOWN=3", "3"),
    ],
)
def test_parse_params_when_the_schema_names_a_type_then_text_becomes_it(pair: str, value: object) -> None:
    parsed = parse_params([pair], None, SCHEMA)
    assert parsed == {pair.split("=", maxsplit=1)[0]: value}
    assert type(parsed[pair.split("=", maxsplit=1)[0]]) is type(value)


def test_parse_params_when_there_is_no_schema_then_every_value_is_text() -> None:
    assert parse_params(["A=1", "B=true"], None, None) == {"A": "1", "B": "true"}


def test_parse_params_when_json_gives_the_same_key_then_p_wins() -> None:
    assert parse_params(["COUNT=2"], '{"COUNT": 1, "TEXT": "x"}', SCHEMA) == {"COUNT": 2, "TEXT": "x"}


def test_parse_params_when_values_do_not_fit_then_every_one_is_named_with_what_was_wanted() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_params(["COUNT=3.5", "ALL=perhaps", "NAMES={}", "SHARE=nan", "MAYBE=x"], None, SCHEMA)
    assert caught.value.fields == {
        "params.COUNT": "'3.5' is not a whole number",
        "params.ALL": "'perhaps' is not true or false",
        "params.NAMES": "'{}' is not a list in JSON",
        "params.SHARE": "'nan' is not a number",
        "params.MAYBE": "'x' is not null or a whole number",
    }


def test_parse_params_when_others_are_wrong_for_the_schema_then_they_are_named_at_the_same_time() -> None:
    schema = {"properties": {"COUNT": {"type": "integer"}, "MODE": {"enum": ["a", "b"]}}, "required": ["COUNT"]}
    with pytest.raises(InvalidInput) as caught:
        parse_params(["COUNT=1.5", "MODE=x", "TOWN=y"], None, schema)
    assert set(caught.value.fields) == {"params.COUNT", "params.MODE", "params.TOWN"}
    assert caught.value.fields["params.COUNT"] == "'1.5' is not a whole number"


@pytest.mark.parametrize(
    ("pairs", "json_text"),
    [
        (["COUNT"], None),
        (["=3"], None),
        (["A=1", "A=2"], None),
        ([], "[1]"),
        ([], "{"),
        ([], "null"),
        ([], '{"A": {"B": 1, "B": 2}}'),
    ],
)
def test_parse_params_when_the_form_is_wrong_then_it_is_a_usage_error(pairs: list[str], json_text: str | None) -> None:
    with pytest.raises(WrongUsage) as caught:
        parse_params(pairs, json_text, SCHEMA)
    assert caught.value.hint


def test_parse_params_when_a_reference_turns_in_a_circle_then_the_value_is_text() -> None:
    schema = {"properties": {"A": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert parse_params(["A=1"], None, schema) == {"A": "1"}


@given(value=st.integers() | st.booleans() | st.lists(st.integers()) | st.dictionaries(st.text(), st.integers()))
def test_read_value_when_given_the_json_of_a_value_then_it_is_that_value(value: Any) -> None:
    kinds = {bool: "boolean", int: "integer", list: "array", dict: "object"}
    assert read_value(json.dumps(value), frozenset({kinds[type(value)]})) == value


@given(text=st.text())
def test_read_value_when_text_is_allowed_then_nothing_is_refused(text: str) -> None:
    assert read_value(text, frozenset({"string"})) == text
    read_value(text, frozenset({"string", "integer", "number", "boolean", "null", "array", "object"}))
