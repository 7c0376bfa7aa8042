"""Compares two runs: their records, and, where the code or the environment differs, what exactly is different."""

from collections.abc import Sequence

from fastflow.kernel.runs.domain.comparing import FileChange, PackageChange, RunDiff, comparable, compare
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.ports import Comparison


def compare_runs(left: Run, right: Run, parts: Comparison) -> RunDiff:
    """What the two runs differ in."""
    return RunDiff(
        left=left,
        right=right,
        differences=compare(comparable(left), comparable(right)),
        files=_changed_files(left, right, parts),
        packages=_changed_packages(left, right, parts),
    )


def _changed_files(left: Run, right: Run, parts: Comparison) -> Sequence[FileChange] | None:
    before, after = left.capsule["tree_hash"], right.capsule["tree_hash"]
    return () if before == after else parts.compare_code(before, after)


def _changed_packages(left: Run, right: Run, parts: Comparison) -> Sequence[PackageChange] | None:
    before, after = left.environment, right.environment
    if before == after:
        return ()
    return None if before is None or after is None else parts.compare_environments(before, after)
