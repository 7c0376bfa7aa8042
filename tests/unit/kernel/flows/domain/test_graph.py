"""The graph: order, cycles, what lies below roots, the critical path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.flows.domain.after import After
from fastflow.kernel.flows.domain.errors import FlowCycle
from fastflow.kernel.flows.domain.graph import (
    Span,
    critical_path,
    descendants,
    describe_cycle,
    find_cycles,
    judge_graph,
    ordered,
)
from fastflow.kernel.flows.domain.planned import plan_steps
from fastflow.kernel.pipelines.domain.pipeline import Pipeline


def afters(**edges: list[str]) -> dict[str, After]:
    return {name: After(pipelines=tuple(ups)) for name, ups in edges.items()}


def test_cycles_when_there_are_some_then_each_is_found_once_and_the_shortest() -> None:
    found = find_cycles(afters(a=["c"], b=["a"], c=["b"], d=["a"], x=["y"], y=["x"], s=["s"]))
    assert [describe_cycle(cycle) for cycle in found] == ["a -> b -> c -> a", "s -> s", "x -> y -> x"]


def test_graph_when_judged_then_cycle_and_unknown_upstream_are_told_with_file_and_line() -> None:
    pipelines = [
        Pipeline(name="a", kind="folder", script="main.py", after=["b"], after_at=("pipeline.toml", 3)),
        Pipeline(name="b", kind="file", script="b.py", after=["a"], after_at=("b.py", 7)),
        Pipeline(name="c", kind="folder", script="main.py", after=["extrct"], after_at=("pipeline.toml", 1)),
        Pipeline(name="extract", kind="folder", script="main.py"),
    ]
    found = judge_graph(pipelines)
    assert [str(fault) for fault in found["a"]] == ["a/pipeline.toml:3: after goes in a circle: a -> b -> a."]
    assert [fault.place for fault in found["b"]] == ["b.py:7"]
    assert "'extrct', which is no pipeline. Did you mean 'extract'" in found["c"][0].message
    assert "extract" not in found


def test_plan_when_below_the_roots_then_upstreams_come_first_and_roots_stand_alone() -> None:
    graph = afters(b=["a"], c=["b", "z"], d=["c"], e=["z"])
    assert [(step.name, step.is_root) for step in plan_steps(["b"], graph)] == [("b", True), ("c", False), ("d", False)]
    assert list(descendants(["a"], graph)) == ["a", "b", "c", "d"]
    assert [step.name for step in plan_steps(["a", "z"], graph)] == ["a", "z", "b", "e", "c", "d"]


def test_plan_when_a_circle_is_below_then_refused_and_named() -> None:
    with pytest.raises(FlowCycle, match="b -> c -> b"):
        plan_steps(["a"], afters(b=["a", "c"], c=["b"]))
    assert [step.name for step in plan_steps(["b"], afters(b=["c"], c=["b"]))] == ["b", "c"]  # a root waits for nothing


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_any_graph_when_ordered_then_exactly_what_is_in_or_below_a_cycle_is_left_out(
    edges: list[tuple[int, int]],
) -> None:
    graph: dict[str, After] = {}
    for before, after in edges:
        ups = graph[f"n{after}"].pipelines if f"n{after}" in graph else ()
        graph[f"n{after}"] = After(pipelines=tuple(dict.fromkeys((*ups, f"n{before}"))))
    names = [f"n{number}" for number in range(8)]
    line = ordered(names, graph)
    for name in line:
        assert all(line.index(up) < line.index(name) for up in graph[name].pipelines) if name in graph else True
    cycles = find_cycles(graph)
    assert (len(line) == len(names)) == (not cycles)
    assert set(names) - set(line) == set(descendants([name for cycle in cycles for name in cycle], graph))


def test_critical_path_when_two_ways_then_the_longer_one() -> None:
    spans = {
        "a": Span(upstreams=(), seconds=1.0),
        "b": Span(upstreams=("a",), seconds=5.0),
        "c": Span(upstreams=("a",), seconds=2.0),
        "d": Span(upstreams=("b", "c"), seconds=1.0),
    }
    assert critical_path(spans) == (["a", "b", "d"], 7.0)
    assert critical_path({}) == ([], 0.0)
