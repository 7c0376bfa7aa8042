"""What two runs differ in: fields of their records, files of their code, packages of their environments. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastflow.kernel.runs.domain.changed_lines import change_lines
from fastflow.kernel.runs.domain.run import Run

COMPARED = (
    "pipeline", "parameters", "code", "environment", "interpreter", "uv version", "secrets' versions", "limits", "timeouts",
    "grace", "network", "executor", "policy", "retry rules", "status", "reason", "exit code", "metrics", "outputs",
)  # fmt: skip
"""What a comparison looks at, in words. Times and durations always differ and are not among it."""

MAX_LINES = 20_000
"""Files with more lines are compared as a whole: counting their changed lines takes too long."""

_NOT_COMPARED = frozenset({"request_digest", "exact", "modules", "trace"})
"""Parts of the capsule that follow from others, or say how the run was asked for."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field in which two runs differ.

    Attributes:
        field: dotted name, such as `capsule.limits.memory_bytes`.
        left, right: the two values; None also stands for absent.
    """

    field: str
    left: Any
    right: Any


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """A file of the code that is not the same in both runs.

    Attributes:
        path: relative to the pipeline's folder.
        kind: what became of it from the left run to the right one; mode: it became executable, or ceased to be.
        added_lines, removed_lines: None when it is no text, or too long to count.
        diff: the changed lines, unified, without secrets; None: there are none to show.
        is_cut: whether there is more than `diff` has.
    """

    path: str
    kind: Literal["added", "removed", "changed", "mode"]
    added_lines: int | None = None
    removed_lines: int | None = None
    diff: str | None = None
    is_cut: bool = False


@dataclass(frozen=True, kw_only=True)
class PackageChange:
    """A package that is not the same in both environments.

    Attributes:
        left, right: its version; None where it is not installed.
    """

    name: str
    left: str | None
    right: str | None


@dataclass(frozen=True, kw_only=True)
class RunDiff:
    """Two runs compared; nothing in `differences`: the same parts and the same result.

    Attributes:
        compared: what was looked at.
        files: in which their code differs; None when it differs and a snapshot is gone.
        packages: in which their environments differ; None when they differ and one of them is gone.
    """

    left: Run
    right: Run
    differences: Sequence[Difference]
    compared: Sequence[str] = COMPARED
    files: Sequence[FileChange] | None = ()
    packages: Sequence[PackageChange] | None = ()


def comparable(run: Run) -> dict[str, Any]:
    """The parts and the result of a run, as far as they may be equal in two runs."""
    capsule = {name: value for name, value in run.capsule.items() if name not in _NOT_COMPARED}
    # the hash in the capsule is what was known at submission; the run's own is the environment it had
    capsule["environment"] = {name: part for name, part in capsule.get("environment", {}).items() if name != "hash"}
    return {
        "pipeline_name": run.pipeline_name,
        "params": dict(run.params),
        "capsule": capsule,
        "environment": run.environment,
        "interpreter": run.interpreter,
        "uv_version": run.uv_version,
        "status": run.status.value,
        "reason": run.reason,
        "exit_code": run.exit_code,
        "metrics": dict(run.metrics or {}),
        "outputs": dict(run.outputs or {}),
    }


def compare(left: Mapping[str, Any], right: Mapping[str, Any], prefix: str = "") -> list[Difference]:
    """The leaves in which two JSON objects differ, in the order of their names; lists are compared whole.

    >>> compare({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    [Difference(field='a.b', left=1, right=3)]
    """
    found: list[Difference] = []
    for name in sorted({*left, *right}):
        mine, other = left.get(name), right.get(name)
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            found += compare(mine, other, f"{prefix}{name}.")
        elif mine != other:
            found.append(Difference(field=f"{prefix}{name}", left=mine, right=other))
    return found


def describe_change(path: str, left: bytes | None, right: bytes | None) -> FileChange:
    r"""What became of a file whose content is `left` in one run and `right` in the other; None: it is not there.

    >>> describe_change("main.py", b"a\nb\n", b"a\nc\nd\n")
    FileChange(path='main.py', kind='changed', added_lines=2, removed_lines=1, diff='@@ -1,2 +1,3 @@\n a\n-b\n+c\n+d', is_cut=False)
    """
    kind: Literal["added", "removed", "changed"] = (
        "added" if left is None else "removed" if right is None else "changed"
    )
    before, after = _lines(left), _lines(right)
    if before is None or after is None:
        return FileChange(path=path, kind=kind)
    lines = change_lines(path, before, after)
    return FileChange(
        path=path, kind=kind, added_lines=lines.added, removed_lines=lines.removed, diff=lines.diff, is_cut=lines.is_cut
    )


def compare_packages(left: Mapping[str, str], right: Mapping[str, str]) -> Sequence[PackageChange]:
    """The packages whose versions differ, by name."""
    names = sorted({*left, *right})
    return [
        PackageChange(name=name, left=left.get(name), right=right.get(name))
        for name in names
        if left.get(name) != right.get(name)
    ]


def _lines(content: bytes | None) -> Sequence[str] | None:
    """The lines of a text; None for what is none or has too many."""
    if content is None:
        return ()
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        return None
    return lines if len(lines) <= MAX_LINES else None
