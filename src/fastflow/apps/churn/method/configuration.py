"""What an experiment asks for, read from `experiment.json` and `dictionary.json` and judged as a whole.

An unknown or impossible setting is refused by name, so that a slip of the pen is never a silent default.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..domain.month import Month, MonthError
from .features import WINDOWS
from .problems import Refusal

MODEL_TYPES = {
    "logistic": "logistic",
    "logistic_regression": "logistic",
    "random_forest": "random_forest",
    "forest": "random_forest",
    "gradient_boosting": "gradient_boosting",
    "auto": "auto",
}


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
        most_training_rows: more are thinned by drawing customers.
        bootstrap_replicates: draws of customers behind each interval.
        miss_cost: a missed churner, in needless contacts; capacity: share of customers that can be contacted.
        customer_value, success_rate, contact_cost: of the profit curve, in one currency.
        rolling_origins: earlier test anchors tried.
        on_leak: "refuse" fails the run when a canary sings, "report" only says so.
        cutoff_exclusive: first month that the survival analysis must not see, YYYYMM; None: the month after training_to.
        horizons: months of risk, rmst_horizons: months of restricted mean survival time.
        landmark_step: months between landmarks; cox_covariates: raw columns, None: chosen; most_covariates: of these.
        ridge: penalty of the Cox model, 0 = none.
        cf: settings of the counterfactual search, see `policy`.
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


@dataclass(frozen=True)
class Experiment:
    """One experiment, ready to be computed; months counted as `Month.index` counts them."""

    id: int
    training_from: int
    training_to: int
    backtest_from: int
    backtest_to: int
    model_type: str
    windows: tuple[int, ...]
    settings: Settings
    dynamic: tuple[str, ...]
    static: tuple[str, ...]


_CHOICES = {"outcome": ("any", "end"), "population": ("alive", "observed"), "on_leak": ("refuse", "report")}
_RANGES: Mapping[str, tuple[float, float]] = {
    "history_months": (1, 600),
    "embargo_months": (0, 120),
    "most_anchors": (1, 600),
    "most_training_rows": (100, 10**9),
    "bootstrap_replicates": (20, 100_000),
    "miss_cost": (0, 1e12),
    "capacity": (1e-9, 1),
    "success_rate": (0, 1),
    "rolling_origins": (0, 120),
    "landmark_step": (1, 120),
    "most_covariates": (1, 100),
    "ridge": (0, 1e12),
}


def read_experiment(inputs: Path) -> Experiment:
    """The experiment of an inputs folder.

    Raises:
        Refusal: a field is missing, unknown or impossible.
    """
    described = json.loads((inputs / "experiment.json").read_text(encoding="utf-8"))
    roles = column_roles(json.loads((inputs / "dictionary.json").read_text(encoding="utf-8")))
    return experiment_of(described, roles)


def experiment_of(described: Mapping[str, Any], roles: Mapping[str, str]) -> Experiment:
    """The experiment of its fields and the roles of the columns."""
    months = {}
    for name in ("training_from", "training_to", "backtest_from", "backtest_to"):
        try:
            months[name] = Month.parse(described.get(name)).index
        except MonthError as error:
            raise Refusal(f"{name}: {error}", "Correct the experiment.") from error
    kind = MODEL_TYPES.get(str(described.get("model_type") or "gradient_boosting"))
    if kind is None:
        raise Refusal(f"model_type {described['model_type']} is unknown.", f"Use one of {', '.join(MODEL_TYPES)}.")
    windows = WINDOWS.get(str(described.get("feature_set") or "standard"))
    if windows is None:
        raise Refusal(f"feature_set {described['feature_set']} is unknown.", f"Use one of {', '.join(WINDOWS)}.")
    dynamic = tuple(name for name, role in roles.items() if role == "DYNAMIC_FEATURE")
    static = tuple(name for name, role in roles.items() if role == "STATIC_FEATURE")
    if not dynamic:
        raise Refusal("The dictionary names no DYNAMIC_FEATURE.", "Give at least one column that role.")
    settings = settings_of(described.get("hyperparameters") or {})
    return Experiment(
        id=int(described["experiment_id"]),
        model_type=kind,
        windows=windows,
        settings=settings,
        dynamic=dynamic,
        static=static,
        **months,
    )


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Settings over the defaults; lists become tuples.

    Raises:
        Refusal: an unknown name, a wrong type, a value out of its range.
    """
    defaults = Settings()
    known = {each.name for each in fields(Settings)}
    values: dict[str, Any] = {}
    for name, said in given.items():
        value = tuple(said) if isinstance(said, list) else said
        if name not in known:
            raise Refusal(f"The setting {name} is unknown.", f"Known are {', '.join(sorted(known))}.")
        usual = getattr(defaults, name)
        if not _fits(value, usual):
            raise Refusal(f"{name} must be {type(usual).__name__}, not {value!r}.", "Correct the configuration.")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise Refusal(f"{name} is {value!r}.", f"Use one of {', '.join(_CHOICES[name])}.")
        if name in _RANGES:
            low, high = _RANGES[name]
            if not low <= float(value) <= high:  # type: ignore[arg-type]  # a number: judged by _fits
                raise Refusal(f"{name} is {value}, outside of {low:g} to {high:g}.", "Correct the configuration.")
        values[name] = value
    return Settings(**values)


def _fits(value: Any, usual: Any) -> bool:
    if usual is None:
        return value is None or isinstance(value, int | tuple)
    if isinstance(usual, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(usual, int):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(usual, tuple):
        return isinstance(value, tuple) and all(isinstance(each, int) and each > 0 for each in value)
    return isinstance(value, Mapping if isinstance(usual, Mapping) else type(usual))


def column_roles(dictionary: Mapping[str, Any]) -> dict[str, str]:
    """Column -> role, from `{"columns": {name: {"role": ROLE}}}`; a bare `{name: ROLE}` is understood as well."""
    columns = dictionary.get("columns", dictionary)
    if isinstance(columns, list):
        columns = {each["name"]: each for each in columns}
    return {name: str(said["role"] if isinstance(said, Mapping) else said).upper() for name, said in columns.items()}
