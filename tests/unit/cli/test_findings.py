from typing import Any

import pytest

from fastflow.cli.findings import Finding, Level, judge_executor, judge_pipelines, print_findings

WELL = {
    "run_user": 64900,
    "namespaces": ["user", "mount", "pid", "ipc", "network"],
    "memory_limit": "cgroup",
    "pids_limit": "cgroup",
    "cpu_limit": "cgroup",
}


def test_print_findings_when_of_every_level_then_each_has_its_mark_and_the_sum_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    levels: tuple[Level, ...] = ("ok", "note", "warning", "fault")
    print_findings(
        [
            Finding(name=level, level=level, text="x", remedy="`GET /runs`." if level == "fault" else "")
            for level in levels
        ]
    )
    out, err = capsys.readouterr()
    assert out == "✓ ok: x\n- note: x\n! warning: x\n✗ fault: x\n    `fastflow runs list`.\n"
    assert err == "1 fault, 1 warning.\n"


@pytest.mark.parametrize(("level", "ok"), [("ok", True), ("note", True), ("warning", False), ("fault", False)])
def test_finding_when_shown_as_json_then_it_says_whether_it_is_well(level: Level, ok: bool) -> None:
    assert Finding(name="x", level=level, text="y").as_json() == {
        "name": "x",
        "level": level,
        "text": "y",
        "remedy": "",
        "ok": ok,
    }


def test_judge_pipelines_when_some_are_broken_then_a_fault_that_names_them() -> None:
    assert judge_pipelines("/p", []).level == "ok"
    found = judge_pipelines("/p", ["a", "a", "b"])
    assert (found.level, found.text) == ("fault", "/p, 3 faults in a, b")
    assert "pipelines check" in found.remedy
    assert judge_pipelines("/p", list("abcdefg")).text.endswith("a, b, c, d, e and 2 more")


@pytest.mark.parametrize(
    ("told", "name", "level", "said"),
    [
        (WELL, "isolation", "ok", ""),
        (WELL, "limits", "ok", ""),
        ({**WELL, "namespaces": ["pid"], "missing": {"mount": "no right"}}, "isolation", "warning", "mount: no right"),
        ({**WELL, "namespaces": []}, "isolation", "warning", "user namespaces"),
        ({**WELL, "memory_limit": "rlimit", "cgroup_why": "read-only"}, "limits", "warning", "read-only"),
    ],
)
def test_judge_executor_when_something_is_missing_then_a_warning_with_its_reason(
    told: dict[str, Any], name: str, level: Level, said: str
) -> None:
    found = next(finding for finding in judge_executor(told) if finding.name == name)
    assert found.level == level
    assert said in found.remedy
