"""What an experiment's computation can be told, with what holds when it is not: the one list that the server judges by
and the pipelines read."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .month import Month, MonthError
from .problem import Problem, shown, unknown

MODEL_TYPES = {
    "logistic": "logistic",
    "logistic_regression": "logistic",
    "random_forest": "random_forest",
    "forest": "random_forest",
    "gradient_boosting": "gradient_boosting",
    "auto": "auto",
}
"""Word -> model that it stands for."""
FEATURE_SETS: Mapping[str, tuple[int, ...]] = {"standard": (3, 6, 12), "enhanced": (3, 6, 12, 18, 24, 36)}
"""Feature set -> window lengths in months."""


@dataclass(frozen=True)
class Settings:
    """The experiment's `hyperparameters`, with what holds when one is not given.

    Args:
        seed: of everything drawn.
        history_months: months of the training window that an anchor needs behind it.
        embargo_months: months between an anchor and its label window.
        most_anchors: training anchors pooled, the newest.
        outcome: "any" dead month of the label window, or the state at its "end".
        population: customers "alive" at the anchor, or all "observed".
        model_parameters: scikit-learn's, for the chosen model.
        most_training_rows: no more are used; of every customer the same share of its months.
        bootstrap_replicates: draws of customers behind each interval.
        miss_cost: a missed churner, in needless contacts; capacity: share of customers that can be contacted.
        customer_value, success_rate, contact_cost: of the profit curve and the list of contacts, in one currency.
        rolling_origins: earlier test anchors tried.
        on_leak: "refuse" fails the run when a canary sings, "report" only says so.
        cutoff_exclusive: first month that the survival analysis must not see, YYYYMM; None: the month after training_to.
        horizons: months of risk, rmst_horizons: months of restricted mean survival time.
        landmark_step: months between landmarks; cox_covariates: raw columns, None: chosen; most_covariates: of these.
        ridge: penalty of the Cox model, 0 = none.
        cf: settings of the counterfactual search, see `CF_NAMES`; `policy` in it holds a rule per raw column.
    """

    seed: int = 20260101
    history_months: int = 6
    embargo_months: int = 0
    most_anchors: int = 12
    outcome: str = "any"
    population: str = "alive"
    model_parameters: Mapping[str, Any] = field(default_factory=dict)
    most_training_rows: int = 200_000
    bootstrap_replicates: int = 300
    miss_cost: float = 10.0
    capacity: float = 0.1
    customer_value: float = 100.0
    success_rate: float = 0.3
    contact_cost: float = 5.0
    rolling_origins: int = 3
    on_leak: str = "refuse"
    cutoff_exclusive: int | None = None
    horizons: tuple[int, ...] = (6, 12, 18, 24)
    rmst_horizons: tuple[int, ...] = (12, 24)
    landmark_step: int = 3
    cox_covariates: tuple[str, ...] | None = None
    most_covariates: int = 8
    ridge: float = 0.0
    cf: Mapping[str, Any] = field(default_factory=dict)


SETTING_NAMES = tuple(each.name for each in fields(Settings))
CHOICES = {"outcome": ("any", "end"), "population": ("alive", "observed"), "on_leak": ("refuse", "report")}
RANGES: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    "history_months": (1, 600),
    "embargo_months": (0, 120),
    "most_anchors": (1, 600),
    "most_training_rows": (100, 10**9),
    "bootstrap_replicates": (20, 100_000),
    "miss_cost": (0, 1e12),
    "capacity": (1e-9, 1),
    "customer_value": (0, 1e12),
    "success_rate": (0, 1),
    "contact_cost": (0, 1e12),
    "rolling_origins": (0, 120),
    "landmark_step": (1, 120),
    "most_covariates": (1, 100),
    "ridge": (0, 1e12),
}
CF_RANGES: Mapping[str, tuple[float, float]] = {
    "months": (1, 120),
    "from_probability": (0, 1),
    "to_probability": (0, 1),
    "reduction": (0, 1),
    "goal_probability": (0, 1),
    "sample": (0, 1),
    "limit": (0, 10**9),
    "most_changes": (1, 20),
    "alternatives": (1, 5),
    "seed": (0, 2**63),
}
"""Settings of the counterfactual search that are numbers."""
CF_CHOICES: Mapping[str, tuple[str, ...]] = {"implausible": ("leave_out", "contact")}
"""Settings of the counterfactual search that are words."""
CF_FOUND = ("from_probability", "goal_probability")
"""Those that null leaves to the search."""
CF_NAMES = ("policy", *CF_CHOICES, *CF_RANGES)
CF_CHANGES = ("free", "up", "down", "immutable")
CF_RULE = ("change", "min", "max", "step", "cost")
"""What a rule of `policy` can say of a column."""
LONGEST_LIST = 100
_CORRECT = "Correct the configuration."
_WORDS = {int: "a whole number", float: "a number", str: "text", tuple: "a list of whole numbers above 0"}


def problems_with(given: Mapping[str, Any], prefix: str = "") -> Iterator[Problem]:
    """Everything that is wrong with the settings, in their order.

    Args:
        given: name -> value as JSON has it, or with tuples for lists.
        prefix: put before the names, such as `hyperparameters.`.
    """
    defaults = Settings()
    for name, said in given.items():
        if name not in SETTING_NAMES:
            yield unknown(f"{prefix}{str(name)[:100]}", name, SETTING_NAMES)
            continue
        value = tuple(said) if isinstance(said, list) else said
        if name == "cf":
            yield from _problems_with_search(value, f"{prefix}cf")
        elif name == "model_parameters":
            yield from _problems_with_object(value, f"{prefix}model_parameters")
        elif found := _problem_with(name, value, getattr(defaults, name)):
            yield Problem(f"{prefix}{name}", *found)


def _problem_with(name: str, value: Any, usual: Any) -> tuple[str, str] | None:
    """What is wrong, and what to do; None: nothing."""
    if name == "cutoff_exclusive":
        return _problem_with_month(value)
    if name == "cox_covariates":
        return _problem_with_names(value)
    if isinstance(usual, tuple):
        return _problem_with_lengths(value)
    if not _is_a(type(usual), value):
        return f"{shown(value)} is not {_WORDS[type(usual)]}", _CORRECT
    if name in CHOICES and value not in CHOICES[name]:
        return f"{shown(value)} is unknown", f"Use one of {', '.join(CHOICES[name])}."
    if name in RANGES:
        low, high = RANGES[name]
        if not low <= value <= high:
            return f"{value} is outside of {low:.10g} to {high:.10g}", _CORRECT
    return None


def _is_a(kind: type, value: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
    return isinstance(value, kind) and not isinstance(value, bool)


def _problem_with_month(value: Any) -> tuple[str, str] | None:
    try:
        if value is not None:
            Month.parse(value)
    except MonthError as error:
        return str(error).rstrip("."), _CORRECT
    return None


def _problem_with_names(value: Any) -> tuple[str, str] | None:
    if value is None or (
        isinstance(value, tuple) and 0 < len(value) <= LONGEST_LIST and all(isinstance(one, str) for one in value)
    ):
        return None
    return (
        f"{shown(value)} is no list of columns",
        "Name columns of the dictionary, or leave it to the analysis with null.",
    )


def _problem_with_lengths(value: Any) -> tuple[str, str] | None:
    fits = isinstance(value, tuple) and 0 < len(value) <= LONGEST_LIST
    if fits and all(_is_a(int, one) and 1 <= one <= 600 for one in value):
        return None
    return f"{shown(value)} is no list of months", "Give numbers of months from 1 to 600."


def _problems_with_search(value: Any, where: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem(where, f"{shown(value)} is no object", _CORRECT)
        return
    for name, said in value.items():
        if name == "policy":
            yield from _problems_with_policy(said, f"{where}.policy")
        elif name in CF_CHOICES:
            if said not in CF_CHOICES[name]:
                yield unknown(f"{where}.{name}", said, CF_CHOICES[name])
        elif name not in CF_RANGES:
            yield unknown(f"{where}.{str(name)[:100]}", name, CF_NAMES)
        elif said is None and name in CF_FOUND:
            continue
        elif not _is_a(float, said) or not CF_RANGES[name][0] <= said <= CF_RANGES[name][1]:
            low, high = CF_RANGES[name]
            yield Problem(f"{where}.{name}", f"{shown(said)} is not a number from {low} to {high}", _CORRECT)


def _problems_with_policy(value: Any, where: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem(where, f"{shown(value)} is no object", _CORRECT)
        return
    for column, rule in value.items():
        yield from problems_with_rule(rule, f"{where}.{str(column)[:100]}")


def problems_with_rule(rule: Any, where: str) -> Iterator[Problem]:
    """What is wrong with what the policy says of one column.

    Args:
        rule: it. where: its place, put before the names of its members.
    """
    if not isinstance(rule, Mapping):
        yield Problem(where, f"{shown(rule)} is no object", _CORRECT)
        return
    for name, said in rule.items():
        place = f"{where}.{str(name)[:100]}"
        if name not in CF_RULE:
            yield unknown(place, name, CF_RULE)
        elif name == "change":
            if said not in CF_CHANGES:
                yield unknown(place, said, CF_CHANGES)
        elif not _is_a(float, said):
            yield Problem(place, f"{shown(said)} is no finite number", _CORRECT)
        elif (name == "step" and said <= 0) or (name == "cost" and said < 0):
            least = "has to be above 0" if name == "step" else "must not be below 0"
            yield Problem(place, f"{said:g} {least}", _CORRECT)
    low, high = rule.get("min", -math.inf), rule.get("max", math.inf)
    if _is_a(float, low) and _is_a(float, high) and low > high:
        yield Problem(f"{where}.min", f"{low:g} is above max, {high:g}", _CORRECT)


def _problems_with_object(value: Any, where: str, depth: int = 0) -> Iterator[Problem]:
    """Objects whose members the pipelines judge: they have to be JSON, so that they can be kept."""
    if isinstance(value, Mapping):
        for name, said in value.items():
            if isinstance(said, Mapping | list | tuple) and depth < 3:
                yield from _problems_with_object(said, f"{where}.{str(name)[:100]}", depth + 1)
            elif not (said is None or isinstance(said, str | bool) or _is_a(float, said)):
                yield Problem(f"{where}.{str(name)[:100]}", f"{shown(said)} is no text and no finite number", _CORRECT)
    elif depth and isinstance(value, list | tuple):
        if not all(isinstance(one, str | bool) or _is_a(float, one) for one in value):
            yield Problem(where, f"{shown(value)} is no list of texts or finite numbers", _CORRECT)
    else:
        yield Problem(where, f"{shown(value)} is no object", _CORRECT)
