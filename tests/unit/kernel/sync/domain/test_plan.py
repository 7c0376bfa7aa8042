"""Comparing two versions of pipelines."""

from typing import Any

import pytest

from fastflow.kernel.executors.port import Limits
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Concurrency, Pipeline
from fastflow.kernel.sync.domain.plan import (
    Plan,
    compare_packages,
    compare_pipeline,
    compare_requirements,
    compare_settings,
    find_blockers,
)

ERROR = Fault(pipeline="a", file="a/main.py", line=3, message="It is wrong.", hint="Mend it.")
WARNING = Fault(pipeline="a", file="a/main.py", message="Doubtful.", hint="Look.", severity="warning")


def pipeline(**values: Any) -> Pipeline:
    return Pipeline(**{"name": "a", "kind": "folder", "script": "main.py", **values})


def test_settings_when_they_differ_then_each_is_told_under_its_key() -> None:
    before = pipeline(run_timeout=5.0, limits=Limits(pids=3), secrets=("A",), schedules=[1])
    after = pipeline(
        run_timeout=9.0, limits=Limits(pids=4), concurrency=Concurrency(limit=2), secrets=("A", "B"), schedules=[2]
    )
    told = {change.setting: (change.before, change.after) for change in compare_settings(before, after)}
    assert told == {
        "timeout": (5.0, 9.0),
        "limits.pids": (3, 4),
        "concurrency.limit": (None, 2),
        "secrets": (("A",), ("A", "B")),
    }


def test_settings_when_the_pipeline_is_new_then_those_it_sets_are_told() -> None:
    new = pipeline(run_timeout=9.0, secrets=("A",))
    told = compare_pipeline("a", None, new, {"a/main.py": "added"}).settings
    assert [(one.setting, one.before, one.after) for one in told] == [("timeout", None, 9.0), ("secrets", None, ("A",))]
    assert compare_pipeline("a", None, pipeline(run_timeout=9.0, faults=(ERROR,)), {}).settings == ()


@pytest.mark.parametrize(
    ("path", "text", "lines"),
    [
        ("requirements.txt", "# why\npandas==2\n\nnumpy\n", ["pandas==2", "numpy"]),
        ("main.py", '# /// script\n# dependencies = [\n#   "httpx",\n# ]\n# ///\n', ["dependencies = [", '"httpx",']),
    ],
)
def test_requirements_when_added_then_comments_and_fences_are_left_out(path: str, text: str, lines: list[str]) -> None:
    after = pipeline(environment_files={path: text, "uv.lock": "many lines"}, python="3.12")
    assert compare_requirements(None, after) == (["python 3.12", *lines], [])
    assert compare_requirements(after, None) == ([], ["python 3.12", *lines])


def test_requirements_when_an_address_holds_a_token_then_it_is_not_told() -> None:
    after = pipeline(environment_files={"requirements.txt": "acme @ git+https://ada:hunter2@host/acme@v1\n"})
    assert compare_requirements(None, after)[0] == ["acme @ git+https://***@host/acme@v1"]


def test_packages_when_they_differ_then_both_versions_are_told() -> None:
    found = compare_packages({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})
    assert [(one.package, one.before, one.after) for one in found] == [
        ("b", "1", "2"),
        ("c", "1", None),
        ("d", None, "1"),
    ]


def test_blockers_when_a_pipeline_breaks_then_its_errors_block_unless_it_was_broken() -> None:
    broken, fine = pipeline(faults=[ERROR, WARNING]), pipeline()
    (blocker,) = find_blockers([compare_pipeline("a", fine, broken, {})])
    assert (blocker.kind, str(blocker)) == ("fault", "a/main.py:3: It is wrong.")
    assert len(find_blockers([compare_pipeline("a", None, broken, {})])) == 1
    assert find_blockers([compare_pipeline("a", broken, broken, {})]) == []
    assert find_blockers([compare_pipeline("a", fine, pipeline(faults=[WARNING]), {})]) == []


def test_plan_when_written_as_json_then_only_plain_values_are_in_it() -> None:
    before, after = pipeline(limits=Limits(pids=3)), pipeline(secrets=("A",), faults=[ERROR])
    files = {f"{number}.py": "added" for number in range(60)}
    change = compare_pipeline("a", before, after, files)  # type: ignore[arg-type]  # the words are literals
    plan = Plan(commit_before=None, commit="c", pipelines=[change], blockers=find_blockers([change])).to_json()
    import json

    assert json.loads(json.dumps(plan)) == plan
    assert (len(plan["pipelines"][0]["files"]), plan["pipelines"][0]["more_files"]) == (50, 10)
