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
    between = (probabilities >= (search.from_probability or 0.0)) & (probabilities <= search.to_probability)
    eligible = np.flatnonzero(between)
    count = search.drawn_of(len(eligible))
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


@dataclass(frozen=True)
class Question:
    """What all searches for the same customers share.

    Args:
        predict: the deployed model. base: features as they are, shape (n, features). before: probabilities, shape (n,).
        options: everything that may be tried. search: the settings.
    """

    predict: Predict
    base: Floats
    before: Doubles
    options: list[Option]
    search: Search


def pose(predict: Predict, panel: Panel, rows: Integers, plan: FeatureSet, search: Search) -> Question:
    """The question about some customers at the panel's last month."""
    base = compute_features(panel, rows, panel.last_month, plan)
    return Question(predict, base, predict(base), options_for(panel, rows, plan, search), search)


def search_counterfactuals(predict: Predict, panel: Panel, rows: Integers, plan: FeatureSet, search: Search) -> Found:
    """Counterfactuals of some customers at the panel's last month: `answer` with every column of the policy."""
    return answer(pose(predict, panel, rows, plan, search))


def answer(question: Question, barred: Booleans | None = None) -> Found:
    """Search.

    Each round takes, per customer, the cheapest level that reaches the goal, else the one that lowers the log of the
    probability most per cost; at most `most_changes` columns. Who does not get there is searched again from the beginning by
    what lowers it most, whatever it costs. Afterwards every change is made smaller or undone where the goal holds without it.

    Args:
        barred: columns that may not change, per customer, shape (n, rules).
    """
    n, rules, options = len(question.before), len(question.search.rules), question.options
    barred = np.zeros((n, rules), dtype=bool) if barred is None else barred
    goals = question.search.goals(question.before)
    state = _State(
        chosen=np.full((n, rules), -1, dtype=np.int64),
        current=question.base.copy(),
        now=question.before.copy(),
        best=question.before.copy(),
    )
    for thrifty in (True, False):
        failed = np.flatnonzero(state.now > goals + _NEAR)
        state.chosen[failed], state.now[failed] = -1, question.before[failed]
        state.current[failed] = question.base[failed]
        if options:
            _reach(question, state, goals, barred, thrifty)
    _trim(question.predict, state.current, state.now, goals, state.chosen, options, question.base)
    valid = state.now <= goals + _NEAR
    change, cost = np.zeros((n, rules)), np.zeros((n, rules))
    for index, option in enumerate(options):
        who = (state.chosen[:, option.rule] == index) & valid
        change[who, option.rule], cost[who, option.rule] = option.change[who], option.cost[who]
    return Found(
        before=question.before,
        after=np.where(valid, state.now, question.before),
        goals=goals,
        valid=valid,
        change=change,
        cost=cost,
        why_not=_why_not(valid, question.before, state.best, goals, bool(options)),
    )


@dataclass(frozen=True)
class _State:
    """Where the search stands: changed in place.

    Args:
        chosen: option per customer and column, -1 for none, shape (n, rules). current: features, shape (n, features).
        now: probabilities, shape (n,). best: lowest ones ever seen, shape (n,).
    """

    chosen: Integers
    current: Floats
    now: Doubles
    best: Doubles


def _reach(question: Question, state: _State, goals: Doubles, barred: Booleans, thrifty: bool) -> None:
    """One search from where the state stands, in place."""
    options = question.options
    for _ in range(min(question.search.most_changes, len(question.search.rules))):
        who = np.flatnonzero((state.now > goals + _NEAR) & ~barred.all(axis=1))
        if not len(who):
            return
        after, allowed = _ask(question.predict, state.current, who, options, barred | (state.chosen >= 0))
        state.best[who] = np.minimum(state.best[who], np.where(allowed, after, np.inf).min(axis=0))
        pick = _pick(after, allowed, state.now[who], goals[who], options, who, thrifty)
        if (pick < 0).all():
            return
        for index in np.unique(pick[pick >= 0]):
            option, takers = options[index], who[pick == index]
            state.chosen[takers, option.rule] = index
            state.current[np.ix_(takers, option.at)] = option.features[takers]
            state.now[takers] = after[index, pick == index]


def _ask(
    predict: Predict, current: Floats, who: Integers, options: list[Option], closed: Booleans
) -> tuple[Doubles, Booleans]:
    """Probabilities of every option, shape (options, len(who)), and whether it may be taken: it changes something, and its
    column is neither barred nor changed already."""
    after = np.empty((len(options), len(who)))
    allowed = np.empty((len(options), len(who)), dtype=bool)
    for index, option in enumerate(options):
        tried = current[who]
        tried[:, option.at] = option.features[who]
        after[index] = predict(tried)
        allowed[index] = (option.change[who] != 0) & ~closed[who, option.rule]
    return after, allowed


def _pick(
    after: Doubles,
    allowed: Booleans,
    now: Doubles,
    goals: Doubles,
    options: list[Option],
    who: Integers,
    thrifty: bool,
) -> Integers:
    """Number of the option each customer takes, -1 for none."""
    cost = np.stack([option.cost[who] for option in options])
    reaches = allowed & (after <= goals + _NEAR)
    cheapest = np.argmin(np.where(reaches, cost, np.inf), axis=0)
    gain = np.log(np.maximum(now, 1e-12)) - np.log(np.maximum(after, 1e-12))
    worth = np.where(allowed & (gain > 1e-6), gain / (cost + 0.01) if thrifty else gain, -np.inf)
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


def _why_not(valid: Booleans, before: Doubles, best: Doubles, goals: Doubles, any_option: bool) -> tuple[str, ...]:
    reasons = []
    for ok, old, low, goal in zip(valid, before, best, goals, strict=True):
        if ok:
            reasons.append("")
        elif not any_option:
            reasons.append("The policy allows no change.")
        elif low >= old - 1e-6:
            reasons.append("No allowed change lowers the probability.")
        else:
            reasons.append(f"The best allowed changes reach {low:.3f}; the goal is {goal:.3f}.")
    return tuple(reasons)
