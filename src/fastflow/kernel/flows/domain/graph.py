"""The graph that pipelines' `after` makes: its order, what is wrong with it, the part below some roots, the critical path."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fastflow.kernel.flows.domain.after import After
from fastflow.kernel.flows.domain.declared import read_after
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kit.words import did_you_mean

Afters = Mapping[str, After]
"""Pipeline -> where it stands; pipelines without `after` are not in it."""


def afters_of(pipelines: Sequence[Pipeline]) -> Afters:
    """What the pipelines declare; those whose `after` is wrong are left out."""
    found = (
        (each.name, read_after(each.name, each.after, each.params_schema).after) for each in pipelines if each.after
    )
    return {name: after for name, after in found if after is not None}


def judge_graph(pipelines: Sequence[Pipeline]) -> Mapping[str, Sequence[Fault]]:
    """What is wrong with the graph as a whole, by the pipeline in whose settings it stands: unknown upstreams, cycles."""
    afters, names = afters_of(pipelines), {pipeline.name for pipeline in pipelines}
    by_name = {pipeline.name: pipeline for pipeline in pipelines}
    faults: dict[str, list[Fault]] = {}
    for name, after in afters.items():
        for upstream in after.pipelines:
            if upstream not in names:
                message = f"after names {upstream!r}, which is no pipeline.{did_you_mean(upstream, names)}"
                hint = "Correct the name, or remove it from after."
                faults.setdefault(name, []).append(_fault(by_name[name], message, hint))
    for cycle in find_cycles(afters):
        message = f"after goes in a circle: {describe_cycle(cycle)}."
        hint = "Remove one of these pipelines from the after of the next: a flow has to begin and end somewhere."
        for name in cycle:
            faults.setdefault(name, []).append(_fault(by_name[name], message, hint))
    return faults


def describe_cycle(cycle: Sequence[str]) -> str:
    """The pipelines of a cycle, each followed by the one that runs after it.

    >>> describe_cycle(["a", "b"])
    'a -> b -> a'
    """
    return " -> ".join([*cycle, cycle[0]])


def find_cycles(afters: Afters) -> Sequence[Sequence[str]]:
    """Cycles of pipelines that run after one another, so that each pipeline in any is in one of them; the shortest ones,
    each beginning with its first name."""
    names = {*afters, *(upstream for after in afters.values() for upstream in after.pipelines)}
    below = followers_of(afters)
    found: list[Sequence[str]] = []
    seen: set[str] = set()
    for name in sorted(names.difference(ordered(names, afters))):
        cycle = () if name in seen else _cycle_through(name, below)
        if cycle:
            found.append(cycle)
            seen.update(cycle)
    return found


def followers_of(afters: Afters) -> Mapping[str, Sequence[str]]:
    """Pipeline -> those that run after it."""
    below: dict[str, list[str]] = {}
    for name in sorted(afters):
        for upstream in afters[name].pipelines:
            below.setdefault(upstream, []).append(name)
    return below


def descendants(roots: Collection[str], afters: Afters) -> Collection[str]:
    """The roots and everything that runs after them, directly or not."""
    below = followers_of(afters)
    found: dict[str, None] = dict.fromkeys(roots)
    left = list(roots)
    while left:
        for name in below.get(left.pop(), ()):
            if name not in found:
                found[name] = None
                left.append(name)
    return found


def ordered(names: Collection[str], afters: Afters, roots: Collection[str] = ()) -> Sequence[str]:
    """The pipelines so that each stands behind its upstreams, else by name; those of a cycle are left out.

    Args:
        names: which.
        afters: where they stand.
        roots: of these, `after` does not count.
    """
    waiting = {
        name: {up for up in afters[name].pipelines if up in names} if name in afters and name not in roots else set()
        for name in names
    }
    found: list[str] = []
    while True:
        free = sorted(name for name, ups in waiting.items() if not ups)
        if not free:
            return found
        for name in free:
            del waiting[name]
        for ups in waiting.values():
            ups.difference_update(free)
        found += free


@dataclass(frozen=True, kw_only=True)
class Span:
    """A step as far as its time is concerned.

    Attributes:
        upstreams: those of the same flow.
        seconds: how long it took, or has taken so far.
    """

    upstreams: Sequence[str]
    seconds: float


def critical_path(spans: Mapping[str, Span]) -> tuple[Sequence[str], float]:
    """The chain of steps that took longest, and its seconds; of equal ones the first by name.

    >>> critical_path({"a": Span(upstreams=(), seconds=2.0), "b": Span(upstreams=("a",), seconds=1.0)})
    (['a', 'b'], 3.0)
    """
    best: dict[str, tuple[float, list[str]]] = {}
    left = dict(spans)
    while left:
        ready = [name for name in sorted(left) if all(up not in left for up in left[name].upstreams)]
        if not ready:
            break
        for name in ready:
            span = left.pop(name)
            before = max((best[up] for up in span.upstreams if up in best), key=lambda each: each[0], default=(0.0, []))
            best[name] = (before[0] + span.seconds, [*before[1], name])
    if not best:
        return [], 0.0
    seconds, path = max(best.values(), key=lambda each: each[0])
    return path, seconds


def _fault(pipeline: Pipeline, message: str, hint: str) -> Fault:
    file, line = pipeline.after_at or ("pipeline.toml", None)
    place = f"{pipeline.name}/{file}" if pipeline.kind == "folder" else file
    return Fault(pipeline=pipeline.name, file=place, line=line, message=message, hint=hint)


def _cycle_through(start: str, below: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The shortest way from a pipeline back to itself; empty when there is none."""
    came: dict[str, str] = {}
    line = [start]
    for name in line:
        for follower in below.get(name, ()):
            if follower == start:
                path = [name]
                while path[-1] != start:
                    path.append(came[path[-1]])
                return path[::-1]
            if follower not in came:
                came[follower] = name
                line.append(follower)
    return ()
