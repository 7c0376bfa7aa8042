"""Compares two runs: their records, and, where the code or the environment differs, what exactly is different."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fastflow.kernel.runs.domain.changed_lines import hide_values
from fastflow.kernel.runs.domain.comparing import FileChange, PackageChange, RunDiff, comparable, compare
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.ports import Comparison, SecretVersions
from fastflow.kit.errors import FastFlowError


def compare_runs(left: Run, right: Run, parts: Comparison, secrets: SecretVersions) -> RunDiff:
    """What the two runs differ in; of changed lines, without the values of the secrets that the runs were given."""
    return RunDiff(
        left=left,
        right=right,
        differences=compare(comparable(left), comparable(right)),
        files=_without_secrets(_changed_files(left, right, parts), (left, right), secrets),
        packages=_changed_packages(left, right, parts),
    )


def _changed_files(left: Run, right: Run, parts: Comparison) -> Sequence[FileChange] | None:
    before, after = left.capsule["tree_hash"], right.capsule["tree_hash"]
    return () if before == after else parts.compare_code(before, after)


def _without_secrets(
    files: Sequence[FileChange] | None, runs: Sequence[Run], secrets: SecretVersions
) -> Sequence[FileChange] | None:
    if not files or all(not file.diff for file in files):
        return files
    values = {value for run in runs for value in _values_given(run, secrets)}
    return [replace(file, diff=hide_values(file.diff, values)) if file.diff else file for file in files]


def _values_given(run: Run, secrets: SecretVersions) -> Iterator[str]:
    for key, version in (run.capsule.get("secrets") or {}).items():
        try:
            yield from secrets.reveal(run.pipeline_name, {key: version}).masked
        except FastFlowError:  # it was removed, or taken from the pipeline, since: there is no value to look for
            continue


def _changed_packages(left: Run, right: Run, parts: Comparison) -> Sequence[PackageChange] | None:
    before, after = left.environment, right.environment
    if before == after:
        return ()
    return None if before is None or after is None else parts.compare_environments(before, after)
