import math

import numpy as np
import pytest

from fastflow.apps.churn.domain.hyperparameters import Settings
from fastflow.apps.churn.method.counterfactuals import Found
from fastflow.apps.churn.method.decision import decision_ledger, prospects

KEYS = np.array(["a", "b", "c", "d", "e"])


def found() -> Found:
    """Falls of 0.4, 0.3, 0.2 and 0.02, and one customer without a counterfactual; each change costs 2."""
    before = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    fall = np.array([0.4, 0.3, 0.2, 0.02, 0.0])
    valid = fall > 0
    cost = np.where(valid, 2.0, 0.0)[:, None]
    return Found(before, before - fall, before - fall, valid, cost, cost, ("", "", "", "", "none"))


def test_list_when_not_everybody_obeys_then_profit_and_interval_count_the_share_who_do() -> None:
    settings = Settings(customer_value=200, success_rate=0.25, contact_cost=3)
    each = prospects(found(), np.ones(5, dtype=bool), settings, "leave_out")
    ledger, told = decision_ledger(KEYS, found(), each, settings, 100)
    assert ledger["Kunde"].tolist() == ["a", "b", "c"]
    assert ledger["expected_profit"] == pytest.approx([15, 10, 5])
    assert told["expected_profit"] == pytest.approx(30)
    chance = 1.96 * 200 * math.sqrt(sum(q * (1 - q) for q in (0.1, 0.075, 0.05)))
    assert told["expected_profit_high"] - told["expected_profit"] == pytest.approx(chance)
    assert told["break_even_fall"] == pytest.approx(3 / 50)
    assert (told["left_out_implausible"], told["left_out_not_worth"], told["left_out_beyond_capacity"]) == (0, 1, 0)


def test_list_when_a_counterfactual_is_implausible_then_it_is_left_out_and_counted_unless_it_is_asked_for() -> None:
    settings = Settings(customer_value=200, success_rate=0.25, contact_cost=3, capacity=0.01)
    plausible = np.array([False, True, True, False, False])
    each = prospects(found(), plausible, settings, "leave_out")
    ledger, told = decision_ledger(KEYS, found(), each, settings, 100)
    assert ledger["Kunde"].tolist() == ["b"]
    assert (told["left_out_implausible"], told["left_out_not_worth"], told["left_out_beyond_capacity"]) == (1, 1, 1)
    asked_for = prospects(found(), plausible, settings, "contact")
    assert decision_ledger(KEYS, found(), asked_for, settings, 100)[0]["Kunde"].tolist() == ["a"]


def test_list_when_nobody_obeys_then_it_is_empty() -> None:
    settings = Settings(success_rate=0)
    each = prospects(found(), np.ones(5, dtype=bool), settings, "leave_out")
    ledger, told = decision_ledger(KEYS, found(), each, settings, 100)
    assert (len(ledger["Kunde"]), told["contacts"], told["expected_profit"], told["break_even_fall"]) == (0, 0, 0, None)
