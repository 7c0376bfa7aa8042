"""What a report is made of: the reports and tables that an experiment's pipelines left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .provenance import Provenance

Row = Mapping[str, Any]

CUSTOMERS_SHOWN, CONTACTS_SHOWN = 12, 20
TABLES: Mapping[str, Sequence[str]] = {
    "churn": (
        "churn_business_metrics",
        "churn_calibration",
        "churn_canaries",
        "churn_curve",
        "churn_drift",
        "churn_lift",
        "churn_model_comparison",
        "churn_segments",
        "churn_threshold_metrics",
    ),
    "cox": ("cox_brier", "cox_months_to_churn", "cox_survival_curves"),
    "cf": ("cf_feature_recommendations",),
}
"""Pipeline -> tables that the report needs whole; none of them grows with the customers."""
TOPS: Mapping[str, tuple[str, str, int]] = {
    "customer_churn_details": ("churn", "churn_probability", CUSTOMERS_SHOWN),
    "churn_cox_consistency": ("cox", "difference", CUSTOMERS_SHOWN),
    "cf_individual": ("cf", "p_old", CUSTOMERS_SHOWN),
    "cf_decision_ledger": ("cf", "expected_profit", CONTACTS_SHOWN),
}
"""Table with a row per customer -> its pipeline, the column whose largest values (of either sign) are shown, and how many."""
CHANGES = "cf_individual_raw"
"""What the counterfactuals change: several rows per customer."""
ALTERNATIVES = "cf_alternatives"
"""Counterfactuals beyond the first: several rows per customer."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All of it.

    Attributes:
        name: of the experiment.
        about: its number and windows.
        reports: pipeline -> its `report.json`; a pipeline that has not run is not there.
        tables: name -> rows; of those in `TOPS` the first alone.
        changes: customer -> what the counterfactual changes, rows of `cf_individual_raw`.
        scores: how the list of contacts did, a row for each month that is known since.
        unscored: why that is not known now; '' when it is.
        alternatives: customer -> its other counterfactuals, rows of `cf_alternatives`.
        provenance: where all of it comes from.
    """

    name: str
    about: str
    reports: Mapping[str, Row]
    tables: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    changes: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    alternatives: Mapping[str, Sequence[Row]] = field(default_factory=dict)

    scores: Sequence[Row] = ()
    unscored: str = ""
    provenance: Provenance | None = None

    def rows(self, table: str) -> Sequence[Row]:
        """Rows of a table; none when its pipeline left none."""
        return self.tables.get(table, ())
