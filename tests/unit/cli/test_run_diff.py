from typing import Any

import pytest

from fastflow.cli.run_diff import print_diff

RUN = {
    "id": "019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e",
    "pipeline_name": "rfm",
    "status": "SUCCESS",
    "queued_at": "2026-11-21T04:35:18Z",
    "started_at": "2026-11-21T04:35:18Z",
    "finished_at": "2026-11-21T04:35:20Z",
}


def diff(**values: Any) -> dict[str, Any]:
    given = {"left": RUN, "right": RUN, "differences": [], "compared": ["code", "outputs"], "files": [], "packages": []}
    return {**given, **values}


def differ(*fields: str) -> list[dict[str, Any]]:
    return [{"field": field, "left": "a", "right": None} for field in fields]


def test_diff_when_nothing_differs_then_it_says_so_and_what_was_compared(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff(diff())
    out, err = capsys.readouterr()
    assert out == "Nothing differs. Compared: code, outputs.\n"
    assert "A  019a6c1e" in err and "took 2.0 s" in err


def test_diff_when_code_differs_then_files_and_lines_stand_for_the_hash(capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        {
            "path": "main.py",
            "kind": "changed",
            "added_lines": 3,
            "removed_lines": 1,
            "diff": "@@ -1 +1,3 @@\n-a\n+b",
            "is_cut": True,
        },
        {"path": "new.py", "kind": "added", "added_lines": 1, "removed_lines": 0},
        {"path": "old.py", "kind": "removed", "added_lines": 0, "removed_lines": 12},
        {"path": "data.bin", "kind": "changed", "added_lines": None, "removed_lines": None},
        {"path": "tool", "kind": "mode", "added_lines": None, "removed_lines": None},
    ]
    print_diff(diff(files=files, differences=differ("capsule.tree_hash", "capsule.limits.pids")))
    out = capsys.readouterr().out
    assert out.splitlines()[:6] == [
        "code: 5 files differ",
        "  main.py: +3 -1 lines",
        "  new.py: added, 1 line",
        "  old.py: removed, 12 lines",
        "  data.bin: changed",
        "  tool: executable in one of them alone",
    ]
    assert out.splitlines()[6:11] == ["--- main.py", "@@ -1 +1,3 @@", "-a", "+b", "... (cut)"]
    assert "tree_hash" not in out
    assert "limits.pids  a  -" in out


def test_diff_when_environments_differ_then_packages_with_both_versions(capsys: pytest.CaptureFixture[str]) -> None:
    packages = [
        {"name": "numpy", "left": None, "right": "2.0"},
        {"name": "pandas", "left": "2.2", "right": "2.3"},
        {"name": "rich", "left": "9", "right": None},
    ]
    print_diff(diff(packages=packages, differences=differ("environment")))
    assert capsys.readouterr().out.splitlines() == [
        "environment: 3 packages differ",
        "  numpy: added, 2.0",
        "  pandas: 2.2 → 2.3",
        "  rich: removed, was 9",
    ]


def test_diff_when_parts_are_not_at_hand_then_it_is_said_and_the_hashes_stay(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_diff(diff(files=None, packages=None, differences=differ("capsule.tree_hash", "environment")))
    out = capsys.readouterr().out
    assert "code: it differs, but a snapshot is gone" in out
    assert "environment: it differs, but one of them is not at hand" in out
    assert "tree_hash" in out


def test_diff_when_one_run_has_no_environment_yet_but_both_are_none_then_nothing_is_said_of_packages(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_diff(diff(packages=None, differences=differ("params.A")))
    assert "environment" not in capsys.readouterr().out


def test_diff_when_there_are_many_files_then_the_first_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    files = [{"path": f"f{n}", "kind": "mode", "added_lines": None, "removed_lines": None} for n in range(60)]
    print_diff(diff(files=files, differences=differ("capsule.tree_hash")))
    assert "and 10 more" in capsys.readouterr().out
