"""`after` in the settings: what is read, and what is told with file and line."""

from typing import Any

import pytest

from fastflow.kernel.flows.domain.after import After, ApprovalRule, allowed_failures
from fastflow.kernel.flows.domain.declared import judge_after, read_after
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.settings import read_settings
from fastflow.kernel.pipelines.domain.toml_text import parse_toml

SCHEMA = {"properties": {"DAY": {"type": "string"}, "FILE": {}, "N": {"default": 1}}, "required": ["DAY", "N"]}


def faults_of(text: str, name: str = "load") -> list[tuple[int | None, str]]:
    faults = FaultList(name, prefix=f"{name}/")
    toml = parse_toml(text, "pipeline.toml", faults)
    assert toml is not None
    judge_after(toml, faults, read_settings(toml, faults))
    return [(fault.line, fault.message) for fault in faults.found]


def test_after_when_a_list_then_all_have_to_succeed() -> None:
    assert read_after("load", ["a", "b"], None).after == After(pipelines=("a", "b"))


def test_after_when_a_table_then_everything_is_taken_and_kept() -> None:
    table = {
        "pipelines": ["extract"],
        "join": "any",
        "when": "extract.rows > 0",
        "params": {"DAY": "{extract.day}"},
        "foreach": "extract.files",
        "item": "FILE",
        "limit": 3,
        "max_failures": "10%",
        "approval": {"timeout": "4h", "on_timeout": "approve", "users": ["olga"], "note": "go?"},
    }
    after = read_after("load", table, SCHEMA).after
    assert after is not None
    assert after.approval == ApprovalRule(timeout=14400.0, on_timeout="approve", users=("olga",), note="go?")
    assert After.from_json(after.to_json()) == after


@pytest.mark.parametrize(
    ("value", "key", "told"),
    [
        ({"pipelines": ["load"]}, "pipelines", "cannot run after itself"),
        (["load", "x"], "pipelines", "cannot run after itself"),
        ({"join": "all"}, "pipelines", "missing"),
        ({"pipelines": []}, "pipelines", "names no pipeline"),
        ({"pipelines": ["a", "a"]}, "pipelines", "twice"),
        ({"pipelines": ["../a"]}, "pipelines", "no pipeline"),
        ({"pipelines": ["a"], "jion": "any"}, "jion", "did you mean 'join'"),
        ({"pipelines": ["a"], "join": "some"}, "join", "none of all, any, always"),
        ({"pipelines": ["a"], "when": "a.x = 1"}, "when", "compare by `==`"),
        ({"pipelines": ["a"], "when": "b.x == 1"}, "when", "names no upstream"),
        ({"pipelines": ["a"], "when": "a > 1"}, "when", "names no output"),
        ({"pipelines": ["a"], "when": "1 == 1"}, "when", "names no output"),
        ({"pipelines": ["a"], "params": {"D": "{b.x}"}}, "params.D", "names no upstream"),
        ({"pipelines": ["a"], "params": {"D": "{item}"}}, "params.D", "foreach"),
        ({"pipelines": ["a"], "foreach": 3}, "foreach", "neither a list"),
        ({"pipelines": ["a"], "foreach": ["x"] * 10_001}, "foreach", "at most 10000"),
        ({"pipelines": ["a"], "limit": 3}, "foreach", "belong to it"),
        ({"pipelines": ["a"], "foreach": "a.l", "max_failures": "110%"}, "max_failures", "neither"),
        ({"pipelines": ["a"], "approval": {"timeout": "soon"}}, "approval.timeout", "no length of time"),
        ({"pipelines": ["a"], "approval": {"user": []}}, "approval.user", "did you mean 'users'"),
        ({"pipelines": ["a"], "approval": 3}, "approval", "neither true"),
        ([{"pipelines": ["a"]}], "", "single brackets"),
    ],
)
def test_after_when_something_is_wrong_then_told_by_its_key(value: Any, key: str, told: str) -> None:
    problems = read_after("load", value, None).problems
    assert told.lower() in problems[key].lower()


@pytest.mark.parametrize(
    ("params", "key", "told"),
    [
        ({}, "params", "DAY is required"),
        ({"DAY": "x", "DYA": "x"}, "params.DYA", "no parameter of this pipeline. Did you mean 'DAY'"),
    ],
)
def test_after_when_params_do_not_fit_the_schema_then_told(params: dict[str, str], key: str, told: str) -> None:
    problems = read_after("load", {"pipelines": ["a"], "params": params}, SCHEMA).problems
    assert told in problems[key]


def test_judge_when_something_is_wrong_then_tells_the_line() -> None:
    text = 'description = "x"\n[after]\npipelines = ["extract"]\nwhen = "extract.rows >"\n[after.params]\nDAY = "{other.x}"\n'
    found = dict(faults_of(text))
    assert "no condition" in found[4] and "names no upstream" in found[6]


def test_judge_when_the_pipeline_names_itself_then_tells_the_line() -> None:
    ((line, message),) = faults_of('\nafter = ["load"]\n')
    assert line == 2 and "cannot run after itself" in message


def test_allowed_failures_when_a_share_then_rounded_down() -> None:
    assert [allowed_failures("10%", count) for count in (0, 9, 10, 99)] == [0, 0, 1, 9]
