"""Curves as drawings that the server makes: no library in the browser, and for those who do not see them the same in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.texts import Data, Phrase, Texts

WIDTH, HEIGHT = 300, 60
_EDGE = 3
MOST_DRAWN = 300
"""Points of a curve: more would not be told apart."""

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values over time.

    Attributes:
        name: what is measured.
        points: seconds since the beginning, and the value.
        show: a value in words.
        show_time: seconds in words.
        from_zero: whether the scale begins at zero.
    """

    name: Phrase | Data
    points: Sequence[Point]
    show: Callable[[float], str]
    show_time: Callable[[float], str]
    from_zero: bool = False


def thinned(points: Sequence[Point], most: int = MOST_DRAWN) -> Sequence[Point]:
    """At most about so many of the points: of each stretch the lowest and the highest, so that no peak is lost.

    >>> thinned([(0, 1), (1, 9), (2, 3), (3, 4), (4, 0), (5, 5)], most=4)
    [(0, 1), (1, 9), (4, 0), (5, 5)]
    """
    if len(points) <= most:
        return points
    stretch = -(-2 * len(points) // most)
    found: list[Point] = []
    for begin in range(0, len(points), stretch):
        part = points[begin : begin + stretch]
        ends = {min(part, key=lambda each: each[1]), max(part, key=lambda each: each[1])}
        found += sorted(ends)
    return found


def chart(t: Texts, curve: Curve) -> Html:
    """A curve with its last value beside its name, and its range below."""
    values = [value for _, value in curve.points]
    lowest, highest, last = min(values), max(values), values[-1]
    begin, end = curve.points[0][0], curve.points[-1][0]
    told = t(
        "chart.told",
        name=curve.name,
        lowest=curve.show(lowest),
        highest=curve.show(highest),
        last=curve.show(last),
        n=len(values),
    )
    return div(
        div(span(curve.name), span(Data(curve.show(last)), cls="number"), cls="gauge-head"),
        _drawing(thinned(curve.points), 0.0 if curve.from_zero else lowest, highest, told),
        div(
            span(Data(curve.show_time(begin))),
            span(Data(f"{curve.show(lowest)} – {curve.show(highest)}")),
            span(Data(curve.show_time(end))),
            cls="chart-foot number",
            aria_hidden="true",
        ),
        cls="chart",
    )


def _drawing(points: Sequence[Point], lowest: float, highest: float, told: Phrase) -> Html:
    begin, end = points[0][0], points[-1][0]
    wide, high = (end - begin) or 1.0, (highest - lowest) or 1.0
    places = [
        (
            (at - begin) / wide * WIDTH,
            HEIGHT - _EDGE - (value - lowest) / high * (HEIGHT - 2 * _EDGE),
        )
        for at, value in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return tag(
        "svg",
        tag("path", d=f"M0,{HEIGHT} L{line.replace(' ', ' L')} L{WIDTH},{HEIGHT} Z", cls="area"),
        tag("polyline", points=line, fill="none", vector_effect="non-scaling-stroke"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=told,
    )


def plain_number(value: float) -> str:
    """A number as short as it can be.

    >>> plain_number(3.0), plain_number(0.123456), plain_number(1234567.0)
    ('3', '0.1235', '1234567')
    """
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e12 else f"{value:.4g}"
