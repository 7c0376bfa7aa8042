from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.apps.churn.method.features import (
    FeatureSet,
    column_features,
    compute_features,
    feature_set,
    usable_windows,
)
from fastflow.apps.churn.method.panel import Panel

NAN = float("nan")


def of(months: Sequence[float], windows: Sequence[int] = (3,)) -> dict[str, float]:
    plan = FeatureSet(("c",), (), {}, tuple(windows))
    values = column_features(np.array([months], dtype=np.float32), windows)[0]
    return dict(zip(plan.per_column, values.tolist(), strict=True))


def test_features_when_calculated_by_hand_then_they_agree() -> None:
    found = of([0, 4, 6, 2])
    assert found == {
        "last": 2.0,
        "mean_3": 4.0,
        "std_3": pytest.approx(1.632993),
        "sum_3": 12.0,
        "trend_3": pytest.approx(-1.0),
        "change_3": pytest.approx((2 - 5) / (2 + 5)),
        "total": 12.0,
        "peak": 6.0,
        "active_share": 0.75,
        "months_since": 0.0,
        "drop": 0.0,
        "decline": 0.0,
        "volatile": 0.0,
        "stopped": 0.0,
    }


def test_features_when_months_are_unknown_then_they_are_left_out_and_not_counted_as_nothing() -> None:
    found = of([NAN, 4, NAN, 2])
    assert (found["mean_3"], found["sum_3"], found["active_share"], found["last"]) == (3.0, 6.0, 1.0, 2.0)
    assert np.isnan(list(of([NAN, NAN, NAN]).values())).sum() == 9


def test_flags_when_activity_falls_and_stops_then_they_rise() -> None:
    stopped = of([5, 6, 5, 0, 0, 0])
    assert (stopped["drop"], stopped["stopped"], stopped["months_since"]) == (1.0, 1.0, 3.0)
    assert of([5, 5, 5, 4, 3, 2])["decline"] == 1.0


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)), min_size=1, max_size=40),
    st.lists(st.integers(1, 36), min_size=1, max_size=3, unique=True),
)
def test_features_when_any_months_come_then_they_are_finite_or_unknown_and_bounded(
    months: list[float | None], windows: list[int]
) -> None:
    block = np.array([[NAN if each is None else each for each in months]], dtype=np.float32)
    plan = FeatureSet(("c",), (), {}, tuple(windows))
    found = dict(zip(plan.per_column, column_features(block, windows)[0].tolist(), strict=True))
    assert not np.isinf(list(found.values())).any()
    for name, value in found.items():
        if name.startswith("change"):
            assert np.isnan(value) or -1 <= value <= 1
    assert 0 <= found["months_since"] <= len(months)


def test_features_when_later_months_change_then_they_do_not(small_panel: Panel) -> None:
    plan = feature_set(small_panel, (3, 6))
    anchor = small_panel.first_month + 12
    rows = np.flatnonzero(small_panel.alive[:, 12] == 1)
    before = compute_features(small_panel, rows, anchor, plan)
    later = {name: grid.copy() for name, grid in small_panel.dynamic.items()}
    for grid in later.values():
        grid[:, 13:] = 1e6
    changed = Panel(
        small_panel.customers, small_panel.first_month, small_panel.alive, later, small_panel.static, small_panel.levels
    )
    assert compute_features(changed, rows, anchor, plan).tobytes() == before.tobytes()
    assert before.shape == (len(rows), len(plan.names)) and len(plan.sources) == len(plan.names)
    south = before[:, plan.names.index("region__is_south")]
    assert set(south.tolist()) == {0.0, 1.0}


def test_windows_when_the_history_is_short_then_longer_ones_are_left_out() -> None:
    assert usable_windows((3, 6, 12), 6) == (3, 6)
    assert usable_windows((3, 6, 12), 1) == (3,)
