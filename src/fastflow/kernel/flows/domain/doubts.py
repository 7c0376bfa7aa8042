"""The graph with the places that are not certain. A pipeline whose `after` is faulty, cannot be read, or names what is no
pipeline must not drop out of a flow unnoticed: it gets the place that it most likely has, with why it cannot run there."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from fastflow.kernel.flows.domain.after import After
from fastflow.kernel.flows.domain.declared import read_after
from fastflow.kernel.flows.domain.graph import Afters, afters_of, descendants, judge_graph
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Graph:
    """What runs after what, as far as it is known.

    Attributes:
        afters: where pipelines stand; uncertain ones with their `doubt`.
        faults: what is wrong with pipelines together, by the pipeline in whose settings it stands.
        warnings: pipelines of which nobody can tell which flow they belong to, a sentence for each.
    """

    afters: Afters
    faults: Mapping[str, Sequence[Fault]]
    warnings: Sequence[str] = ()


def read_graph(pipelines: Sequence[Pipeline]) -> Graph:
    """The graph that the pipelines declare, or would if they had no faults."""
    afters, faults = dict(afters_of(pipelines)), judge_graph(pipelines)
    names = {pipeline.name for pipeline in pipelines}
    doubtful: dict[str, tuple[str, Sequence[str]]] = {}
    for pipeline in pipelines:
        name = pipeline.name
        if name in afters:
            if not names.issuperset(afters[name].pipelines):
                doubt = str(next(fault for fault in faults[name] if "is no pipeline" in fault.message))
                doubtful[name] = (doubt, afters.pop(name).pipelines)
            continue
        named = pipeline.unread_after if pipeline.after is None else _named(pipeline)
        if named is not None:
            doubtful[name] = (_why(pipeline), named)
    warnings: list[str] = []
    for name, (doubt, named) in doubtful.items():
        upstreams = _likely(named, names - {name}, descendants([name], afters))
        if upstreams:
            afters[name] = After(pipelines=upstreams, doubt=doubt)
        else:
            warnings.append(f"{name} may belong to this flow and is not in it: {doubt}")
    return Graph(afters=afters, faults=faults, warnings=warnings)


def _named(pipeline: Pipeline) -> Sequence[str] | None:
    read = read_after(pipeline.name, pipeline.after, pipeline.params_schema)
    return read.named if read.problems else None


def _likely(named: Iterable[str], known: Collection[str], below: Collection[str]) -> tuple[str, ...]:
    """The pipelines that are meant; none of those below, so that no circle comes of a guess."""
    found: dict[str, None] = {}
    for name in named:
        near = [name] if name in known else get_close_matches(name, known, n=3, cutoff=0.6)
        found.update(dict.fromkeys(each for each in near if each not in below))
    return tuple(found)


def _why(pipeline: Pipeline) -> str:
    errors = [fault for fault in pipeline.faults if fault.severity == "error"]
    about = next((fault for fault in errors if fault.message.startswith("after")), errors[0] if errors else None)
    return f"what it runs after cannot be read: {about or 'its settings have faults'}"
