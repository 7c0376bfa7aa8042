"""Figures with axes: everything inside the frame, the same in words, and the colours in it where no page is."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.ui.plots import HEIGHT, WIDTH, Axis, Line, Plot, bar_cell, draw, figure, interval_cell, spanning
from fastflow.ui.texts import Data, Phrase

numbers = st.floats(-1e6, 1e6)


def axis(low: float, high: float, *, is_log: bool = False) -> Axis:
    return Axis(label=Phrase("x"), low=low, high=high, is_log=is_log)


def plot(*lines: Line, x: tuple[float, float] = (0.0, 1.0), y: tuple[float, float] = (0.0, 1.0)) -> Plot:
    return Plot(title=Phrase("Curve"), told=Phrase("rises"), x=axis(*x), y=axis(*y), lines=lines)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_draw_when_values_lie_anywhere_then_the_drawing_stays_inside_its_frame(
    points: list[tuple[float, float]],
) -> None:
    points = sorted(points)
    band = [(x, y - 1, y + 1e7) for x, y in points]
    x, y = spanning([x for x, _ in points]), spanning([y for _, y in points])
    drawn = draw(plot(Line(name=Phrase("a"), points=points, band=band, is_stepped=True), x=x, y=y))
    ElementTree.fromstring(drawn)
    places = re.findall(r"(-?[\d.]+),(-?[\d.]+)", " ".join(re.findall(r' d="([^"]*)"', drawn)))
    assert places
    assert all(0 <= float(across) <= WIDTH and 0 <= float(down) <= HEIGHT for across, down in places)


@given(st.floats(1e-6, 1e5), st.floats(1.001, 1e6))
def test_ticks_when_the_axis_is_anything_then_they_are_few_and_on_it(low: float, factor: float) -> None:
    for made in (axis(low, low * factor), axis(low, low * factor, is_log=True), axis(-low, low * factor)):
        ticks = made.ticks()
        reach = max(abs(made.low), abs(made.high)) * 1.001e-3
        assert all(made.low - reach <= each <= made.high + reach for each in ticks)
        assert len(ticks) <= 13
        assert list(ticks) == sorted(set(ticks))


def test_figure_when_drawn_then_it_says_what_it_shows_and_names_its_lines_once_there_are_two() -> None:
    one = Line(name=Data("<b>"), points=[(0.0, 0.0), (1.0, 1.0)])
    mark = Line(name=None, points=[(0.0, 0.5), (1.0, 0.5)])
    assert 'class="legend"' not in figure(plot(mark, one))
    marked = figure(replace(plot(mark, one), mark=Phrase("chance"), about=Phrase("the higher the better")))
    assert re.findall(r'class="key (s\d)"', marked) == ["s1", "s0"]
    assert 'class="plot-about">the higher the better' in marked
    both = figure(plot(mark, one, Line(name=Phrase("b"), points=[(0.0, 1.0)])))
    assert "<figcaption>Curve</figcaption>" in both
    assert 'aria-label="rises"' in both
    assert "<b>" not in both
    assert re.findall(r'class="key (s\d)"', both) == ["s1", "s2"]
    assert re.findall(r'<g class="(s\d)"', both) == ["s0", "s1", "s2"]


def test_draw_when_a_line_has_steps_then_its_value_holds_until_the_next_point() -> None:
    drawn = draw(plot(Line(name=Phrase("a"), points=[(0.0, 1.0), (1.0, 0.0)], is_stepped=True)))
    (way,) = re.findall(r'd="(M[^"]*)" fill="none"', drawn)
    (_, top), (right, still), (last, floor) = re.findall(r"([\d.]+),([\d.]+)", way)
    assert (top, right) == (still, last)
    assert float(floor) > float(top)


def test_interval_when_it_reaches_beyond_the_axis_then_an_arrow_says_so() -> None:
    scale = axis(0.5, 2.0, is_log=True)
    inside, beyond = interval_cell(scale, 1.0, 0.7, 1.4), interval_cell(scale, 1.0, 0.01, 40.0, 1.0)
    assert inside.count("v6") == 2
    assert beyond.count("v6") == 0
    assert beyond.count('class="mark"') == 1


@pytest.mark.parametrize(("share", "wide"), [(-1.0, "0"), (0.5, "100"), (7.0, "200")])
def test_bar_when_the_share_is_impossible_then_it_ends_at_the_edge(share: float, wide: str) -> None:
    assert f'width="{wide}"' in bar_cell(share)
