from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastflow.apps.churn.method.counterfactuals import (
    choose_customers,
    search_counterfactuals,
)
from fastflow.apps.churn.method.features import FeatureSet, compute_features, feature_set
from fastflow.apps.churn.method.panel import Floats, Panel
from fastflow.apps.churn.method.policy import Rule, Search, read_search
from fastflow.apps.churn.method.problems import Refusal
from fastflow.apps.churn.method.quality import judge_counterfactuals
from fastflow.apps.churn.method.scores import sigmoid
from fastflow.apps.churn.method.track_record import track_record


def drawn(customers: int = 80, months: int = 12, seed: int = 0) -> Panel:
    generator = np.random.default_rng(seed)
    grids = {name: generator.poisson(2, (customers, months)).astype(np.float32) for name in ("calls", "visits")}
    fixed = {"age": generator.integers(20, 60, customers).astype(np.float32)}
    alive = np.ones((customers, months), dtype=np.int8)
    return Panel(np.arange(customers), 2022 * 12, alive, grids, fixed, {})


def model(plan: FeatureSet, **weights: float) -> Any:
    """A logistic model of three-month means."""
    columns = {plan.names.index(name): weight for name, weight in weights.items()}

    def predict(matrix: Floats) -> Any:
        places, factors = list(columns), np.array(list(columns.values()))
        return sigmoid(matrix[:, places].astype(np.float64) @ factors + 2.0)

    return predict


def asked(panel: Panel, **policy: Any) -> tuple[FeatureSet, Search]:
    plan = feature_set(panel, (3, 6))
    return plan, read_search(
        {"policy": policy, "from_probability": 0, "to_probability": 1, "sample": 1}, panel, plan, 1
    )


POLICIES = {
    "free": {"change": "free"},
    "up": {"change": "up"},
    "down": {"change": "down"},
    "immutable": {"change": "immutable"},
    "stepped": {"change": "up", "step": 0.5, "max": 4, "cost": 3},
}


@settings(max_examples=25)
@given(st.sampled_from(sorted(POLICIES)), st.sampled_from(sorted(POLICIES)), st.integers(0, 50))
def test_search_when_any_policy_is_given_then_no_change_breaks_it_and_derived_features_are_recomputed(
    calls: str, visits: str, seed: int
) -> None:
    panel = drawn(30, seed=seed)
    plan, search = asked(panel, calls=POLICIES[calls], visits=POLICIES[visits])
    predict = model(plan, calls__mean_3=-0.8, visits__trend_3=0.7, visits__mean_6=-0.3)
    rows = np.arange(30)
    found = search_counterfactuals(predict, panel, rows, plan, search)
    for number, rule in enumerate(search.rules):
        change = found.change[:, number]
        assert rule.change in ("free", "up", "down")
        assert (change >= 0).all() if rule.change == "up" else True
        assert (change <= 0).all() if rule.change == "down" else True
    assert (found.after[found.valid] <= found.goals[found.valid] + 1e-6).all()
    assert all(bool(why) != bool(ok) for why, ok in zip(found.why_not, found.valid, strict=True))
    again = search_counterfactuals(predict, panel, rows, plan, search)
    assert again.change.tobytes() == found.change.tobytes()


def test_search_when_a_raw_column_changes_then_the_probability_is_that_of_the_changed_panel() -> None:
    panel = drawn()
    plan, search = asked(panel, calls={"change": "up"}, visits={"change": "immutable"})
    predict = model(plan, calls__mean_3=-0.6, calls__total=-0.02)
    rows = np.arange(80)
    found = search_counterfactuals(predict, panel, rows, plan, search)
    assert found.valid.mean() > 0.5
    row = int(np.flatnonzero(found.valid)[0])
    (rule,) = search.rules
    steps = next(
        steps
        for steps in rule.levels
        if np.isclose(
            (rule.moved(panel.dynamic["calls"][row : row + 1, -3:], steps) - panel.dynamic["calls"][row, -3:]).mean(),
            found.change[row, 0],
        )
    )
    grid = panel.dynamic["calls"].copy()
    grid[row, -3:] = rule.moved(grid[row, -3:], steps)
    changed = Panel(
        panel.customers, panel.first_month, panel.alive, {**panel.dynamic, "calls": grid}, panel.static, panel.levels
    )
    asked_again = predict(compute_features(changed, rows[row : row + 1], panel.last_month, plan))[0]
    assert found.after[row] == pytest.approx(asked_again)


