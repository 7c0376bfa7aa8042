from fastflow.ui.layers import corner, extent, place_names, shortened, way


def test_names_when_placed_then_each_stands_behind_all_it_follows() -> None:
    edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d")]
    assert place_names(["d", "c", "b", "a"], edges) == {"a": (0, 0), "b": (1, 0), "c": (1, 1), "d": (2, 0)}


def test_names_when_they_run_in_a_circle_then_they_are_placed_all_the_same() -> None:
    assert set(place_names(["a", "b"], [("a", "b"), ("b", "a")])) == {"a", "b"}


def test_drawing_when_measured_then_every_box_and_way_lies_in_it() -> None:
    places = [(0, 0), (1, 1)]
    width, height = extent(places, 100, 30)
    x, y = corner(places[1], 100, 30)
    assert (x + 100 < width, y + 30 < height) == (True, True)
    assert way(places[0], places[1], 100, 30).startswith("M101,16 C")
    assert shortened("a-long-name", 6) == "a-lon…" and shortened("short", 6) == "short"
