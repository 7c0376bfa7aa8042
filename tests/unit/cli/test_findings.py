import pytest

from fastflow.cli.findings import judge_pipelines, judge_shipped, print_findings
from fastflow.findings import Finding, Level


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


def test_judge_pipelines_when_some_are_broken_then_a_fault_that_names_them() -> None:
    assert judge_pipelines("/p", []).level == "ok"
    found = judge_pipelines("/p", ["a", "a", "b"])
    assert (found.level, found.text) == ("fault", "/p, 3 faults in a, b")
    assert "pipelines check" in found.remedy
    assert judge_pipelines("/p", list("abcdefg")).text.endswith("a, b, c, d, e and 2 more")


def test_judge_shipped_when_one_is_covered_then_a_warning_that_names_it() -> None:
    assert (judge_shipped(["a", "b"], []).level, judge_shipped(["a", "b"], []).text) == ("ok", "a, b")
    found = judge_shipped(["a", "b"], ["b"])
    assert (found.level, found.text) == ("warning", "others have taken the place of b")
