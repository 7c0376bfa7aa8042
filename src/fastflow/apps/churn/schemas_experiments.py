"""Experiments on the wire. What they are asked for is judged as a whole by the domain, so the body takes any value."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from fastflow.apps.churn.domain.bundle import BundleError, Manifest
from fastflow.apps.churn.domain.experiment import LONGEST_NAME, MOST_FILES, Experiment
from fastflow.apps.churn.domain.hyperparameters import FEATURE_SETS, MODEL_TYPES, SETTING_NAMES
from fastflow.apps.churn.domain.month import FIRST_YEAR, LAST_YEAR
from fastflow.apps.churn.service.experiments import Removal
from fastflow.apps.churn.service.materializing import Materialized
from fastflow.kernel.http.schemas import PageOut, RequestBody

_EXAMPLE: JsonDict = {
    "experiment_name": "Summer 1997",
    "training_from": 199701,
    "training_to": 199712,
    "backtest_from": 199801,
    "backtest_to": 199803,
    "model_type": "logistic",
}


def _word(known: list[str]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string", "enum": known}, {"type": "null"}]})


MonthIn = Annotated[
    Any, WithJsonSchema({"type": "integer", "minimum": FIRST_YEAR * 100 + 1, "maximum": LAST_YEAR * 100 + 12})
]
Name = Annotated[Any, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_NAME})]
Files = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": MOST_FILES},
                {"type": "null"},
            ]
        }
    ),
]
Instant = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "string", "maxLength": 40}, {"type": "integer"}, {"type": "null"}]})
]
Values = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]})]


class ExperimentIn(RequestBody):
    """An experiment to make, or the new form of one."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    experiment_name: Name = Field(description="For people.")
    training_from: MonthIn = Field(description="First month of the training window, YYYYMM.")
    training_to: MonthIn = Field(description="Its last month.")
    backtest_from: MonthIn = Field(description="First month of the backtest window, after the training window.")
    backtest_to: MonthIn = Field(description="Its last month.")
    model_type: Annotated[Any, _word(list(MODEL_TYPES))] = Field(default=None, description="Null: the default.")
    feature_set: Annotated[Any, _word(list(FEATURE_SETS))] = Field(default=None, description="Null: the default.")
    hyperparameters: Values = Field(
        default=None, description=f"Settings that differ from the defaults, of {', '.join(SETTING_NAMES)}."
    )
    id_files: Files = Field(
        default=None,
        description="Numbers of files to compute on; null: all that there are now, which is refused if they contradict each other.",
    )

    as_of: Instant = Field(
        default=None,
        description="A month (YYYYMM), a day or an instant with its offset: only files taken in by then count. Null: none.",
    )

    def given(self) -> dict[str, Any]:
        """Field -> value."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class ExperimentOut(BaseModel):
    """An experiment."""

    experiment_id: int
    experiment_name: str
    training_from: int
    training_to: int
    backtest_from: int
    backtest_to: int
    model_type: str
    feature_set: str
    hyperparameters: dict[str, Any] = Field(description="All settings with the values that hold.")
    id_files: list[int]
    as_of: str = Field(description="Instant by which its files had been taken in; '' where none was said.")
    data_fingerprint: str = Field(description="SHA-256 over the content of its files; '' without files.")
    status: str = Field(description="created, processing, processed or failed.")
    reason: str = Field(description="Why it failed; '' when it did not.")
    runs: dict[str, str] = Field(description="Pipeline -> id of its last run.")
    chain: dict[str, Any] = Field(
        description="Of one that is computed whole: `steps`, each with `name`, `status` (waiting, running, done, failed, "
        "dropped) and `run_id`; {} when its last run was a single one."
    )
    created_at: str
    updated_at: str
    processed_at: str = Field(description="'' until it is processed.")

    @classmethod
    def of(cls, experiment: Experiment) -> "ExperimentOut":
        """The experiment as the API shows it."""
        return cls(**experiment.record())


class ExperimentPage(PageOut[ExperimentOut]):
    """One page of experiments, newest first."""


class WarnedExperimentOut(ExperimentOut):
    """An experiment and what may mislead who does not know it."""

    warnings: list[str] = Field(
        description="What is allowed, but worth knowing before it is computed or read; in sentences."
    )

    @classmethod
    def of_warned(cls, experiment: Experiment, warnings: Sequence[str]) -> "WarnedExperimentOut":
        """The experiment as the API shows it when it was decided."""
        return cls(**experiment.record(), warnings=list(warnings))


class OneExperimentOut(WarnedExperimentOut):
    """An experiment and what was computed of it."""

    results: dict[str, int] = Field(description="Table -> rows that hang on the experiment.")

    @classmethod
    def of_one(cls, experiment: Experiment, warnings: Sequence[str], results: Mapping[str, int]) -> "OneExperimentOut":
        """The experiment as the API shows it alone."""
        return cls(**experiment.record(), warnings=list(warnings), results=dict(results))


class RemovalOut(BaseModel):
    """What was removed, or would be."""

    experiment_id: int
    dry_run: bool = Field(description="True: nothing was removed.")
    rows: dict[str, int] = Field(description="Table -> rows.")
    row_count: int = Field(description="Of all tables.")

    @classmethod
    def of(cls, removal: Removal) -> "RemovalOut":
        """The removal as the API shows it."""
        own = {**vars(removal), "rows": dict(removal.rows)}
        return cls(**own, row_count=sum(removal.rows.values()))


class ResetOut(BaseModel):
    """An experiment that is back at its beginning."""

    experiment: ExperimentOut
    removed: RemovalOut


class BundleOut(BaseModel):
    """A bundle in the outbox."""

    domain: str | None = Field(description="churn, cox or counterfactuals; null when it cannot be read.")
    experiment_id: int | None
    experiment_name: str | None
    exported_at: str | None
    rows: dict[str, int] = Field(description="Table -> rows.")
    file_count: int
    size: int = Field(description="Of the files, in bytes.")
    problem: str = Field(description="Why it cannot be read, or not come back now; '' when it can.")

    @classmethod
    def of(cls, bundle: Manifest | BundleError, problem: str = "") -> "BundleOut":
        """The bundle as the API shows it."""
        if isinstance(bundle, BundleError):
            none: dict[str, Any] = dict.fromkeys(("domain", "experiment_id", "experiment_name", "exported_at"))
            return cls(**none, rows={}, file_count=0, size=0, problem=str(bundle))
        return cls(
            domain=bundle.domain,
            experiment_id=bundle.experiment_id,
            experiment_name=str(bundle.experiment.get("experiment_name", "")),
            exported_at=bundle.exported_at,
            rows=dict(bundle.rows),
            file_count=len(bundle.files),
            size=sum(file.size for file in bundle.files),
            problem=problem,
        )


class BundlesOut(BaseModel):
    """Bundles, by domain and experiment."""

    items: list[BundleOut]
    next_cursor: str | None = None


class MaterializedOut(BaseModel):
    """Tables of an experiment's own."""

    experiment_id: int
    churn_table: str
    churn_rows: int = Field(description="0: there is no such table, as the pipeline churn has not run.")
    cox_table: str
    cox_rows: int = Field(description="0: there is no such table, as the pipeline cox has not run.")
    view: str = Field(description="Joins the customers of all experiments that are materialised.")

    @classmethod
    def of(cls, done: Materialized) -> "MaterializedOut":
        """What was done as the API shows it."""
        return cls(**vars(done))
