"""What a pipeline runs after and what runs after it, as a drawing whose boxes lead to the pipelines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastflow.kernel.flows.domain.graph import Afters, afters_of, descendants, followers_of
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.ui.layers import corner, extent, place_names, shortened, way
from fastflow.ui.markup import Html, div, tag
from fastflow.ui.parts import card
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Texts

MOST = 60
_WIDE, _HIGH = 168, 30
_LONGEST = 22


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Pipelines around one of them.

    Attributes:
        places: name -> column and row.
        edges: from what runs first to what runs after it.
        left_out: how many there are beside these.
    """

    places: Mapping[str, tuple[int, int]]
    edges: Sequence[tuple[str, str]]
    left_out: int = 0


def graph_around(name: str, pipelines: Sequence[Pipeline], may_see: Callable[[str], bool]) -> Graph | None:
    """The part of the graph that the pipeline belongs to, as far as it may be seen; None: it stands alone."""
    return lay_out(name, afters_of(pipelines), may_see)


def lay_out(name: str, afters: Afters, may_see: Callable[[str], bool]) -> Graph | None:
    """As `graph_around`, of what is declared already."""
    below = followers_of(afters)
    names = {*descendants([name], afters), *_ancestors(name, afters)}
    seen = sorted(each for each in names if may_see(each))
    shown = {name, *[each for each in seen if each != name][: MOST - 1]}
    edges = [(up, down) for up in sorted(shown) for down in below.get(up, ()) if down in shown]
    if not edges:
        return None
    return Graph(places=place_names(shown, edges), edges=edges, left_out=len(seen) - len(shown))


def _ancestors(name: str, afters: Afters) -> set[str]:
    found: set[str] = set()
    left = [name]
    while left:
        after = afters.get(left.pop())
        for upstream in after.pipelines if after else ():
            if upstream not in found:
                found.add(upstream)
                left.append(upstream)
    return found


def draw(t: Texts, name: str, graph: Graph) -> Html:
    """The card with the drawing."""
    width, height = extent(graph.places.values(), _WIDE, _HIGH)
    told = ", ".join(f"{up} → {down}" for up, down in graph.edges)
    drawing = tag(
        "svg",
        [
            tag("path", d=way(graph.places[up], graph.places[down], _WIDE, _HIGH), fill="none")
            for up, down in graph.edges
        ],
        [_box(each, place, is_it=each == name) for each, place in graph.places.items()],
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="group",
        aria_label=t("pipelines.graph_told", edges=told),
        cls="graph",
    )
    more = tag("p", t("pipelines.graph_more", n=graph.left_out), cls="card-body muted") if graph.left_out else None
    return card(t("pipelines.graph"), div(drawing, cls="table-wrap card-body"), more)


def _box(name: str, place: tuple[int, int], *, is_it: bool) -> Html:
    x, y = corner(place, _WIDE, _HIGH)
    return tag(
        "a",
        tag("title", Data(name)),
        tag("rect", x=x, y=y, width=_WIDE, height=_HIGH, rx=6),
        tag("text", Data(shortened(name, _LONGEST)), x=x + _WIDE // 2, y=y + _HIGH // 2 + 4, text_anchor="middle"),
        href=f"{BASE}/pipelines/{quote(name, safe='')}",
        cls="it" if is_it else "",
    )
