"""Figures with axes, drawn by the server: lines with bands, points with intervals, and small bars for the cells of a table.

Colours are classes, so that a page shows them by day and by night; `standing_alone` puts the colours in, for documents.
Who does not see a figure is told the same in words.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from fastflow.ui.charts import plain_number
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.texts import Data, Phrase

WIDTH, HEIGHT = 420, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 42
_LABEL_WIDTH, _LETTER_WIDTH = 26, 6.6
"""What the name of the upright axis takes with the gap behind it, and a letter beside a tick."""
_MOST_TICKS = 6
_MOST_CENTRED, _NEAR_THE_END = 4, 0.95
CELL_WIDTH, CELL_HEIGHT = 200, 18

Point = tuple[float, float]
Reach = tuple[float, float, float]
"""A place on one axis, and the low and the high end on the other."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A scale.

    Attributes:
        label: what is measured, with its unit.
        low, high: its ends; what lies beyond is drawn at the end.
        show: a value in words.
        is_log: equal ratios are equal distances; both ends are above zero.
    """

    label: Phrase | Data
    low: float
    high: float
    show: Callable[[float], str] = plain_number
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low) if high > low else 0.5

    def ticks(self) -> Sequence[float]:
        """Round values between the ends, at most about six."""
        return _ratios(self.low, self.high) if self.is_log else _rounds(self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve.

    Attributes:
        name: what it shows; a line without one is a mark for comparison, such as a diagonal.
        points: from left to right.
        band: where it may well lie, such as a 95 % interval.
        is_stepped: the value holds until the next point.
        is_dashed: drawn as one that is compared with.
        dots: intervals drawn about points of it.
    """

    name: Phrase | Data | None
    points: Sequence[Point]
    band: Sequence[Reach] = field(default=())
    is_stepped: bool = False
    is_dashed: bool = False
    dots: Sequence[tuple[float, float, float, float]] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure.

    Attributes:
        title: what it shows.
        told: the same in words.
        x, y: its axes.
        lines: later ones are drawn above earlier ones.
        mark: what the dashed lines without a name stand for.
        about: how to read it.
    """

    title: Phrase
    told: Phrase
    x: Axis
    y: Axis
    lines: Sequence[Line]
    mark: Phrase | None = None
    about: Phrase | None = None

    @property
    def legend(self) -> Sequence[tuple[int, Phrase | Data]]:
        """Number of the colour and the name, of each line that has one, and of the marks; empty when there is only one."""
        named = [(number, line.name) for number, line in _numbered(self.lines) if line.name is not None]
        named += [] if self.mark is None else [(0, self.mark)]
        return named if len(named) > 1 else []


def spanning(values: Sequence[float], *, margin: float = 0.05, from_zero: bool = False) -> tuple[float, float]:
    """Ends of an axis that has room for all of the values.

    >>> spanning([1.0, 3.0], margin=0.5), spanning([2.0], from_zero=True, margin=0), spanning([])
    ((0.0, 4.0), (0.0, 2.0), (0.0, 1.0))
    """
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    low = min(0.0, low) if from_zero else low
    reach = (high - low) * margin or (0.0 if high > low else abs(high) * margin or 1.0)
    low = low if from_zero and low == 0 else low - reach
    return low, (high + reach if high + reach > low else low + 1.0)


def figure(plot: Plot) -> Html:
    """A figure with its title and legend, for a page."""
    legend = [span(span(cls=f"key s{number}", aria_hidden="true"), name) for number, name in plot.legend]
    return tag(
        "figure",
        tag("figcaption", plot.title, span(plot.about, cls="plot-about") if plot.about else None),
        draw(plot),
        div(*legend, cls="legend") if legend else None,
        cls="plot",
    )


def draw(plot: Plot) -> Html:
    """The drawing alone."""
    return tag(
        "svg",
        *_axes(plot),
        *(_line(plot, number, line) for number, line in _numbered(plot.lines)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=plot.told,
    )


def interval_cell(axis: Axis, value: float, low: float, high: float, reference: float | None = None) -> Html:
    """A value with its interval as a small drawing; what reaches beyond the axis ends in an arrow."""

    def place(at: float) -> str:
        return _short(4 + axis.share(at) * (CELL_WIDTH - 8))

    middle = CELL_HEIGHT / 2
    ends = [
        f"M{place(low)},{middle - 4} l-4,4 l4,4" if low < axis.low else f"M{place(low)},{middle - 3} v6",
        f"M{place(high)},{middle - 4} l4,4 l-4,4" if high > axis.high else f"M{place(high)},{middle - 3} v6",
    ]
    marks = [
        tag("line", x1=place(low), x2=place(high), y1=middle, y2=middle, cls="reach"),
        *(tag("path", d=end, cls="reach", fill="none") for end in ends),
        tag("circle", cx=place(value), cy=middle, r=3, cls="dot"),
    ]
    if reference is not None:
        marks.insert(0, tag("line", x1=place(reference), x2=place(reference), y1=0, y2=CELL_HEIGHT, cls="mark"))
    return _cell(marks)


def bar_cell(share: float) -> Html:
    """A share from 0 to 1 as a small bar."""
    wide = _short(max(0.0, min(1.0, share)) * CELL_WIDTH)
    return _cell([tag("rect", x=0, y=5, width=wide, height=CELL_HEIGHT - 10, rx=2, cls="bar s1")])


def _cell(marks: Sequence[Html]) -> Html:
    return tag("svg", *marks, cls="cell", viewBox=f"0 0 {CELL_WIDTH} {CELL_HEIGHT}", aria_hidden="true")


def _numbered(lines: Sequence[Line]) -> Sequence[tuple[int, Line]]:
    """Each with the number of its colour; marks for comparison have 0."""
    found: list[tuple[int, Line]] = []
    count = 0
    for line in lines:
        count += line.name is not None
        found.append((0 if line.name is None else (count - 1) % 6 + 1, line))
    return found


def _left(plot: Plot) -> float:
    """Room for the words beside the upright axis."""
    longest = max((len(plot.y.show(value)) for value in plot.y.ticks()), default=0)
    return max(_LEFT, _LABEL_WIDTH + _LETTER_WIDTH * longest)


def _x(plot: Plot, value: float) -> float:
    left = _left(plot)
    return left + plot.x.share(value) * (WIDTH - left - _RIGHT)


def _y(plot: Plot, value: float) -> float:
    return HEIGHT - _BOTTOM - plot.y.share(value) * (HEIGHT - _TOP - _BOTTOM)


def _axes(plot: Plot) -> list[Html]:
    left = _short(_left(plot))
    floor, middle = HEIGHT - _BOTTOM, (HEIGHT - _BOTTOM + _TOP) / 2
    drawn = []
    for value in plot.y.ticks():
        y = _short(_y(plot, value))
        drawn.append(tag("line", x1=left, x2=WIDTH - _RIGHT, y1=y, y2=y, cls="grid"))
        words = Data(plot.y.show(value))
        drawn.append(tag("text", words, x=_short(_left(plot) - 6), y=y, dy="0.32em", text_anchor="end", cls="tick"))
    for value in plot.x.ticks():
        x = _short(_x(plot, value))
        drawn.append(tag("line", x1=x, x2=x, y1=floor, y2=floor + 4, cls="axis"))
        words = Data(plot.x.show(value))
        # long words at the right end would be cut
        anchor = "end" if len(words) > _MOST_CENTRED and plot.x.share(value) > _NEAR_THE_END else "middle"
        drawn.append(tag("text", words, x=x, y=floor + 16, text_anchor=anchor, cls="tick"))
    drawn.append(tag("line", x1=left, x2=WIDTH - _RIGHT, y1=floor, y2=floor, cls="axis"))
    across = (_left(plot) + WIDTH - _RIGHT) / 2
    drawn.append(tag("text", plot.x.label, x=across, y=HEIGHT - 8, text_anchor="middle", cls="label"))
    turned = f"rotate(-90 12 {middle})"
    drawn.append(tag("text", plot.y.label, x=12, y=middle, transform=turned, text_anchor="middle", cls="label"))
    return drawn


def _line(plot: Plot, number: int, line: Line) -> Html:
    marks = []
    if line.band:
        above = _corners([(x, high) for x, _, high in line.band], is_stepped=line.is_stepped)
        below = _corners([(x, low) for x, low, _ in line.band], is_stepped=line.is_stepped)
        edge = [f"{_short(_x(plot, x))},{_short(_y(plot, y))}" for x, y in (*above, *reversed(below))]
        marks.append(tag("path", d=f"M{' L'.join(edge)} Z", cls="band"))
    if line.points:
        dash = "5 4" if line.is_dashed or number == 0 else None
        marks.append(tag("path", d=_way(plot, line), fill="none", stroke_dasharray=dash, cls="line"))
    for x, y, low, high in line.dots:
        at = _short(_x(plot, x))
        marks.append(tag("line", x1=at, x2=at, y1=_short(_y(plot, low)), y2=_short(_y(plot, high)), cls="reach"))
        marks.append(tag("circle", cx=at, cy=_short(_y(plot, y)), r=3, cls="dot"))
    return tag("g", *marks, cls=f"s{number}")


def _way(plot: Plot, line: Line) -> str:
    corners = _corners(line.points, is_stepped=line.is_stepped)
    return "M" + " L".join(f"{_short(_x(plot, x))},{_short(_y(plot, y))}" for x, y in corners)


def _corners(points: Sequence[Point], *, is_stepped: bool) -> Sequence[Point]:
    if not is_stepped:
        return points
    held = [(after[0], before[1]) for before, after in pairwise(points)]
    return [each for pair in zip(points, held, strict=False) for each in pair] + [points[-1]]


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _rounds(low: float, high: float) -> Sequence[float]:
    """Multiples of 1, 2 or 5 times a power of ten.

    >>> _rounds(0.0, 1.0), _rounds(-3.0, 12.0)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 5.0, 10.0])
    """
    if not high > low:
        return [low]
    rough = (high - low) / (_MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _ratios(low: float, high: float) -> Sequence[float]:
    """1, 2 and 5 times powers of ten; only the powers when those would be too many.

    >>> _ratios(0.2, 5.0), _ratios(0.001, 1000.0)
    ([0.2, 0.5, 1.0, 2.0, 5.0], [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = [10.0**power for power in range(first, last + 1)]
    every = [round(factor * power, 12) for power in powers for factor in (1, 2, 5)]
    fine = [each for each in every if low * 0.999 <= each <= high * 1.001]
    return fine if len(fine) <= _MOST_TICKS else [each for each in fine if each in powers]
