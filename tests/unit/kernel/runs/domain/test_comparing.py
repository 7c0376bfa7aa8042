"""What two runs differ in: fields, files, packages."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fastflow.kernel.runs.domain.comparing import (
    MAX_LINES,
    Difference,
    FileChange,
    PackageChange,
    comparable,
    compare,
    compare_packages,
    describe_change,
)
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run


def test_compare_when_leaves_differ_names_them_in_order() -> None:
    left = {"a": 1, "b": {"c": [1], "d": 2}, "only": 3}
    right = {"a": 1, "b": {"c": [2], "d": 2}, "other": None}
    assert compare(left, right) == [
        Difference(field="b.c", left=[1], right=[2]),
        Difference(field="only", left=3, right=None),
    ]
    assert compare(left, left) == []


def test_comparable_when_two_runs_of_the_same_parts_took_different_times_then_they_are_equal() -> None:
    first = make_run(status=RunStatus.SUCCESS, started_at=START, finished_at=START + timedelta(seconds=1))
    second = make_run(status=RunStatus.SUCCESS, started_at=START, finished_at=START + timedelta(seconds=9))
    assert compare(comparable(first), comparable(second)) == []


def test_comparable_when_the_environment_was_not_known_at_the_first_submission_then_that_is_no_difference() -> None:
    first = make_run(environment="e" * 64)
    known = {**first.capsule, "environment": {**first.capsule["environment"], "hash": "e" * 64}}
    assert compare(comparable(first), comparable(make_run(environment="e" * 64, capsule=known))) == []


@pytest.mark.parametrize(
    ("left", "right", "change"),
    [
        (b"a\nb\n", b"a\nc\nd\n", FileChange(path="x", kind="changed", added_lines=2, removed_lines=1)),
        (None, b"a\nb", FileChange(path="x", kind="added", added_lines=2, removed_lines=0)),
        (b"a\n", None, FileChange(path="x", kind="removed", added_lines=0, removed_lines=1)),
        (b"\xff", b"a\n", FileChange(path="x", kind="changed")),
        (b"a\n" * (MAX_LINES + 1), b"a\n", FileChange(path="x", kind="changed")),
    ],
)
def test_describe_change_when_a_file_differs_then_its_lines_are_counted_if_it_is_text(
    left: bytes | None, right: bytes | None, change: FileChange
) -> None:
    found = describe_change("x", left, right)
    assert found is not None
    assert replace(found, diff=None) == change


def test_compare_packages_when_versions_differ_then_each_package_is_named_with_both() -> None:
    left, right = {"numpy": "1", "pandas": "2", "same": "3"}, {"pandas": "2.1", "rich": "9", "same": "3"}
    assert compare_packages(left, right) == [
        PackageChange(name="numpy", left="1", right=None),
        PackageChange(name="pandas", left="2", right="2.1"),
        PackageChange(name="rich", left=None, right="9"),
    ]
