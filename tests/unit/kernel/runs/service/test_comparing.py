from collections.abc import Sequence
from typing import Any

from fastflow.kernel.runs.domain.comparing import COMPARED, FileChange, PackageChange
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.service.comparing import compare_runs
from fastflow.testing.run_doubles import MemorySecrets, make_run


class Parts:
    """Notes what it is asked to compare."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def compare_code(self, left: str, right: str) -> Sequence[FileChange] | None:
        self.asked.append((left, right))
        return None

    def compare_environments(self, left: str, right: str) -> Sequence[PackageChange] | None:
        self.asked.append((left, right))
        return [PackageChange(name="pandas", left="1", right="2")]


def of_tree(tree_hash: str, **values: Any) -> Run:
    return make_run(capsule={**make_run().capsule, "tree_hash": tree_hash}, **values)


def test_compare_runs_when_the_parts_are_the_same_then_nothing_is_looked_up() -> None:
    parts = Parts()
    diff = compare_runs(of_tree("a", environment="e"), of_tree("a", environment="e"), parts, MemorySecrets())
    assert (diff.differences, diff.files, diff.packages, parts.asked) == ([], (), (), [])
    assert diff.compared == COMPARED


def test_compare_runs_when_code_and_environment_differ_then_both_are_compared() -> None:
    parts = Parts()
    diff = compare_runs(of_tree("a", environment="e"), of_tree("b", environment="f"), parts, MemorySecrets())
    assert parts.asked == [("a", "b"), ("e", "f")]
    assert diff.files is None
    assert diff.packages == [PackageChange(name="pandas", left="1", right="2")]
    assert [each.field for each in diff.differences] == ["capsule.tree_hash", "environment"]


def test_compare_runs_when_one_has_no_environment_yet_then_packages_are_unknown() -> None:
    assert compare_runs(of_tree("a", environment="e"), of_tree("a"), Parts(), MemorySecrets()).packages is None


class ChangedLine(Parts):
    """Code of which one line differs, which holds a secret."""

    def compare_code(self, left: str, right: str) -> Sequence[FileChange] | None:
        return [FileChange(path="main.py", kind="changed", diff="@@ -1 +1 @@\n-key = 'old-key'\n+key = 'new-key'")]


def test_compare_runs_when_lines_hold_secrets_the_runs_were_given_then_their_values_are_left_out() -> None:
    """Also when one of the secrets is not there any more."""

    def given(tree_hash: str, *keys: str) -> Run:
        return make_run(capsule={**make_run().capsule, "tree_hash": tree_hash, "secrets": dict.fromkeys(keys, 1)})

    secrets = MemorySecrets(NEW="new-key")
    (change,) = compare_runs(given("a", "OLD", "NEW"), given("b", "NEW"), ChangedLine(), secrets).files or ()
    assert change.diff == "@@ -1 +1 @@\n-key = 'old-key'\n+key = '***'"
