from collections.abc import Callable

import pytest

from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline

Read = Callable[..., Pipeline]
FaultsOf = Callable[..., list[Fault]]


def test_params_when_short_then_schema_is_derived(read: Read) -> None:
    toml = """
[params]
CITY = "string"
DAYS = { type = "integer", default = 7, minimum = 1 }
NOTE = { type = ["string", "null"], required = false }
KIND = { enum = ["a", "b"] }
"""
    assert read({"pipeline.toml": toml}).params_schema == {
        "type": "object",
        "properties": {
            "CITY": {"type": "string"},
            "DAYS": {"type": "integer", "default": 7, "minimum": 1},
            "NOTE": {"type": ["string", "null"]},
            "KIND": {"enum": ["a", "b"]},
        },
        "required": ["CITY", "KIND"],
        "additionalProperties": False,
    }


def test_params_when_json_schema_then_kept_as_written(read: Read) -> None:
    toml = '[params]\nrequired = ["CITY"]\n[params.properties.CITY]\ntype = "string"\n'
    schema = {"required": ["CITY"], "properties": {"CITY": {"type": "string"}}}
    assert read({"pipeline.toml": toml}).params_schema == schema


def test_params_when_a_parameter_is_called_type_or_properties_then_still_short(read: Read) -> None:
    schema = read({"pipeline.toml": '[params]\ntype = "string"\nproperties = "integer"\n'}).params_schema
    assert schema is not None
    assert schema["properties"] == {"type": {"type": "string"}, "properties": {"type": "integer"}}


def test_params_when_empty_then_none_are_taken(read: Read) -> None:
    schema = read({"pipeline.toml": "[params]\n"}).params_schema
    assert schema == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


@pytest.mark.parametrize(
    ("toml", "line", "said"),
    [
        ('[params]\nA = "strin"', 2, "Did you mean 'string'?"),
        ('[params]\nA = "int"', 2, "Did you mean 'integer'?"),
        ("[params]\nA = 3", 2, "neither a type nor a table"),
        ("[params]\nA = {}", 2, "has no type"),
        ('[params]\nA = { type = "string", required = "yes" }', 2, "`required`"),
        ('[params]\n"A-B" = "string"', 2, "'A-B' cannot be used"),
        ('[params]\nA = { type = "integer", default = "x" }', 2, "default"),
        ('[params]\nA = { type = "integer", minimum = "x" }', 2, "params.properties.A.minimum"),
        ("[params]\nA = { type = 'string', default = 2026-01-01 }", 2, "no form in JSON"),
        ("[params]\nA = { type = 'number', default = nan }", 2, "no form in JSON"),
        ('[params]\ntype = "object"\n[params.properties.A]\ntype = "strng"', 4, "params.properties.A.type"),
        ('[params]\ntype = "object"\n[params.properties.A]\npattern = "("', 4, "pattern"),
        ('[params]\ntype = "object"\n[params.properties.A]\n"$ref" = "http://example.org/x"', 1, "not part of it"),
        ("params = 3", 1, "is no table"),
    ],
)
def test_params_when_wrong_then_fault_names_line_and_path(faults_of: FaultsOf, toml: str, line: int, said: str) -> None:
    (fault,) = faults_of({"pipeline.toml": toml})
    assert fault.line == line
    assert said in fault.message
