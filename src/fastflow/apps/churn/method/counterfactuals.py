"""The cheapest allowed change of raw months that lowers a customer's probability to its goal, asked of the deployed model.

All customers are searched at once: a column's derived features depend on that column's months alone, so those of every
level are computed once, and each round asks the model about every column and level for everybody. No derived feature ever
moves without its raw months.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .features import FeatureSet, column_features, compute_features, static_features
from .panel import Booleans, Doubles, Floats, Integers, Panel
from .policy import Search

Predict = Callable[[Floats], Doubles]
_NEAR = 1e-9


@dataclass(frozen=True)
class Option:
    """One level of one column, for all customers searched.

    Args:
        rule: its number in the search. steps: signed. features: the column's, shape (n, k). at: their place in the matrix.
        change: mean change of the changed months, in the column's unit, shape (n,). cost: shape (n,).
    """

    rule: int
    steps: int
    features: Floats
    at: Integers
    change: Doubles
    cost: Doubles


@dataclass(frozen=True)
class Found:
    """What the search found for each customer.

    Args:
        before, after: probabilities, shape (n,). goals: shape (n,). valid: the goal is reached, shape (n,).
        change: per rule, mean change of the changed months, shape (n, rules). cost: per rule, shape (n, rules).
        why_not: reason in words where no counterfactual was found, else empty.
    """

    before: Doubles
    after: Doubles
    goals: Doubles
    valid: Booleans
    change: Doubles
    cost: Doubles
    why_not: tuple[str, ...]


def choose_customers(probabilities: Doubles, search: Search) -> Integers:
    """Rows to search: between the probabilities, a drawn share of them, the likeliest churners first, at most `limit`."""
    between = (probabilities >= search.from_probability) & (probabilities <= search.to_probability)
    eligible = np.flatnonzero(between)
    count = round(search.sample * len(eligible))
    if search.sample > 0 and len(eligible):
        count = max(1, count)
    drawn = np.sort(np.random.default_rng(search.seed).permutation(eligible)[:count])
    ordered = drawn[np.argsort(-probabilities[drawn], kind="stable")]
    return ordered[: search.limit] if search.limit else ordered


def options_for(panel: Panel, rows: Integers, plan: FeatureSet, search: Search) -> list[Option]:
    """Every level of every column; those that change nothing for anybody are left out. `panel` ends at the anchor."""
    width = len(plan.per_column)
    place = {name: np.arange(width) + index * width for index, name in enumerate(plan.dynamic)}
    at = width * len(plan.dynamic)
    for name in plan.static:
        count = len(plan.levels.get(name, ("",)))
        place[name] = np.arange(at, at + count)
        at += count
    options = []
    for number, rule in enumerate(search.rules):
        for steps in rule.levels:
            if rule.column in panel.dynamic:
                block = panel.dynamic[rule.column][rows].copy()
                old = block[:, -search.months :].copy()
                new = rule.moved(old, steps)
                block[:, -search.months :] = new
                features = column_features(block, plan.windows)
            else:
                old = panel.static[rule.column][rows][:, None]
                new = rule.moved(old, steps)
                features = static_features(new[:, 0], None)
            known = ~np.isnan(old)
            total = np.where(known, new.astype(np.float64) - old, 0.0).sum(axis=1)
            change = total / np.maximum(known.sum(axis=1), 1)
            if (change != 0).any():
                cost = rule.cost * np.abs(change) / rule.step
                options.append(Option(number, steps, features, place[rule.column], change, cost))
    return options


def search_counterfactuals(predict: Predict, panel: Panel, rows: Integers, plan: FeatureSet, search: Search) -> Found:
    """Counterfactuals of some customers at the panel's last month.

    Each round takes, per customer, the cheapest level that reaches the goal, else the one that lowers the log of the
    probability most per cost; at most `most_changes` columns. Afterwards every change is made smaller or undone where the goal holds
    without it.
    """
    base = compute_features(panel, rows, panel.last_month, plan)
    options = options_for(panel, rows, plan, search)
    before = predict(base)
    goals = search.goals(before)
    n, rules = len(rows), len(search.rules)
    chosen = np.full((n, rules), -1, dtype=np.int64)
    current, now = base.copy(), before.copy()
    best_seen = before.copy()
    for _ in range(min(search.most_changes, rules)):
        open_rows = np.flatnonzero(now > goals + _NEAR)
        if not len(open_rows) or not options:
            break
        after, allowed = _ask(predict, current, open_rows, options, chosen)
        best_seen[open_rows] = np.minimum(best_seen[open_rows], np.where(allowed, after, np.inf).min(axis=0))
        pick = _pick(after, allowed, now[open_rows], goals[open_rows], options, open_rows)
        for index in np.unique(pick[pick >= 0]):
            option, who = options[index], open_rows[pick == index]
            chosen[who, option.rule] = index
            current[np.ix_(who, option.at)] = option.features[who]
            now[who] = after[index, pick == index]
        if (pick < 0).all():
            break
    _trim(predict, current, now, goals, chosen, options, base)
    valid = now <= goals + _NEAR
    change, cost = np.zeros((n, rules)), np.zeros((n, rules))
    for index, option in enumerate(options):
        who = (chosen[:, option.rule] == index) & valid
        change[who, option.rule], cost[who, option.rule] = option.change[who], option.cost[who]
    return Found(
        before=before,
        after=np.where(valid, now, before),
        goals=goals,
        valid=valid,
        change=change,
        cost=cost,
        why_not=_why_not(valid, before, best_seen, now, goals, bool(options)),
    )


def _ask(
    predict: Predict, current: Floats, who: Integers, options: list[Option], chosen: Integers
) -> tuple[Doubles, Booleans]:
    """Probabilities of every option, shape (options, len(who)), and whether it may be taken: it changes something, and its
    column was not changed before."""
    after = np.empty((len(options), len(who)))
    allowed = np.empty((len(options), len(who)), dtype=bool)
    for index, option in enumerate(options):
        tried = current[who]
        tried[:, option.at] = option.features[who]
        after[index] = predict(tried)
        allowed[index] = (option.change[who] != 0) & (chosen[who, option.rule] < 0)
    return after, allowed


def _pick(
    after: Doubles, allowed: Booleans, now: Doubles, goals: Doubles, options: list[Option], who: Integers
) -> Integers:
    """Number of the option each customer takes, -1 for none."""
    cost = np.stack([option.cost[who] for option in options])
    reaches = allowed & (after <= goals + _NEAR)
    cheapest = np.argmin(np.where(reaches, cost, np.inf), axis=0)
    gain = np.log(np.maximum(now, 1e-12)) - np.log(np.maximum(after, 1e-12))
    worth = np.where(allowed & (gain > 1e-6), gain / (cost + 0.01), -np.inf)
    strongest = np.argmax(worth, axis=0)
    useful = np.isfinite(worth.max(axis=0))
    return np.where(reaches.any(axis=0), cheapest, np.where(useful, strongest, -1)).astype(np.int64)


def _trim(
    predict: Predict,
    current: Floats,
    now: Doubles,
    goals: Doubles,
    chosen: Integers,
    options: list[Option],
    base: Floats,
) -> None:
    """Undo or lessen changes, in place, wherever the goal holds without them."""
    for rule in range(chosen.shape[1]):
        who = np.flatnonzero((chosen[:, rule] >= 0) & (now <= goals + _NEAR))
        mine = [index for index, option in enumerate(options) if option.rule == rule]
        if not len(who) or not mine:
            continue
        at = options[mine[0]].at
        done = np.zeros(len(who), dtype=bool)
        for index in (-1, *mine):
            features = base[np.ix_(who, at)] if index < 0 else options[index].features[who]
            cost = np.zeros(len(who)) if index < 0 else options[index].cost[who]
            own = np.array([options[each].cost[row] for each, row in zip(chosen[who, rule], who, strict=True)])
            tried = current[who]
            tried[:, at] = features
            after = predict(tried)
            better = ~done & (cost < own) & (after <= goals[who] + _NEAR)
            current[np.ix_(who[better], at)] = features[better]
            now[who[better]] = after[better]
            chosen[who[better], rule] = index
            done |= chosen[who, rule] < 0


def _why_not(
    valid: Booleans, before: Doubles, best: Doubles, reached: Doubles, goals: Doubles, any_option: bool
) -> tuple[str, ...]:
    reasons = []
    for ok, old, single, low, goal in zip(valid, before, best, reached, goals, strict=True):
        if ok:
            reasons.append("")
        elif not any_option:
            reasons.append("The policy allows no change.")
        elif min(single, low) >= old - 1e-6:
            reasons.append("No allowed change lowers the probability.")
        else:
            reasons.append(f"The best allowed changes reach {min(single, low):.3f}; the goal is {goal:.3f}.")
    return tuple(reasons)


@dataclass(frozen=True)
class Quality:
    """How near, few and plausible the changes are; NaN or False where there is no counterfactual.

    Args:
        proximity: sum over columns of the change in units of the column's spread between customers, shape (n,).
        sparsity: columns changed, shape (n,).
        distance: to the nearest other real customer, in the same units, shape (n,).
        plausible: no further from one than 95 % of the real customers are from theirs, shape (n,).
    """

    proximity: Doubles
    sparsity: Integers
    distance: Doubles
    plausible: Booleans


def judge_counterfactuals(panel: Panel, population: Integers, rows: Integers, search: Search, found: Found) -> Quality:
    """Quality of the counterfactuals; distances over the columns that may change, by their mean of the changed months.

    Spread is the median absolute deviation between customers, or the standard deviation where that is nought.
    """
    if not search.rules:
        nothing = np.full(len(rows), np.nan)
        return Quality(nothing, np.zeros(len(rows), dtype=np.int64), nothing, np.zeros(len(rows), dtype=bool))
    means = np.stack([_recent(panel, population, rule.column, search.months) for rule in search.rules], axis=1)
    spread = np.median(np.abs(means - np.median(means, axis=0)), axis=0)
    spread = np.where(spread > 0, spread, means.std(axis=0))
    spread = np.where(spread > 0, spread, 1.0)
    real = means / spread
    order = np.searchsorted(population, rows)
    moved = real[order] + found.change / spread
    usual = np.quantile(nearest_distances(real[:: max(1, len(real) // 500)], real, None), 0.95)
    distance = np.where(found.valid, nearest_distances(moved, real, order), np.nan)
    return Quality(
        proximity=np.where(found.valid, np.abs(found.change / spread).sum(axis=1), np.nan),
        sparsity=np.where(found.valid, (found.change != 0).sum(axis=1), 0).astype(np.int64),
        distance=distance,
        plausible=found.valid & (distance <= usual + _NEAR),
    )


def _recent(panel: Panel, rows: Integers, column: str, months: int) -> Doubles:
    if column in panel.static:
        return np.nan_to_num(panel.static[column][rows]).astype(np.float64)
    block = panel.dynamic[column][rows, -months:].astype(np.float64)
    known = ~np.isnan(block)
    return np.asarray(np.where(known, block, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def nearest_distances(points: Doubles, real: Doubles, own: Integers | None) -> Doubles:
    """Euclidean distance of each point to the nearest real one, shape (n,).

    Args:
        own: index of the real one that a point was made from, left out; None leaves out one at distance nought, itself.
    """
    nearest = np.empty(len(points))
    for index, point in enumerate(points):
        squares = ((real - point) ** 2).sum(axis=1)
        left_out = int(np.argmin(squares)) if own is None else int(own[index])
        squares[left_out] = np.inf
        nearest[index] = np.sqrt(squares.min())
    return nearest
