"""How unlike the customers of the test are to those of the training, feature by feature."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.findings import Row
from fastflow.apps.churn.report.words import columns, known, number, p_value, share
from fastflow.ui.plots import bar_cell
from fastflow.ui.reports.blocks import Block, Cell, Column, Table, Text
from fastflow.ui.texts import Data, Texts

_SHOWN = 12
_STRONG = 0.5
"""PSI that fills the bar: twice what counts as strong."""
_GROWING = ("__total", "__peak")
_AGES = ("months_known",)


def grows(feature: str) -> bool:
    """Whether it counts since the beginning, so that it is larger in the test whatever the customers do.

    >>> grows("months_known"), grows("i_use__total"), grows("i_use__mean_6")
    (True, True, False)
    """
    return feature in _AGES or feature.endswith(_GROWING)


def strongest(rows: Sequence[Row]) -> Sequence[Row]:
    """The features that need not drift, the strongest drift first."""
    return sorted((row for row in rows if not grows(str(row["feature"]))), key=lambda row: -float(row["psi"] or 0.0))


def drift(t: Texts, rows: Sequence[Row]) -> Sequence[Block]:
    """The strongest of the features that need not drift; of those that must, what they are."""
    ranked = strongest(rows)
    first = ranked[:_SHOWN]
    heads = [*columns(t, "feature", "psi"), Column(head=t("churn_report.strength"))]
    heads += columns(t, "feature", "unknown", "ks", "cramers_v", "chi2_p", "mean_before", "mean_after")[1:]
    shown: list[list[Cell]] = [
        [
            Data(row["feature"]),
            number(row["psi"]),
            bar_cell((row["psi"] or 0.0) / _STRONG),
            _unknown(row),
            number(row.get("ks")),
            number(row.get("cramers_v")),
            p_value(row.get("chi2_p")),
            number(row.get("mean_before")),
            number(row.get("mean_after")),
            known(t, "severity", str(row["severity"])),
        ]
        for row in first
    ]
    table = Table(
        title=t("churn_report.drift"),
        columns=[*heads, Column(head=t("churn_report.severity"))],
        rows=shown,
        note=t("churn_report.drift_about", n=len(first), all=len(ranked)),
    )
    growing = sorted(str(row["feature"]) for row in rows if grows(str(row["feature"])))
    if not growing:
        return [table]
    told = Text(words=t("churn_report.drift_growing", n=len(growing), names=", ".join(growing)))
    return [table, told]


def _unknown(row: Row) -> Data:
    before, after = row.get("unknown_before"), row.get("unknown_after")
    return Data("–") if before is None or after is None else Data(f"{share(before)} → {share(after)}")
