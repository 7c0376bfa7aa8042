"""What making a commit active would do: the records of a plan, and the comparisons it is made of. Nothing is done here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from fastflow.kernel.executors.port import Limits
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Concurrency, Pipeline, PipelineSettings
from fastflow.kernel.pipelines.domain.retry import RetryPolicy
from fastflow.kit.addresses import without_credentials

Change = Literal["added", "removed", "changed"]
EnvironmentState = Literal["locked", "ready", "failed", "elsewhere", "none"]
BlockerKind = Literal["fault", "lock", "environment", "removal"]

MOST_FILES = 50
_NOT_SETTINGS = frozenset({"schedules", "after_at", "unread_after"})
"""Of the settings, what the plan tells in a part of its own, and where something stands."""


@dataclass(frozen=True, kw_only=True)
class SettingChange:
    """One setting of a pipeline that differs.

    Attributes:
        setting: its key in pipeline.toml, such as `timeout` or `limits.memory_bytes`.
    """

    setting: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class PackageChange:
    """One package of a pipeline's environment that differs; None: it is not there."""

    package: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class EnvironmentPlan:
    """What the pipeline's dependencies lead to.

    Attributes:
        state: `locked`: resolved; `ready`: built; `failed`: they cannot be resolved or built; `elsewhere`: made where
            the run is, by the first one: inside an image, or on a cluster's node; `none`: the pipeline is broken or goes, so nothing is resolved.
        hash: of the environment.
        before: hash of the environment of the active version.
        packages: what differs.
        why: of `failed`, in uv's own words.
    """

    state: EnvironmentState
    hash: str | None = None
    before: str | None = None
    packages: Sequence[PackageChange] = ()
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScheduleChange:
    """A schedule that comes, goes or changes with the code.

    Attributes:
        before: its timing in words; None: it is new.
        after: None: it goes.
    """

    change: Change
    pipeline: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class PipelineChange:
    """What becomes of one pipeline.

    Attributes:
        files: path -> added, removed or changed; at most 50 of them.
        more_files: how many are not listed.
        requirements_added: lines that say what is installed, and are new.
        faults: everything that is wrong with it in the new version.
        was_broken: it could not run before either.
        active_runs: of a pipeline that goes: the ids of its runs in the queue and under way; at most 50.
        schedules_left: of a pipeline that goes: names of schedules that people made, which would start nothing.
        followers_left: of a pipeline that goes: pipelines that are to run after it.
    """

    name: str
    change: Change
    files: Mapping[str, Change] = field(default_factory=dict)
    more_files: int = 0
    requirements_added: Sequence[str] = ()
    requirements_removed: Sequence[str] = ()
    settings: Sequence[SettingChange] = ()
    environment: EnvironmentPlan | None = None
    faults: Sequence[Fault] = ()
    was_broken: bool = False
    active_runs: Sequence[str] = ()
    schedules_left: Sequence[str] = ()
    followers_left: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Blocker:
    """What keeps the plan from being carried out unless it is forced.

    Attributes:
        file: where it is mended; None: nowhere in the code.
    """

    kind: BlockerKind
    pipeline: str
    message: str
    hint: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        return f"{place}{self.message}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that would change.

    Attributes:
        unchanged: how many pipelines of the repository stay as they are.
        warnings: what is worth knowing but blocks nothing.
    """

    commit_before: str | None
    commit: str | None
    pipelines: Sequence[PipelineChange] = ()
    schedules: Sequence[ScheduleChange] = ()
    blockers: Sequence[Blocker] = ()
    warnings: Sequence[str] = ()
    unchanged: int = 0

    def to_json(self) -> dict[str, Any]:
        """As it is kept and shown."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @property
    def removed(self) -> Sequence[str]:
        """Names of the pipelines that go."""
        return [one.name for one in self.pipelines if one.change == "removed"]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def compare_files(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Change]:
    """Path -> what became of it, in order; a file that stays is left out.

    >>> compare_files({"main.py": "1", "a.py": "1"}, {"main.py": "2", "b.py": "1"})
    {'a.py': 'removed', 'b.py': 'added', 'main.py': 'changed'}
    """
    found: dict[str, Change] = {}
    for path in sorted({*before, *after}):
        if path not in before:
            found[path] = "added"
        elif path not in after:
            found[path] = "removed"
        elif before[path] != after[path]:
            found[path] = "changed"
    return found


def compare_settings(before: Pipeline, after: Pipeline) -> Sequence[SettingChange]:
    """The settings that differ, in the order in which they are declared; schedules are compared elsewhere."""
    found: list[SettingChange] = []
    for name in (entry.name for entry in fields(PipelineSettings)):
        old, new = getattr(before, name), getattr(after, name)
        if name in _NOT_SETTINGS or old == new:
            continue
        if isinstance(new, Limits | Concurrency | RetryPolicy) and type(old) is type(new):
            found += [
                SettingChange(
                    setting=f"{name}.{part.name}", before=getattr(old, part.name), after=getattr(new, part.name)
                )
                for part in fields(new)
                if getattr(old, part.name) != getattr(new, part.name)
            ]
        else:
            found.append(SettingChange(setting=_KEYS.get(name, name), before=old, after=new))
    if before.kind != after.kind:
        found.append(SettingChange(setting="kind", before=before.kind, after=after.kind))
    return found


