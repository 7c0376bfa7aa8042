"""Curves as drawings: bounded, with the same told in words."""

from pathlib import Path

from fastflow.ui.charts import MOST_DRAWN, Curve, chart, plain_number, thinned
from fastflow.ui.parts import seconds
from fastflow.ui.texts import Catalogue, Data

UI = Path(__file__).parents[3] / "src" / "fastflow" / "ui"


def test_thinned_when_there_are_many_points_then_few_are_left_and_no_peak_is_lost() -> None:
    points = [(float(at), 100.0 if at == 7777 else float(at % 3)) for at in range(10_000)]
    few = thinned(points)
    assert len(few) <= MOST_DRAWN
    assert (7777.0, 100.0) in few
    assert list(few) == sorted(few)


def test_chart_when_drawn_then_it_tells_its_range_in_words_and_escapes_its_name() -> None:
    t = Catalogue([UI / "shell" / "texts.toml"]).texts("en")
    for points in ([(0.0, 2.0), (9.0, 2.0)], [(1.0, 0.5), (2.0, -3.0), (4.0, 1.5)], [(3.0, 3.0)]):
        drawn = chart(t, Curve(name=Data("<b>loss"), points=points, show=plain_number, show_time=seconds))
        assert "<b>" not in drawn
        assert f"&lt;b&gt;loss: {len(points)} values" in drawn
        assert "nan" not in drawn
