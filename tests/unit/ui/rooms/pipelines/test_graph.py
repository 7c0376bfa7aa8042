"""The graph around a pipeline."""

from fastflow.kernel.flows.domain.after import After
from fastflow.ui.rooms.pipelines.graph import MOST, lay_out

AFTERS = {
    "clean": After(pipelines=("extract",)),
    "load": After(pipelines=("clean", "extract")),
    "report": After(pipelines=("load",)),
    "other": After(pipelines=("elsewhere",)),
}


def test_graph_when_laid_out_then_each_stands_behind_all_that_it_runs_after() -> None:
    graph = lay_out("clean", AFTERS, lambda name: True)
    assert graph is not None
    assert graph.places == {"extract": (0, 0), "clean": (1, 0), "load": (2, 0), "report": (3, 0)}
    assert ("extract", "load") in graph.edges and len(graph.edges) == 4
    assert lay_out("lonely", AFTERS, lambda name: True) is None


def test_graph_when_some_may_not_be_seen_then_their_names_are_not_in_it() -> None:
    graph = lay_out("clean", AFTERS, lambda name: name != "report")
    assert graph is not None and "report" not in graph.places


def test_graph_when_it_goes_in_a_circle_or_is_very_wide_then_it_is_drawn_in_bounds() -> None:
    circle = {"a": After(pipelines=("b",)), "b": After(pipelines=("a",))}
    graph = lay_out("a", circle, lambda name: True)
    assert graph is not None and len(graph.places) == 2
    wide = {f"p{number}": After(pipelines=("a",)) for number in range(200)}
    graph = lay_out("a", wide, lambda name: True)
    assert graph is not None
    assert (len(graph.places), graph.left_out) == (MOST, 201 - MOST)
