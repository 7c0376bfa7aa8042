"""What may be changed about a customer: one rule per raw column, read from the experiment's settings under `cf`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..domain.hyperparameters import CF_CHOICES, CF_FOUND, CF_NAMES, CF_RANGES, problems_with_rule
from ..domain.problem import unknown
from .features import FeatureSet
from .panel import Doubles, Floats, Panel
from .problems import Refusal

MULTIPLES = (1, 2, 4, 8, 16, 32)
"""Steps tried for a column; the list of levels of a rule is these, in its directions."""
UNSAID = "unsaid"
"""Change of a column whose direction the settings leave to the model; `directions.settle` finds it."""


@dataclass(frozen=True)
class Rule:
    """What may happen to one raw column.

    Args:
        column: its name. change: one of `CF_CHANGES`, or `UNSAID`.
        low, high: bounds of a changed value; a value outside already may stay, but not move further out.
        step: smallest change, above 0. cost: of one step over all changed months, in the currency of customer_value.
        by: "policy" where the settings say the direction, "model" where it is derived.
        correlation: of the column with the model's probability, by ranks; None where it was not asked or there is none.
    """

    column: str
    change: str
    low: float
    high: float
    step: float
    cost: float
    by: str = "policy"
    correlation: float | None = None

    @property
    def levels(self) -> tuple[int, ...]:
        """Signed numbers of steps that may be tried."""
        up = MULTIPLES if self.change in ("free", "up") else ()
        down = tuple(-m for m in MULTIPLES) if self.change in ("free", "down") else ()
        return up + down

    def moved(self, values: Floats, steps: int) -> Floats:
        """Values after some steps, unknown ones still unknown; shape as `values`."""
        target = values + np.float32(steps * self.step)
        return np.asarray(
            np.clip(target, np.minimum(values, self.low), np.maximum(values, self.high)), dtype=np.float32
        )


@dataclass(frozen=True)
class Search:
    """The settings of a counterfactual run.

    Args:
        rules: per raw column that may change. held: those that would, had they a clear direction.
        months: newest months that a change applies to.
        from_probability, to_probability: customers between these are asked about; None until `directions.settle` finds it.
        reduction: share by which the probability is to fall; goal_probability: or the probability to get under.
        sample: share of these customers, drawn; limit: at most so many, the likeliest churners first, 0 = all.
        most_changes: columns changed at most. alternatives: counterfactuals per customer at most. seed: of the drawing.
        implausible: "leave_out" of the list of contacts who has no plausible counterfactual, or "contact" them.
    """

    rules: tuple[Rule, ...]
    months: int = 3
    from_probability: float | None = None
    to_probability: float = 0.9
    reduction: float = 0.2
    goal_probability: float | None = None
    sample: float = 1.0
    limit: int = 1000
    most_changes: int = 3
    alternatives: int = 1
    seed: int = 0
    implausible: str = "leave_out"
    held: tuple[Rule, ...] = ()

    def drawn_of(self, count: int) -> int:
        """How many of so many customers are drawn: at least one, where any is to be."""
        drawn = round(self.sample * count)
        return max(1, drawn) if self.sample > 0 and count else drawn

    def goals(self, probabilities: Doubles) -> Doubles:
        """What each customer's probability must fall to."""
        if self.goal_probability is not None:
            return np.asarray(np.minimum(self.goal_probability, probabilities))
        return np.asarray(probabilities * (1 - self.reduction))


def read_search(given: Mapping[str, Any], panel: Panel, plan: FeatureSet, seed: int) -> Search:
    """The search that the settings ask for; `panel` ends at the anchor and gives the bounds that are not stated.

    A dynamic column without a direction is `UNSAID`, between its 1st and 99th percentile; a static one immutable.

    Raises:
        Refusal: an unknown setting or column, a rule for words, bounds in the wrong order, a value out of its range.
    """
    values: dict[str, Any] = {"seed": seed}
    for name, value in given.items():
        if name == "policy":
            continue
        if name not in CF_NAMES:
            raise Refusal(f"cf.{name} is unknown.", f"Known are {', '.join(CF_NAMES)}.")
        if name in CF_CHOICES:
            if value not in CF_CHOICES[name]:
                raise Refusal(f"cf.{name} is {value!r}.", f"Use one of {', '.join(CF_CHOICES[name])}.")
            values[name] = value
            continue
        if value is None and name in CF_FOUND:
            continue
        low, high = CF_RANGES[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise Refusal(f"cf.{name} is {value!r}, not a number from {low} to {high}.", "Correct the configuration.")
        values[name] = value
    policy = given.get("policy", {})
    for column in policy:
        if column not in plan.dynamic and column not in plan.static:
            problem = unknown(f"cf.policy.{column}", column, (*plan.dynamic, *plan.static))
            raise Refusal(f"{problem.field}: {problem.problem}.", problem.remedy)
    rules = []
    for column in (*plan.dynamic, *plan.static):
        rule = _rule(column, policy.get(column, {}), panel)
        if rule.change != "immutable":
            rules.append(rule)
    return Search(rules=tuple(rules), **values)


def _rule(column: str, said: Mapping[str, Any], panel: Panel) -> Rule:
    for problem in problems_with_rule(said, f"cf.policy.{column}"):
        raise Refusal(f"{problem.field}: {problem.problem}.", problem.remedy)
    change = said.get("change", UNSAID if column in panel.dynamic else "immutable")
    if change != "immutable" and column in panel.levels:
        raise Refusal(f"{column} holds words, which have no up and down.", "Make it immutable.")
    values = panel.dynamic[column] if column in panel.dynamic else panel.static[column]
    known = values[~np.isnan(values)]
    if change == "immutable" or not known.size:
        return Rule(column, "immutable", 0.0, 0.0, 1.0, 0.0)
    low = float(said.get("min", np.quantile(known, 0.01)))
    high = float(said.get("max", np.quantile(known, 0.99)))
    whole = bool((known == np.round(known)).all())
    step = float(said.get("step", 1.0 if whole else max((high - low) / 20, 1e-6)))
    cost = float(said.get("cost", 1.0))
    if low > high:
        raise Refusal(
            f"cf.policy.{column}: min {low:g} is above max {high:g}; what is not given is the panel's 1st or 99th percentile.",
            "Give both.",
        )
    return Rule(column, change, low, high, step, cost, "model" if change == UNSAID else "policy")
