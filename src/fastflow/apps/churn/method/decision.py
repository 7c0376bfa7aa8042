"""Whom to contact: what a contact is expected to earn, who is worth one, and who is left out of the list and why."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..domain.hyperparameters import Settings
from .counterfactuals import Found
from .panel import Booleans, Doubles


@dataclass(frozen=True)
class Prospects:
    """What contacting each searched customer is expected to earn; shapes (n,).

    Args:
        kept: expected number of customers kept by the contact: fall of the probability times success_rate.
        spent: cost of the change and of the contact. profit: kept times customer_value, less what is spent.
        worth: there is a counterfactual that may be recommended, and the profit is above nought.
        implausible: worth it by the figures, but left out because no customer is like that. not_worth: it costs more.
    """

    kept: Doubles
    spent: Doubles
    profit: Doubles
    worth: Booleans
    implausible: Booleans
    not_worth: Booleans


def prospects(found: Found, plausible: Booleans, settings: Settings, implausible: str) -> Prospects:
    """What each contact is expected to earn.

    Not everybody who is contacted changes: `success_rate` is the share who do. Profit = customer_value * (p before - p after) *
    success_rate - cost of the change - contact_cost, if the model's difference were caused by the change: the track record
    says how far that held.

    Args:
        plausible: per customer. implausible: "leave_out" those who are not, or "contact" them all the same.
    """
    kept = (found.before - found.after) * settings.success_rate
    spent = found.cost.sum(axis=1) + settings.contact_cost
    profit = kept * settings.customer_value - spent
    earns = found.valid & (profit > 0)
    allowed = plausible | (implausible == "contact")
    return Prospects(kept, spent, profit, earns & allowed, earns & ~allowed, found.valid & ~earns)


def decision_ledger(
    keys: Any, found: Found, each: Prospects, settings: Settings, population: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The list, best expected profit first, as far as capacity allows, and its figures.

    The interval is of chance in who would have stayed, not of the model.

    Args:
        keys: the customers searched. population: customers scored, of whom `capacity` is a share.
    """
    worth = np.flatnonzero(each.worth)
    capacity = max(1, round(settings.capacity * population))
    chosen = worth[np.argsort(-each.profit[worth], kind="stable")][:capacity]
    kept, spent, profit = each.kept[chosen], each.spent[chosen], each.profit[chosen]
    error = float(np.sqrt((kept * (1 - kept)).sum()) * settings.customer_value)
    total = float(profit.sum())
    ledger = {
        "rank": np.arange(1, len(chosen) + 1),
        "Kunde": keys[chosen],
        "p_old": found.before[chosen],
        "p_new": found.after[chosen],
        "expected_profit": profit,
        "cost": spent,
        "cumulated_cost": np.cumsum(spent),
        "cumulated_profit": np.cumsum(profit),
    }
    worth_of_one = settings.customer_value * settings.success_rate
    return ledger, {
        "contacts": len(chosen),
        "capacity": capacity,
        "expected_profit": total,
        "expected_profit_low": total - 1.96 * error,
        "expected_profit_high": total + 1.96 * error,
        "cost": float(spent.sum()),
        "customer_value": float(settings.customer_value),
        "success_rate": float(settings.success_rate),
        "contact_cost": float(settings.contact_cost),
        "break_even_fall": float(settings.contact_cost / worth_of_one) if worth_of_one else None,
        "left_out_implausible": int(each.implausible.sum()),
        "left_out_not_worth": int(each.not_worth.sum()),
        "left_out_beyond_capacity": len(worth) - len(chosen),
    }


def in_money(each: Prospects, valid: Booleans) -> list[dict[str, Any]]:
    """All counterfactuals in money, whatever the capacity."""
    return [
        {"metric": "valid", "value": float(valid.sum())},
        {"metric": "worth_contacting", "value": float(each.worth.sum())},
        {"metric": "left_out_as_implausible", "value": float(each.implausible.sum())},
        {"metric": "expected_profit_of_these", "value": float(each.profit[each.worth].sum())},
    ]
