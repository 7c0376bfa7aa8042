"""Where the boxes of a graph stand: one column after another, and the ways between them."""

from collections.abc import Iterable, Mapping, Sequence

BETWEEN, GAP = 44, 12
Place = tuple[int, int]
"""Column and row."""


def place_names(names: Iterable[str], edges: Sequence[tuple[str, str]]) -> Mapping[str, Place]:
    """Each in the column of the longest way from a beginning; a circle, which is a fault, ends it.

    >>> place_names(["a", "b", "c"], [("a", "b"), ("a", "c")])
    {'a': (0, 0), 'b': (1, 0), 'c': (1, 1)}
    """
    columns = dict.fromkeys(names, 0)
    for _ in columns:
        is_settled = True
        for up, down in edges:
            if columns[down] <= columns[up] < len(columns):
                columns[down] = columns[up] + 1
                is_settled = False
        if is_settled:
            break
    rows: dict[int, int] = {}
    places: dict[str, Place] = {}
    for name in sorted(columns, key=lambda one: (columns[one], one)):
        column = columns[name]
        places[name] = (column, rows.get(column, 0))
        rows[column] = rows.get(column, 0) + 1
    return places


def extent(places: Iterable[Place], wide: int, high: int) -> tuple[int, int]:
    """Width and height of a drawing with boxes so wide and high."""
    listed = list(places)
    columns, rows = max(column for column, _ in listed) + 1, max(row for _, row in listed) + 1
    return columns * (wide + BETWEEN) - BETWEEN + 2, rows * (high + GAP) - GAP + 2


def corner(place: Place, wide: int, high: int) -> tuple[int, int]:
    """Where its box begins."""
    column, row = place
    return column * (wide + BETWEEN) + 1, row * (high + GAP) + 1


def way(begin: Place, end: Place, wide: int, high: int) -> str:
    """The path from one box to another."""
    x, y = corner(begin, wide, high)
    to_x, to_y = corner(end, wide, high)
    x, y, to_y = x + wide, y + high // 2, to_y + high // 2
    middle = BETWEEN // 2
    return f"M{x},{y} C{x + middle},{y} {to_x - middle},{to_y} {to_x},{to_y}"


def shortened(name: str, longest: int) -> str:
    """As much of a name as a box has room for."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
