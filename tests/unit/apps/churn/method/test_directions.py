from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastflow.apps.churn.method.counterfactuals import choose_customers
from fastflow.apps.churn.method.directions import settle, who_was_searched
from fastflow.apps.churn.method.features import feature_set
from fastflow.apps.churn.method.panel import Panel
from fastflow.apps.churn.method.policy import Search, read_search

NUMBER = 400


def drawn() -> tuple[Panel, np.ndarray]:
    """Customers whose risk falls with logins, rises with calls, and has nothing to do with noise; with their risks."""
    generator = np.random.default_rng(5)
    grids = {
        "logins": generator.poisson(4, (NUMBER, 8)).astype(np.float32),
        "calls": generator.poisson(2, (NUMBER, 8)).astype(np.float32),
        "noise": generator.normal(0, 1, (NUMBER, 8)).astype(np.float32),
        "flat": np.ones((NUMBER, 8), dtype=np.float32),
        "empty": np.full((NUMBER, 8), np.nan, dtype=np.float32),
    }
    grids["noise"][0] = np.nan
    panel = Panel(np.arange(NUMBER), 2022 * 12, np.ones((NUMBER, 8), dtype=np.int8), grids, {}, {})
    order = grids["calls"][:, -3:].mean(axis=1) - grids["logins"][:, -3:].mean(axis=1)
    return panel, 0.02 + 0.2 * (order - order.min()) / (order.max() - order.min())


def settled(given: dict[str, Any], panel: Panel, probabilities: np.ndarray) -> Search:
    asked = read_search(given, panel, feature_set(panel, (3,)), 1)
    return settle(asked, panel, np.arange(NUMBER), probabilities, 0.1)


def test_directions_when_the_policy_is_silent_then_they_are_those_with_less_risk_and_unclear_columns_stay() -> None:
    panel, probabilities = drawn()
    policy = {"calls": {"cost": 3}}
    search = settled({"policy": policy}, panel, probabilities)
    assert {rule.column: (rule.change, rule.by, rule.cost) for rule in search.rules} == {
        "logins": ("up", "model", 1),
        "calls": ("down", "model", 3),
    }
    assert {rule.column: rule.change for rule in search.held} == {
        "noise": "immutable",
        "flat": "immutable",
    }
    told = {rule.column: rule.correlation for rule in (*search.rules, *search.held)}
    assert told["logins"] is not None and told["logins"] < -0.5
    assert told["flat"] is None and told["noise"] is not None and abs(told["noise"]) < 0.1


def test_directions_when_the_policy_says_them_then_the_model_is_not_asked() -> None:
    panel, probabilities = drawn()
    policy = {"logins": {"change": "free"}, "noise": {"change": "down"}}
    search = settled({"policy": policy}, panel, probabilities)
    said = {rule.column: (rule.change, rule.by, rule.correlation) for rule in search.rules if rule.by == "policy"}
    assert said == {"logins": ("free", "policy", None), "noise": ("down", "policy", None)}


def test_range_when_it_is_not_given_then_it_follows_the_base_rate_and_the_capacity() -> None:
    panel, probabilities = drawn()
    everybody = np.arange(NUMBER)
    asked = read_search({"from_probability": None}, panel, feature_set(panel, (3,)), 1)
    low = settle(asked, panel, everybody, probabilities, 0.1)
    assert low.from_probability == pytest.approx(min(2 * probabilities.mean(), np.quantile(probabilities, 0.9)))
    assert len(choose_customers(probabilities, low)) >= 0.1 * NUMBER
    rare = np.where(everybody < 60, 0.5, 0.01)
    assert settle(asked, panel, everybody, rare, 0.1).from_probability == pytest.approx(2 * rare.mean())
    given = settle(replace(asked, from_probability=0.15), panel, everybody, probabilities, 0.1)
    assert given.from_probability == 0.15
    certain = settle(asked, panel, everybody, np.full(NUMBER, 0.95), 0.1)
    assert certain.from_probability == 0.9


def test_search_when_told_then_every_scored_customer_is_searched_or_has_a_reason_why_not() -> None:
    panel, probabilities = drawn()
    given = {"from_probability": 0.1, "to_probability": 0.2, "sample": 0.5, "limit": 20}
    search = read_search(given, panel, feature_set(panel, (3,)), 1)
    chosen = choose_customers(probabilities, search)
    told = who_was_searched(search, given, probabilities, len(chosen))
    assert told["searched"] == 20 and told["from_is_given"]
    assert told["scored"] == sum(told[name] for name in ("below", "above", "not_drawn", "beyond_limit", "searched"))
    assert all(told[name] > 0 for name in ("below", "above", "not_drawn", "beyond_limit"))
