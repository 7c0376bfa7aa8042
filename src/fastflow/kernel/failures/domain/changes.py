"""What changed between a failed run and the last good one of its pipeline, and how it compares with its history. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastflow.kernel.failures.domain.fingerprint import Failure
from fastflow.kernel.runs.domain.comparing import RunDiff
from fastflow.kernel.runs.domain.params import encode_value
from fastflow.kernel.runs.domain.run import Run
from fastflow.kit.quantities import size
from fastflow.kit.words import counted

FEWEST: Final = 5
"""Runs that a history needs before a value is called unusual."""
_SPREADS: Final = 3.5
"""So many times the usual spread away from the median is unusual."""
_MAD_TO_DEVIATION: Final = 1.4826
_LEAST_SHARE: Final = 0.2
"""And at least so much of the median: a spread of nearly nothing makes nothing unusual."""

_NAMES: Final = {
    "peak_memory_bytes": "peak memory",
    "cpu_seconds": "CPU time",
    "params_bytes": "the size of the parameters",
    "handed_bytes": "the size of what its upstreams handed on",
}
_LEAST: Final = {"params_bytes": 1024.0, "handed_bytes": 1024.0}
"""Inputs differ from run to run; so many bytes more or less are never called unusual."""
_KINDS: Final = (
    ("capsule.tree_hash", "code"),
    ("capsule.script", "code"),
    ("capsule.commit", "code"),
    ("capsule.dirty", "code"),
    ("capsule.environment", "dependencies"),
    ("environment", "dependencies"),
    ("uv_version", "dependencies"),
    ("interpreter", "interpreter"),
    ("params", "parameter"),
    ("capsule.limits", "limit"),
    ("capsule.timeouts", "limit"),
    ("capsule.grace", "limit"),
    ("capsule.secrets", "secret"),
    ("capsule.network", "network"),
    ("capsule.executor", "executor"),
    ("capsule.retry", "retry"),
    ("capsule.policy", "policy"),
)
_RESULTS: Final = ("status", "reason", "exit_code", "metrics", "outputs", "capsule.schedule")
"""What follows from a run, or differs each time: no cause of its end."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that is not as it was in the last good run.

    Attributes:
        kind: code, dependencies, interpreter, parameter, limit, secret, network, executor, host, retry or policy.
        what: its name.
        before, after: the two values; None also stands for absent.
    """

    kind: str
    what: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit between the two runs."""

    id: str
    author: str
    at: datetime
    subject: str


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of the run against those of the pipeline's good runs before it.

    Attributes:
        name: duration, peak_memory_bytes, cpu_seconds, params_bytes, handed_bytes (of artifacts from upstreams), or a metric's name with `metric.` before it.
        median, spread: of the history; spread is the median absolute deviation.
        runs: how many the history has.
        verdict: usual, high, low, or unknown when the history is too short.
    """

    name: str
    value: float
    median: float
    spread: float
    runs: int
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Why:
    """Why a run may have failed.

    Attributes:
        text: the answer in a few words.
        last_good: the last successful run of the pipeline before it; None when there is none.
        failed_since: failures of the pipeline since then, this one included.
        failure: what its end has in common with others; None while that is not known yet.
        group_runs, group_first_seen_at: of that group, as far as the asker may see it.
        changes: since the last good run.
        commits: that touched the pipeline in between; None: not known.
        diff: the comparison that the changes come from.
        measures: against the history.
    """

    run: Run
    text: str
    last_good: Run | None
    failed_since: int
    failure: Failure | None
    group_runs: int
    group_first_seen_at: datetime | None
    changes: Sequence[Change]
    commits: Sequence[Commit] | None
    diff: RunDiff | None
    measures: Sequence[Measure]


def changes_of(diff: RunDiff) -> list[Change]:
    """The differences that may be a cause, from the good run (left) to the failed one (right)."""
    found = [
        Change(kind=kind, what=each.field.removeprefix("capsule."), before=each.left, after=each.right)
        for each in diff.differences
        if (kind := _kind_of(each.field)) is not None
    ]
    if diff.left.host != diff.right.host and None not in (diff.left.host, diff.right.host):
        found.append(Change(kind="host", what="host", before=diff.left.host, after=diff.right.host))
    order = [kind for _, kind in _KINDS]
    return sorted(found, key=lambda change: order.index(change.kind) if change.kind in order else len(order))


def _kind_of(field: str) -> str | None:
    if any(field == name or field.startswith(f"{name}.") for name in _RESULTS):
        return None
    return next((kind for name, kind in _KINDS if field == name or field.startswith(f"{name}.")), None)


def measures_of(run: Run, history: Sequence[Run], handed: Mapping[str, int] | None = None) -> list[Measure]:
    """Duration, memory, processor time, sizes of inputs and told metrics of the run against the good runs before it.

    Args:
        run: it.
        history: the good runs.
        handed: run id -> bytes of artifacts that its upstreams left for it; a run that has none is not among them.
    """
    known_sizes = handed or {}
    past = [_numbers(each, known_sizes) for each in history]
    measures = []
    for name, value in _numbers(run, known_sizes).items():
        known = [numbers[name] for numbers in past if name in numbers]
        if known:
            measures.append(compare(name, value, known))
    return measures


def compare(name: str, value: float, known: Sequence[float]) -> Measure:
    """One number against its history.

    >>> compare("duration", 9.0, [1.0, 1.1, 0.9, 1.0, 1.0]).verdict
    'high'
    """
    median = statistics.median(known)
    spread = statistics.median(abs(each - median) for each in known)
    verdict = "unknown"
    if len(known) >= FEWEST:
        least = max(_SPREADS * _MAD_TO_DEVIATION * spread, _LEAST_SHARE * abs(median), _LEAST.get(name, 0.0))
        verdict = "usual" if abs(value - median) <= least else "high" if value > median else "low"
    return Measure(name=name, value=value, median=median, spread=spread, runs=len(known), verdict=verdict)


def _numbers(run: Run, handed: Mapping[str, int]) -> dict[str, float]:
    found: dict[str, float] = {"params_bytes": float(len(encode_value(dict(run.params)).encode()))}
    if run.id in handed:
        found["handed_bytes"] = float(handed[run.id])
    if run.started_at is not None and run.finished_at is not None:
        found["duration"] = (run.finished_at - run.started_at).total_seconds()
    for name, value in (("peak_memory_bytes", run.peak_memory_bytes), ("cpu_seconds", run.cpu_seconds)):
        if value is not None:
            found[name] = float(value)
    found.update({f"metric.{name}": float(value) for name, value in (run.metrics or {}).items() if _is_number(value)})
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def summarise(
    last_good: Run | None,
    changes: Sequence[Change],
    measures: Sequence[Measure],
    diff: RunDiff | None,
    commits: Sequence[Commit] | None,
) -> str:
    """What is worth a look, in one or two sentences."""
    unusual = [
        f"{_NAMES.get(each.name, each.name)} is {each.verdict} "
        f"({_amount(each.name, each.value)}, usually {_amount(each.name, each.median)})"
        for each in measures
        if each.verdict in ("high", "low")
    ]
    told = f" Unusual: {', '.join(unusual)}." if unusual else ""
    if last_good is None:
        return f"No run of the pipeline has ended with success before, so there is nothing to compare with.{told}"
    since = f"Since run {last_good.id} ended with success"
    if last_good.finished_at:
        since += f" at {last_good.finished_at:%Y-%m-%d %H:%M} UTC"
    if not changes:
        return f"{since}, nothing that makes up a run has changed: look for what it reads, or the hour.{told}"
    return f"{since}, these changed: {'; '.join(_told(changes, diff, commits))}.{told}"


def _told(changes: Sequence[Change], diff: RunDiff | None, commits: Sequence[Commit] | None) -> list[str]:
    by_kind: dict[str, list[Change]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(change)
    return [_words(kind, some, diff, commits) for kind, some in by_kind.items()]


def _words(kind: str, some: Sequence[Change], diff: RunDiff | None, commits: Sequence[Commit] | None) -> str:
    if kind == "code":
        files = f" ({counted(len(diff.files), 'file')})" if diff and diff.files else ""
        by = f", last by {commits[0].author}: {commits[0].subject!r}" if commits else ""
        return f"the code{files}{by}"
    if kind == "dependencies":
        packages = [
            f"{each.name} {each.left or 'absent'} → {each.right or 'absent'}"
            for each in (diff.packages if diff else ()) or ()
        ]
        return "the dependencies" + (
            f" ({', '.join(packages[:3])}{', …' if len(packages) > 3 else ''})" if packages else ""
        )
    shown = ", ".join(f"{each.what} {_value(each.before)} → {_value(each.after)}" for each in some[:3])
    return shown + (", …" if len(some) > 3 else "")


def _value(value: Any) -> str:
    text = "absent" if value is None else value if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _amount(name: str, value: float) -> str:
    """The number with its unit.

    >>> _amount("duration", 0.03302), _amount("duration", 75.0), _amount("peak_memory_bytes", 5e8), _amount("metric.x", 3)
    ('33 ms', '75 s', '477 MB', '3')
    """
    if name in ("duration", "cpu_seconds"):
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.3g} s" if value < 1000 else f"{value:,.0f} s"
    if name in ("params_bytes", "handed_bytes"):
        return size(int(value))
    return f"{value / 2**20:,.3g} MB" if name == "peak_memory_bytes" else _short(value)


def _short(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