def test_search_when_a_cheaper_column_does_as_well_then_it_is_taken_and_nothing_needless_is_changed() -> None:
    panel = drawn()
    plan, search = asked(panel, calls={"change": "up", "cost": 10}, visits={"change": "up", "cost": 1})
    predict = model(plan, calls__mean_3=-0.8, visits__mean_3=-0.8)
    found = search_counterfactuals(predict, panel, np.arange(80), plan, search)
    assert (found.change[found.valid, 1] > 0).mean() > 0.9
    quality = judge_counterfactuals(panel, np.arange(80), np.arange(80), search, found)
    assert (quality.sparsity[found.valid] >= 1).all()
    assert np.isnan(quality.distance[~found.valid]).all()
    assert quality.plausible[found.valid].mean() > 0.5


def test_search_when_nothing_may_change_or_nothing_helps_then_the_reason_is_told() -> None:
    panel = drawn()
    plan, frozen = asked(panel, calls={"change": "immutable"}, visits={"change": "immutable"})
    predict = model(plan, calls__mean_3=-0.8)
    rows = np.arange(5)
    assert set(search_counterfactuals(predict, panel, rows, plan, frozen).why_not) == {"The policy allows no change."}
    plan, useless = asked(panel, calls={"change": "immutable"}, visits={"change": "free"})
    found = search_counterfactuals(predict, panel, rows, plan, useless)
    assert set(found.why_not) == {"No allowed change lowers the probability."}
    plan, small = asked(panel, calls={"change": "up", "max": 2.1, "step": 0.05}, visits={"change": "immutable"})
    found = search_counterfactuals(model(plan, calls__mean_3=-0.1), panel, rows, plan, small)
    assert any(why.startswith("The best allowed changes reach 0.") for why in found.why_not)


def test_customers_when_drawn_then_share_limit_and_seed_hold() -> None:
    probabilities = np.linspace(0, 1, 101)
    search = Search(rules=(), from_probability=0.4, sample=0.5, limit=7, seed=4)
    chosen = choose_customers(probabilities, search)
    assert len(chosen) == 7
    assert ((probabilities[chosen] >= 0.4) & (probabilities[chosen] <= 0.9)).all()
    assert (np.diff(probabilities[chosen]) < 0).all()
    assert chosen.tolist() == choose_customers(probabilities, search).tolist()
    assert len(choose_customers(probabilities, Search(rules=(), from_probability=0.4, sample=0.5))) == 26


@pytest.mark.parametrize(
    ("given_settings", "problem"),
    [
        ({"policy": {"shoe": {}}}, "cf.policy.shoe: 'shoe' is unknown. Use one of calls, visits, age"),
        ({"policy": {"calls": {"change": "sideways"}}}, "cf.policy.calls.change: 'sideways' is unknown"),
        ({"policy": {"calls": {"min": 3, "max": 1}}}, "cf.policy.calls.min: 3 is above max, 1"),
        ({"policy": {"calls": {"min": 1000}}}, "cf.policy.calls: min 1000 is above max"),
        ({"policy": {"calls": {"step": 0}}}, "cf.policy.calls.step: 0 has to be above 0"),
        ({"policy": {"calls": "up"}}, "cf.policy.calls: 'up' is no object"),
        ({"policy": {"call": {}}}, "Did you mean 'calls'"),
        ({"implausible": "shrug"}, "cf.implausible is 'shrug'. Use one of leave_out, contact"),
        ({"sample": 2}, "cf.sample is 2"),
        ({"smaple": 1}, "cf.smaple is unknown"),
    ],
)
def test_policy_when_it_is_impossible_then_it_is_refused_by_name(given_settings: dict[str, Any], problem: str) -> None:
    panel = drawn(5)
    with pytest.raises(Refusal, match=problem):
        read_search(given_settings, panel, feature_set(panel, (3,)), 1)


