import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from fastflow.apps.churn.method import matrices
from fastflow.apps.churn.method.backtest import gather, thinned_rows
from fastflow.apps.churn.method.boosting import PartwiseBoosting
from fastflow.apps.churn.method.budget import row_limit
from fastflow.apps.churn.method.features import compute_features, feature_set
from fastflow.apps.churn.method.matrices import Computed, Held, ask, features_of
from fastflow.apps.churn.method.models import KINDS, Preparing, fit_model, screen
from fastflow.apps.churn.method.panel import Panel
from fastflow.apps.churn.method.problems import Refusal
from fastflow.apps.churn.method.windows import Task


def computed(panel: Panel) -> Computed:
    """Every customer at two anchors."""
    everybody = np.arange(len(panel.customers))
    anchors = np.repeat([panel.first_month + 14, panel.first_month + 20], len(everybody))
    return Computed(panel, np.tile(everybody, 2), anchors, feature_set(panel, (3, 6)))


def test_matrix_when_asked_by_columns_or_rows_or_whole_then_the_numbers_are_equal_to_the_bit(
    small_panel: Panel,
) -> None:
    matrix = computed(small_panel)
    whole = matrix.whole()
    half = len(small_panel.customers)
    expected = compute_features(small_panel, matrix.customers[half:], int(matrix.anchors[-1]), matrix.plan)
    assert np.isnan(whole).any()
    assert whole[half:].tobytes() == expected.tobytes()
    assert np.concatenate([part for _, part in matrix.parts()], axis=1).tobytes() == whole.tobytes()
    assert matrix.rows(slice(350, 450)).whole().tobytes() == whole[350:450].tobytes()
    held = Held(whole, matrix.plan.widths)
    assert [first for first, _ in held.parts()] == [first for first, _ in matrix.parts()]
    (answer,) = ask(matrix, lambda rows: rows[:, 0])
    assert answer.tobytes() == whole[:, 0].tobytes()


def test_matrix_when_some_columns_are_asked_for_then_only_the_parts_that_hold_them_come(small_panel: Panel) -> None:
    matrix = computed(small_panel)
    width = matrix.plan.widths[0]
    wanted = np.array([width + 2, matrix.shape[1] - 1])
    assert [first for first, _ in matrix.parts(wanted)] == [width, matrix.shape[1] - 1]


def test_features_when_they_are_little_then_they_are_held_and_else_computed_when_asked_for(
    small_panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = computed(small_panel)
    given = (small_panel, matrix.customers, matrix.anchors, matrix.plan)
    held = features_of(*given)
    monkeypatch.setattr(matrices, "HELD_CELLS", 1000)
    lazily = features_of(*given)
    assert (type(held), type(lazily)) == (Held, Computed)
    churned = (np.nan_to_num(held.whole()[:, 0]) > 1).astype(np.int8)
    for kind in KINDS:
        columns, dropped = screen(held, matrix.plan.names)
        again, dropped_again = screen(lazily, matrix.plan.names)
        assert columns.tolist() == again.tolist()
        assert dropped == dropped_again
        models = [fit_model(kind, features, churned, columns, seed=4) for features in (held, lazily)]
        assert models[0].predict(held).tobytes() == models[1].predict(lazily).tobytes(), kind


def test_boosting_when_binned_in_parts_then_its_trees_are_those_of_scikit_learn(small_panel: Panel) -> None:
    matrix = computed(small_panel)
    columns, _ = screen(matrix, matrix.plan.names)
    churned = (np.nan_to_num(matrix.whole()[:, 0]) > 1).astype(np.int64)
    settings = {"max_iter": 20, "early_stopping": False, "random_state": 1}
    preparing = Preparing(matrix, columns, scaled=False)
    rows = preparing.whole()
    with threadpool_limits(1):
        own = PartwiseBoosting(**settings).fit(preparing, churned)
        theirs = HistGradientBoostingClassifier(**settings).fit(rows.astype(np.float64), churned)
    assert own.predict_proba(rows).tobytes() == theirs.predict_proba(rows).tobytes()
    for one, other in zip(own._predictors, theirs._predictors, strict=True):
        assert one[0].nodes.tobytes() == other[0].nodes.tobytes()


def test_boosting_when_told_of_categories_then_it_is_refused() -> None:
    rows = np.arange(200, dtype=np.float32).reshape(100, 2)
    with pytest.raises(Refusal, match="every feature is a number, none a category"):
        fit_model(
            "gradient_boosting",
            rows,
            (np.arange(100) % 2).astype(np.int8),
            np.arange(2),
            seed=1,
            parameters={"categorical_features": [0]},
        )


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(1, 200), st.integers(0, 5))
def test_thinning_when_there_are_too_many_rows_then_every_customer_gives_the_same_share_evenly(
    lengths: list[int], most: int, seed: int
) -> None:
    customers = np.concatenate([np.flatnonzero(np.array(lengths) > month) for month in range(max(lengths))])
    kept = thinned_rows(customers, len(lengths), most, seed)
    share = min(1.0, most / len(customers))
    for customer, length in enumerate(lengths):
        mine = np.flatnonzero(kept[customers == customer])
        assert np.floor(length * share - 1e-9) <= len(mine) <= np.ceil(length * share + 1e-9)
        assert not len(mine) or np.diff(mine, prepend=mine[0], append=mine[-1]).max() <= np.ceil(1 / share + 1e-9)
    assert kept.tolist() == thinned_rows(customers, len(lengths), most, seed).tolist()


def test_training_when_rows_are_limited_then_customers_stay_and_months_go(small_panel: Panel) -> None:
    task = Task(gap=0, horizon=3)
    anchors = tuple(range(small_panel.first_month + 10, small_panel.first_month + 20))
    plan = feature_set(small_panel, (3,))
    every, _ = gather(small_panel, anchors, task, plan, most_rows=10**6, seed=1)
    some, _ = gather(small_panel, anchors, task, plan, most_rows=len(every.churned) // 4, seed=1)
    assert len(some.churned) == pytest.approx(len(every.churned) / 4, rel=0.05)
    often = np.flatnonzero(np.bincount(every.customers) >= 4)
    assert set(often) <= set(some.customers)
    assert row_limit(small_panel, plan, 50).by == "most_training_rows"
    assert row_limit(small_panel, plan, 10**9).by == "memory"
