"""A flow as a drawing: a box for each step with where it is; a box leads to the step's run or runs."""

from collections.abc import Collection

from fastflow.kernel.flows.domain.flow import Counts, Step
from fastflow.kernel.flows.ports import FlowView
from fastflow.ui.layers import corner, extent, place_names, shortened, way
from fastflow.ui.manifest import BASE
from fastflow.ui.markup import Html, div, tag
from fastflow.ui.parts import card
from fastflow.ui.rooms.flows.pieces import KINDS, numbers, step_path
from fastflow.ui.texts import Data, Phrase, Texts

MOST = 200
_WIDE, _HIGH, _LONGEST = 172, 46, 22


def draw(t: Texts, view: FlowView, critical: Collection[str]) -> Html | None:
    """The card with the drawing; None: there is nothing to draw of a single step."""
    shown = {step.name: step for step in view.steps[:MOST]}
    edges = [(up, step.name) for step in shown.values() for up in step.upstreams if up in shown]
    if len(shown) == 1:
        return None
    places = place_names(shown, edges)
    width, height = extent(places.values(), _WIDE, _HIGH)
    ways = [
        tag(
            "path", d=way(places[up], places[down], _WIDE, _HIGH), fill="none",
            cls="critical" if up in critical and down in critical else "",
        )
        for up, down in edges
    ]  # fmt: skip
    drawing = tag(
        "svg",
        ways,
        [_box(t, view, step, corner(places[step.name], _WIDE, _HIGH)) for step in shown.values()],
        viewBox=f"0 0 {width} {height}", width=width, height=height, role="group", aria_label=t("flows.graph"),
        cls="graph states",
    )  # fmt: skip
    more = len(view.steps) - len(shown)
    rest = tag("p", t("flows.graph_more", n=more), cls="card-body muted") if more > 0 else None
    return card(t("flows.graph"), div(drawing, cls="table-wrap card-body"), rest)


def _box(t: Texts, view: FlowView, step: Step, at: tuple[int, int]) -> Html:
    x, y = at
    shown = _told(t, step, view.counts.get(step.name))
    run_id = None if step.is_fan_out else view.run_ids.get(step.name)
    return tag(
        "a",
        tag("title", Data(f"{step.name}: {t(f'flows.state_{step.state}')}")),
        tag("rect", x=x, y=y, width=_WIDE, height=_HIGH, rx=6),
        tag("circle", cx=x + 15, cy=y + _HIGH // 2, r=4),
        tag("text", Data(shortened(step.name, _LONGEST)), x=x + 28, y=y + 19),
        tag("text", shown, x=x + 28, y=y + 36, cls="small"),
        href=f"{BASE}/runs/{run_id}" if run_id else step_path(view.flow, step.name),
        cls=KINDS[step.state],
    )


def _told(t: Texts, step: Step, counts: Counts | None) -> Phrase:
    if step.is_fan_out and counts is not None and counts.total:
        return numbers(t, counts, is_short=True)
    return t(f"flows.state_{step.state}")
