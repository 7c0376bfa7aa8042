"""What a pipeline runs after and what runs after it, as a drawing whose boxes lead to the pipelines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastflow.kernel.flows.domain.graph import Afters, afters_of, descendants, followers_of
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.ui.markup import Html, div, tag
from fastflow.ui.parts import card
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Texts

MOST = 60
_WIDE, _HIGH, _BETWEEN, _GAP = 168, 30, 44, 12
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
    columns = _columns(shown, edges)
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for each in sorted(shown, key=lambda one: (columns[one], one)):
        column = columns[each]
        places[each] = (column, rows.get(column, 0))
        rows[column] = rows.get(column, 0) + 1
    return Graph(places=places, edges=edges, left_out=len(seen) - len(shown))


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


def _columns(names: set[str], edges: Sequence[tuple[str, str]]) -> Mapping[str, int]:
    """The longest way from a beginning; a circle, which is a fault, ends it."""
    columns = dict.fromkeys(names, 0)
    for _ in names:
        is_settled = True
        for up, down in edges:
            if columns[down] <= columns[up] < len(names):
                columns[down] = columns[up] + 1
                is_settled = False
        if is_settled:
            break
    return columns


def draw(t: Texts, name: str, graph: Graph) -> Html:
    """The card with the drawing."""
    wide = max(column for column, _ in graph.places.values()) + 1
    high = max(row for _, row in graph.places.values()) + 1
    width, height = wide * (_WIDE + _BETWEEN) - _BETWEEN + 2, high * (_HIGH + _GAP) - _GAP + 2
    told = ", ".join(f"{up} → {down}" for up, down in graph.edges)
    drawing = tag(
        "svg",
        [tag("path", d=_way(graph.places[up], graph.places[down]), fill="none") for up, down in graph.edges],
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


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    column, row = place
    return column * (_WIDE + _BETWEEN) + 1, row * (_HIGH + _GAP) + 1


def _way(begin: tuple[int, int], end: tuple[int, int]) -> str:
    x, y = _corner(begin)
    to_x, to_y = _corner(end)
    x, y, to_y = x + _WIDE, y + _HIGH // 2, to_y + _HIGH // 2
    middle = _BETWEEN // 2
    return f"M{x},{y} C{x + middle},{y} {to_x - middle},{to_y} {to_x},{to_y}"


def _box(name: str, place: tuple[int, int], *, is_it: bool) -> Html:
    x, y = _corner(place)
    shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    return tag(
        "a",
        tag("title", Data(name)),
        tag("rect", x=x, y=y, width=_WIDE, height=_HIGH, rx=6),
        tag("text", Data(shown), x=x + _WIDE // 2, y=y + _HIGH // 2 + 4, text_anchor="middle"),
        href=f"{BASE}/pipelines/{quote(name, safe='')}",
        cls="it" if is_it else "",
    )