def test_rule_when_a_value_is_outside_its_bounds_already_then_it_may_stay_but_not_move_further_out() -> None:
    rule = Rule("calls", "free", 1, 5, 1, 1)
    values = np.array([0, 3, 9, np.nan], dtype=np.float32)
    assert rule.moved(values, -2).tolist()[:3] == [0, 1, 7]
    assert rule.moved(values, 4).tolist()[:3] == [4, 5, 9]
    assert np.isnan(rule.moved(values, 1)[3])


def test_search_when_thrift_does_not_reach_then_whoever_all_columns_together_can_reach_is_found() -> None:
    """The first calls help most, so thrift spends a column on few of them. More of both is always better, so the highest
    levels together say who can be reached at all."""
    panel = drawn(80, seed=2)
    plan, search = asked(panel, calls={"change": "up", "cost": 1}, visits={"change": "up", "cost": 5})
    search = replace(search, reduction=0.85)
    places = [plan.names.index("calls__mean_3"), plan.names.index("visits__mean_3")]

    def predict(matrix: Floats) -> Any:
        return sigmoid(2 - 1.5 * np.log1p(matrix[:, places].astype(np.float64)).sum(axis=1))

    found = search_counterfactuals(predict, panel, np.arange(80), plan, search)
    grids = {name: grid.copy() for name, grid in panel.dynamic.items()}
    for rule in search.rules:
        grids[rule.column][:, -search.months :] = rule.moved(grids[rule.column][:, -search.months :], max(rule.levels))
    highest = replace(panel, dynamic=grids)
    lowest = predict(compute_features(highest, np.arange(80), panel.last_month, plan))
    assert found.valid.tolist() == (lowest <= found.goals + 1e-9).tolist()
    assert 0.2 < found.valid.mean() < 1


def test_track_record_when_movers_churn_less_then_the_difference_is_found_and_controls_are_matched() -> None:
    """120 customers get the same advice (more calls); half of them followed it, one in ten of these churned and six in ten
    of the others."""
    panel = drawn(120, 12, seed=3)
    plan, search = asked(panel, calls={"change": "up"}, visits={"change": "immutable"})
    predict = model(plan, calls__mean_3=-0.6)
    found = search_counterfactuals(predict, panel, np.arange(120), plan, search)
    calls = np.concatenate([panel.dynamic["calls"], panel.dynamic["calls"][:, -6:]], axis=1)
    movers = np.arange(120) < 60
    base = panel.dynamic["calls"][:, -3:].mean(axis=1)
    calls[:, 12:15] = np.where(movers, base + found.change[:, 0] + 1, base - 1)[:, None]
    alive = np.ones((120, 18), dtype=np.int8)
    churn = np.where(movers, np.arange(120) % 10 == 0, np.arange(120) % 10 < 6)
    alive[churn, 16:] = 0
    later = Panel(panel.customers, panel.first_month, alive, {"calls": calls, "visits": calls}, panel.static, {})
    record = track_record(later, np.arange(120), panel.last_month, later.last_month, search, found)
    assert record["moved"] == int((movers & found.valid).sum())
    assert record["difference"] < -0.2 and record["difference_high"] < 0
    assert record["predicted_after"] < record["predicted_before"]
    short = track_record(later, np.arange(120), panel.last_month, panel.last_month + 3, search, found)
    assert "is left to see who churned" in short["why_not"]
