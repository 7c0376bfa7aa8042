"""Parameters are checked, completed and encoded; whatever is wrong is named."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.runs.domain.errors import InvalidParams
from fastflow.kernel.runs.domain.params import MAX_VALUE_BYTES, encode_environment, validate_params
from fastflow.kit.errors import InvalidInput

SCHEMA: dict[str, Any] = {
    "required": ["CITY"],
    "properties": {
        "CITY": {"type": "string", "minLength": 2},
        "TOP": {"type": "integer", "default": 3, "minimum": 1},
        "MODE": {"enum": ["fast", "slow"]},
        "NESTED": {"type": "object", "properties": {"DEPTH": {"type": "integer", "default": 1}}},
    },
}


def problems(params: dict[str, Any], schema: dict[str, Any] | None = SCHEMA) -> dict[str, str]:
    with pytest.raises(InvalidParams) as caught:
        validate_params(params, schema)
    assert all(field in caught.value.message for field in caught.value.fields)
    return caught.value.fields


def test_defaults_when_left_away_are_filled_in_also_inside() -> None:
    given_params = {"CITY": "Ulm", "NESTED": {}}
    assert validate_params(given_params, SCHEMA) == {"CITY": "Ulm", "TOP": 3, "NESTED": {"DEPTH": 1}}
    assert given_params == {"CITY": "Ulm", "NESTED": {}}


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({}, "params.CITY", "requires it"),
        ({"CITY": 3}, "params.CITY", "3 is not text"),
        ({"CITY": "Ulm", "TOP": "3"}, "params.TOP", "text is not converted"),
        ({"CITY": "Ulm", "TOP": 0}, "params.TOP", "less than 1"),
        ({"CITY": "Ulm", "TOP": True}, "params.TOP", "true is not a whole number"),
        ({"CITY": "U"}, "params.CITY", "at least 2"),
        ({"CITY": "Ulm", "MODE": "quick"}, "params.MODE", 'none of "fast", "slow"'),
        ({"CITY": "Ulm", "TPO": 1}, "params.TPO", "did you mean TOP?"),
        ({"CITY": "Ulm", "city": 1}, "params.city", "did you mean CITY?"),
        ({"CITY": "Ulm", "NESTED": {"DEPTH": "x"}}, "params.NESTED.DEPTH", "not a whole number"),
    ],
)
def test_value_when_wrong_is_named_with_its_problem(params: dict[str, Any], field: str, words: str) -> None:
    found = problems(params)
    assert set(found) == {field} and words in found[field]


def test_unknown_parameter_when_schema_allows_additional_ones_is_taken() -> None:
    schema = {**SCHEMA, "additionalProperties": True}
    assert validate_params({"CITY": "Ulm", "MORE": [1]}, schema)["MORE"] == [1]
    assert validate_params({"ANY": None}, None) == {"ANY": None}
    assert validate_params({}, {"properties": {}}) == {}
    assert "it takes none" in problems({"A": 1}, {"properties": {}})["params.A"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"1A": 1}, "not a name for a variable"),
        ({"A-B": 1}, "not a name for a variable"),
        ({"": 1}, "not a name for a variable"),
        ({"ÄRGER": 1}, "not a name for a variable"),
        ({"A": "x\0"}, "NUL"),
        ({"A": {"b": ["\0"]}}, "NUL"),
        ({"A": "\ud800"}, "surrogate"),
        ({"A": float("nan")}, "not a finite number"),
        ({"A": 10**400}, "more than 300 digits"),
        ({"A": "x" * (MAX_VALUE_BYTES + 1)}, "pass a path"),
        ({f"A{n}": "x" * 110_000 for n in range(10)}, "together"),
        ({"A": json.loads("[" * 60 + "]" * 60)}, "nested deeper"),
    ],
)
def test_value_when_no_process_could_get_it_is_refused(params: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems(params, None).values())


@pytest.mark.parametrize(
    "schema", [{"$ref": "http://example.org/schema"}, {"properties": {"A": {"type": "wat"}}}, {"properties": 3}]
)
def test_schema_when_unusable_is_the_pipelines_fault(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        validate_params({"A": 1}, schema)
    assert caught.value.code == "pipeline_broken"


def test_environment_when_encoded_keeps_text_and_writes_others_as_json() -> None:
    assert encode_environment({"A": "x y", "B": 1.5, "C": None, "D": {"k": ["ü"]}, "E": False}) == {
        "PARAM_A": "x y",
        "PARAM_B": "1.5",
        "PARAM_C": "null",
        "PARAM_D": '{"k":["ü"]}',
        "PARAM_E": "false",
    }


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), _JSON, max_size=4))
def test_params_when_accepted_survive_the_environment(params: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidParams):
        _assert_survives(validate_params(params, None))


def _assert_survives(accepted: dict[str, Any]) -> None:
    for name, text in encode_environment(accepted).items():
        value = accepted[name.removeprefix("PARAM_")]
        assert (text if isinstance(value, str) else json.loads(text)) == value
        assert "\0" not in text and text.encode()


def test_refusal_when_a_guess_ends_it_then_no_full_stop_follows_the_question_mark() -> None:
    with pytest.raises(InvalidParams) as caught:
        validate_params({"CTY": "Ulm"}, {"properties": {"CITY": {"type": "string"}}})
    assert caught.value.message == "The parameters are not valid: params.CTY: unknown parameter; did you mean CITY?"
