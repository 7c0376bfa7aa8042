"""What an experiment asks for, read from `experiment.json` and `dictionary.json` and judged as a whole.

An unknown or impossible setting is refused by name, so that a slip of the pen is never a silent default.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..domain.hyperparameters import FEATURE_SETS, MODEL_TYPES, Settings, problems_with
from ..domain.month import Month, MonthError
from .problems import Refusal


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
    windows = FEATURE_SETS.get(str(described.get("feature_set") or "standard"))
    if windows is None:
        raise Refusal(f"feature_set {described['feature_set']} is unknown.", f"Use one of {', '.join(FEATURE_SETS)}.")
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
    for problem in problems_with(given):
        raise Refusal(f"The setting {problem.field}: {problem.problem}.", problem.remedy)
    values: dict[str, Any] = {name: tuple(said) if isinstance(said, list) else said for name, said in given.items()}
    return Settings(**values)


def column_roles(dictionary: Mapping[str, Any]) -> dict[str, str]:
    """Column -> role, from `{"columns": {name: {"role": ROLE}}}`; a bare `{name: ROLE}` is understood as well."""
    columns = dictionary.get("columns", dictionary)
    if isinstance(columns, list):
        columns = {each["name"]: each for each in columns}
    return {name: str(said["role"] if isinstance(said, Mapping) else said).upper() for name, said in columns.items()}
