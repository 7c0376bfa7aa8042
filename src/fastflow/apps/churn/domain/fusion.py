"""Materialised experiments: tables of one experiment's customers, and the view that joins all of them.

The view is made of the tables that are there, and made anew whenever one comes or goes: it never names one that is gone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .document import Column, Document, Segment, Table
from .tables import VIEWS

CHURN_ROWS, COX_ROWS = "customer_churn_details", "cox_prioritization_results"
"""The tables that are materialised."""
VIEW = "churn_cox_fusion"
OF_ONE = re.compile(r"customer_(?:churn|cox)_details_([1-9][0-9]*)")
"""Names of tables that are of one experiment alone, and go with its rows."""
RISKS: Sequence[tuple[float, str]] = (
    (0.7, "very high"),
    (0.5, "high"),
    (0.3, "medium"),
    (0.15, "low"),
    (0.0, "very low"),
)
"""Probability from which a customer's risk has that name, falling."""


def churn_table(experiment_id: int) -> str:
    """Name of the experiment's materialised customers with the classifier's probabilities."""
    return f"customer_churn_details_{experiment_id}"


def cox_table(experiment_id: int) -> str:
    """The same with the survival analysis."""
    return f"customer_cox_details_{experiment_id}"


def without_materialized(document: Document, experiment_id: int) -> Document:
    """The document without what was materialised of the experiment: its results are no longer those."""
    gone = {churn_table(experiment_id), cox_table(experiment_id)}
    tables = {name: table for name, table in document.tables.items() if name not in gone}
    return document if len(tables) == len(document.tables) else with_view(replace(document, tables=tables))


def materialized(document: Document, experiment_id: int, churn: Sequence[Segment], cox: Sequence[Segment]) -> Document:
    """The document with these rows as the experiment's materialised ones, and the view over all of them."""
    after = without_materialized(document, experiment_id)
    key = {"experiment_id": Column("integer", "The experiment."), "Kunde": Column("text", "Customer.")}
    risk = {
        "risk_category": Column("text", f"Risk by name: {', '.join(f'{name} from {low:g}' for low, name in RISKS)}.")
    }
    for name, segments, what, columns in (
        (churn_table(experiment_id), churn, "probabilities of the classifier", key),
        (cox_table(experiment_id), cox, "survival analysis, with its risk by name", {**key, **risk}),
    ):
        if segments:
            description = f"Customers of the experiment {experiment_id}: {what}."
            table = Table(description=description, source="materialize", columns=columns, segments=tuple(segments))
            after = after.with_table(name, table)
    return with_view(after)


def with_view(document: Document) -> Document:
    """The document with the view as its tables have it; without any, without the view."""
    others = [record for record in document.records(VIEWS) if record.get("name") != VIEW]
    sql = view_of(document.tables)
    return document.with_records(VIEWS, [*others, {"name": VIEW, "sql": sql}] if sql else others)


def view_of(tables: Mapping[str, Table]) -> str:
    """The view's SELECT; '' without anything materialised."""
    numbers = sorted({int(found[1]) for name in tables if (found := OF_ONE.fullmatch(name))})
    return "\nUNION ALL BY NAME\n".join(_select(number, tables) for number in numbers)


_NO_RISK = "CAST(NULL AS INTEGER) AS risk_months, CAST(NULL AS VARCHAR) AS risk_category"
_NO_CHURN = (
    "CAST(NULL AS DOUBLE) AS churn_probability, CAST(NULL AS VARCHAR) AS risk_band, CAST(NULL AS VARCHAR) AS reasons"
)


def _select(number: int, tables: Mapping[str, Table]) -> str:
    """The customers of one experiment; a table that it has not gives no values."""
    churn, cox = churn_table(number), cox_table(number)
    if cox not in tables:
        columns, source = f"experiment_id, Kunde, churn_probability, risk_band, reasons, {_NO_RISK}", churn
    elif churn not in tables:
        columns, source = f"experiment_id, Kunde, {_NO_CHURN}, * EXCLUDE (experiment_id, Kunde)", cox
    else:
        columns = (
            "coalesce(a.experiment_id, b.experiment_id) AS experiment_id, coalesce(a.Kunde, b.Kunde) AS Kunde, "
            "a.churn_probability, a.risk_band, a.reasons, b.* EXCLUDE (experiment_id, Kunde)"
        )
        source = f"{churn} AS a FULL JOIN {cox} AS b ON a.Kunde = b.Kunde"
    return f"SELECT {columns} FROM {source}"  # noqa: S608 - of names that are made here