_KEYS: Mapping[str, str] = {"run_timeout": "timeout", "params_schema": "params"}
"""Where the key in pipeline.toml is another word than the record's field."""


def compare_requirements(before: Pipeline | None, after: Pipeline | None) -> tuple[Sequence[str], Sequence[str]]:
    """The lines that say what is installed: those that are new, and those that are gone. Locks are left out: what
    follows from them is told as packages."""
    old, new = set(_lines(before)), set(_lines(after))
    return (
        [without_credentials(line) for line in _lines(after) if line not in old],
        [without_credentials(line) for line in _lines(before) if line not in new],
    )


def _lines(pipeline: Pipeline | None) -> Iterator[str]:
    if pipeline is None:
        return
    if pipeline.python is not None:
        yield f"python {pipeline.python}"
    for path, text in sorted(pipeline.environment_files.items()):
        if path.endswith(".lock"):
            continue
        for line in text.splitlines():
            told = line.strip().removeprefix("#").strip() if path.endswith(".py") else line.strip()
            if told and not told.startswith(("#", "///")) and told not in ("]", "["):
                yield told


def compare_packages(before: Mapping[str, str], after: Mapping[str, str]) -> Sequence[PackageChange]:
    """The packages that differ, by name."""
    return [
        PackageChange(package=name, before=before.get(name), after=after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def compare_pipeline(
    name: str, before: Pipeline | None, after: Pipeline | None, files: Mapping[str, Change]
) -> PipelineChange:
    """What becomes of a pipeline, as far as its files tell."""
    added, removed = compare_requirements(before, after)
    change: Change = "added" if before is None else "removed" if after is None else "changed"
    return replace(
        files_change(name, change, files),
        requirements_added=added,
        requirements_removed=removed,
        settings=_settings(before, after),
        faults=() if after is None else after.faults,
        was_broken=before is not None and not before.is_healthy,
    )


def _settings(before: Pipeline | None, after: Pipeline | None) -> Sequence[SettingChange]:
    """The settings that differ; of a pipeline that is new, those it sets."""
    if before is None and after is not None and after.is_healthy:
        bare = Pipeline(name=after.name, kind=after.kind, script=after.script)
        return [replace(one, before=None) for one in compare_settings(bare, after)]
    return compare_settings(before, after) if before and after else ()


def files_change(name: str, change: Change, files: Mapping[str, Change]) -> PipelineChange:
    """A change of which the files alone are known."""
    shown = dict(list(files.items())[:MOST_FILES])
    return PipelineChange(name=name, change=change, files=shown, more_files=len(files) - len(shown))


def find_blockers(changes: Sequence[PipelineChange]) -> Sequence[Blocker]:
    """What speaks against it: pipelines that break, environments that cannot be had, pipelines that go while they are
    used. One that was broken before blocks nothing."""
    found: list[Blocker] = []
    for one in changes:
        if one.change == "removed":
            found += _removal(one)
        elif not one.was_broken:
            found += [block_fault(fault) for fault in one.faults if fault.severity == "error"]
    return found


def block_fault(fault: Fault) -> Blocker:
    """A fault that blocks."""
    return Blocker(
        kind="fault",
        pipeline=fault.pipeline,
        message=fault.message,
        hint=fault.hint,
        file=fault.file,
        line=fault.line,
    )


def _removal(one: PipelineChange) -> Iterator[Blocker]:
    told = []
    if one.active_runs:
        count = len(one.active_runs)
        told.append(f"{count} of its runs {'waits or runs' if count == 1 else 'wait or run'}")
    if one.schedules_left:
        told.append(f"it has schedules that people made: {', '.join(one.schedules_left)}")
    if one.followers_left:
        names = ", ".join(one.followers_left)
        told.append(f"{names} {'runs' if len(one.followers_left) == 1 else 'run'} after it")
    if told:
        yield Blocker(
            kind="removal",
            pipeline=one.name,
            message=f"The pipeline {one.name} goes, and {' and '.join(told)}.",
            hint=_remedy(one),
        )


def _remedy(one: PipelineChange) -> str:
    """What lets it go, and what forcing it does."""
    first, forced = [], []
    if one.active_runs:
        first.append("wait for the runs")
        forced.append("the runs are stopped")
    if one.schedules_left:
        first.append("remove the schedules")
        forced.append("the schedules start nothing")
    if one.followers_left:
        first.append(f"take it out of the after of {', '.join(one.followers_left)}")
        forced.append("what runs after it never starts by itself")
    told = " and ".join(first)
    return f"{told[0].upper()}{told[1:]}, or force it: {', and '.join(forced)}."
