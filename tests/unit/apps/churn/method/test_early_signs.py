from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fastflow.apps.churn.method.early_signs import MOST, early_signs
from fastflow.apps.churn.method.panel import Panel

NAN = float("nan")
STEADY = [4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5]


def of(**columns: Sequence[Sequence[float]]) -> list[list[str]]:
    grids = {name: np.array(rows, dtype=np.float32) for name, rows in columns.items()}
    count, months = next(iter(grids.values())).shape
    alive = np.ones((count, months), dtype=np.int8)
    return early_signs(Panel(np.arange(count), 2022 * 12, alive, grids, {}, {}), np.arange(count))


def test_signs_when_a_customer_falls_stops_or_begins_to_vary_then_each_is_said_once_with_its_values() -> None:
    said = of(
        use=[
            STEADY,
            [*STEADY[:-3], 2, 1, 1],
            [*STEADY[:-3], 0, 0, 0],
            [*STEADY[:-4], 8, 7, 6, 5],
            [*STEADY[:-6], 0, 0, 20, 0, 0, 19],
        ]
    )
    assert said == [
        [],
        ["More than 30 % less in the last three months: use (4.3 → 1.3)"],
        ["Nothing in the last three months: use (4.3 → 0)"],
        ["Three falls in a row: use (8.0 → 5.0)"],
        ["Varying strongly, unlike before: use"],
    ]


def test_signs_when_several_columns_tell_the_same_then_they_are_one_sentence_the_strongest_first() -> None:
    gone, less = [*STEADY[:-3], 0, 0, 0], [*STEADY[:-3], 1, 1, 1]
    (said,) = of(a=[less], b=[gone], c=[[10 * x for x in gone]], d=[gone], e=[gone], f=[[*STEADY[:-3], 2, 2, 2]])
    assert said == [
        "Nothing in the last three months: b (4.3 → 0), c (43.3 → 0), d (4.3 → 0) (+1)",
        "More than 30 % less in the last three months: a (4.3 → 1.0), f (4.3 → 2.0)",
    ]


def test_signs_when_a_column_can_be_negative_then_nothing_is_told_in_per_cent_of_it() -> None:
    generator = np.random.default_rng(1)
    assert not any(
        "%" in each or "Varying" in each for one in of(n=generator.normal(0, 1, (500, 24)).tolist()) for each in one
    )


def test_signs_when_a_column_is_noise_or_rare_then_few_are_warned() -> None:
    generator = np.random.default_rng(2)
    for grid in (generator.normal(0, 1, (500, 24)), generator.random((500, 24)), generator.poisson(0.2, (500, 24))):
        assert sum(bool(one) for one in of(c=grid.tolist())) < 0.25 * 500


def test_signs_when_there_is_no_level_or_too_short_a_past_then_nothing_is_said() -> None:
    assert of(c=[[0.1] * 9 + [0, 0, 0], [9] * 12]) == [[], []]
    assert of(c=[[5, 5, 5, 0, 0, 0]]) == [[]]
    assert of(c=[[NAN] * 12]) == [[]]
    assert of(c=[[5]]) == [[]]


@given(
    st.lists(
        st.lists(st.one_of(st.just(NAN), st.floats(-1e6, 1e6, width=32)), min_size=10, max_size=10),
        min_size=1,
        max_size=5,
    )
)
def test_signs_when_any_months_come_then_they_are_few_and_the_same_again(rows: list[list[float]]) -> None:
    said = of(a=rows, b=rows)
    assert all(len(one) <= MOST for one in said) and not any("nan" in each for one in said for each in one)
    assert said == of(a=rows, b=rows)
