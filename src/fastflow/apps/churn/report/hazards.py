"""Hazard ratios in units that can be compared, and whether they hold over time."""

from fastflow.apps.churn.domain.findings import Row
from fastflow.apps.churn.report.words import columns, number, p_value, span_of
from fastflow.ui.plots import Axis, interval_cell
from fastflow.ui.reports.blocks import Cell, Column, Table
from fastflow.ui.texts import Data, Phrase, Texts

_WIDEST = 20.0
"""Hazard ratios beyond this factor from 1 end in an arrow: one wide interval must not hide the others."""
_DOUBTFUL = 0.05
"""p below this, but not below the level that counts as violated, is borderline."""
_EDGES = ("hazard_ratio_low", "hazard_ratio_high")


def hazards(t: Texts, report: Row) -> Table:
    """Each covariate's ratio for a standard deviation more, or against the word that it is compared with."""
    words = report.get("reference_words", {})
    rows = [_in_units(t, row, words) for row in report["hazard_ratios"]]
    edges = [edge for _, (_, low, high), _ in rows for edge in (low, high)]
    inside = [each for each in edges if 1 / _WIDEST <= each <= _WIDEST]
    low = min([0.5, *inside]) if min(edges, default=1.0) >= 1 / _WIDEST else 1 / _WIDEST
    high = max([2.0, *inside]) if max(edges, default=1.0) <= _WIDEST else _WIDEST
    axis = Axis(label=t("churn_report.hazard_ratio"), low=low, high=high, is_log=True)
    heads = [Column(head=t(f"churn_report.{key}")) for key in ("covariate", "unit")]
    heads += [*columns(t, "covariate", "hazard_ratio", "interval")[1:], Column(head=t("churn_report.forest"))]
    heads += columns(t, "covariate", "p", "per_one")[1:]
    shown: list[list[Cell]] = [
        [
            name(str(row["covariate"]), words),
            unit,
            number(ratio[0]),
            span_of(ratio[1], ratio[2]),
            interval_cell(axis, *ratio, 1.0),
            p_value(row["p"]),
            number(row["hazard_ratio"], 5),
        ]
        for row, ratio, unit in rows
    ]
    note = t("churn_report.hazards_about", low=number(low, 2), high=number(high, 1))
    return Table(title=t("churn_report.hazards"), columns=heads, rows=shown, note=note)


def proportional(t: Texts, report: Row) -> Table:
    """Whether each covariate weighs the same in all months, and by which level that was judged."""
    words, rows = report.get("reference_words", {}), report["proportional_hazards"]
    heads = [*columns(t, "covariate", "statistic", "p"), Column(head=t("churn_report.verdict"))]
    shown: list[list[Cell]] = [
        [name(str(row["covariate"]), words), number(row["statistic"], 2), p_value(row["p"]), _held(t, row)]
        for row in rows
    ]
    level = p_value(0.05 / max(1, len(rows)))
    note = t("churn_report.ph_about", level=level, n=len(rows))
    return Table(title=t("churn_report.ph"), columns=heads, rows=shown, note=note)


def name(covariate: str, words: Row) -> Data:
    """A covariate as people read it: one that stands for a word tells the column and the word."""
    told = words.get(covariate)
    return Data(covariate) if told is None else Data(f"{told['column']}: {told['word']}")


def _in_units(t: Texts, row: Row, words: Row) -> tuple[Row, tuple[float, float, float], Phrase]:
    """The row, its ratio with both ends, and what that is the ratio of."""
    told = words.get(str(row["covariate"]))
    one = (row["hazard_ratio"], *(row[edge] for edge in _EDGES))
    if told is not None:
        return row, one, t("churn_report.unit_word", reference=told["reference"])
    if row.get("hazard_ratio_per_sd") is None:  # results of before it was kept
        return row, one, t("churn_report.unit_one")
    per_sd = (row["hazard_ratio_per_sd"], row["hazard_ratio_per_sd_low"], row["hazard_ratio_per_sd_high"])
    return row, per_sd, t("churn_report.unit_sd", sd=number(row["standard_deviation"], 2))


def _held(t: Texts, row: Row) -> Phrase:
    if row["violated"]:
        return t("churn_report.ph_violated")
    return t("churn_report.ph_borderline" if row["p"] < _DOUBTFUL else "churn_report.ph_holds")
