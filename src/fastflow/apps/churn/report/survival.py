"""What the report says of survival: hazards with their intervals, curves, and whether both models agree."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.findings import Findings, Row
from fastflow.apps.churn.report.hazards import hazards, proportional
from fastflow.apps.churn.report.words import columns, known, month, number, p_value, said_by, share
from fastflow.ui.plots import Axis, Line, Plot, bar_cell
from fastflow.ui.reports.blocks import Block, Cell, Column, Fact, Facts, Plots, Section, Table, Text
from fastflow.ui.texts import Data, Texts

_MONTHS_SHOWN = 6


def summary(t: Texts, found: Findings) -> Sequence[Fact]:
    """The figures that matter most."""
    metrics, rows = found.reports["cox"]["metrics"], list[Fact]()
    if metrics.get("uno_c") is not None:
        note = t("churn_report.within_months", n=number(metrics["uno_limit_months"], 0))
        rows.append(
            Fact(
                name=t("churn_report.uno_c"),
                value=number(metrics["uno_c"]),
                note=note,
                about=t("churn_report.about_uno_c"),
            )
        )
    if metrics.get("ibs") is not None:
        note = t("churn_report.ibs_without", value=number(metrics["ibs_kaplan_meier"]))
        rows.append(
            Fact(name=t("churn_report.ibs"), value=number(metrics["ibs"]), note=note, about=t("churn_report.about_ibs"))
        )
    return rows


def section(t: Texts, found: Findings) -> Section:
    """Survival."""
    report = found.reports["cox"]
    metrics, blocks = report["metrics"], list[Block]()
    blocks.append(
        Text(
            words=t(
                "churn_report.cox_about",
                cutoff=month(report["cutoff_exclusive"]),
                rows=number(metrics["rows"], 0),
                events=number(metrics["events"], 0),
            )
        )
    )
    if metrics.get("customers") is not None:  # kept since the report tells them
        people, left = number(metrics["customers"], 0), number(metrics["customers_departed"], 0)
        blocks.append(Text(words=t("churn_report.cox_customers", customers=people, departed=left)))
    out_of_time = report["out_of_time"]
    said = [*report["notes"], *([out_of_time["why_not"]] if "why_not" in out_of_time else [])]
    blocks += [Text(words=said_by(t, note)) for note in said]
    facts = [(name, number(metrics.get(name))) for name in ("harrell_c", "uno_c", "in_sample_harrell_c", "ibs")]
    test = "robust_wald_p" if metrics.get("robust_wald_p") is not None else "likelihood_ratio_p"
    facts.append((test, p_value(metrics[test])))
    told = [
        Fact(name=t(f"churn_report.{name}"), value=value, about=t(f"churn_report.about_{name}"))
        for name, value in facts
    ]
    blocks.append(Facts(rows=told))
    plots = [_curves(t, found.rows("cox_survival_curves")), _brier(t, found.rows("cox_brier"))]
    blocks += [Plots(plots=[each for each in plots if each is not None])] if any(plots) else []
    blocks += _at_risk(t, found.rows("cox_survival_curves"))
    soon = found.rows("cox_months_to_churn")
    if soon:
        blocks.append(_months_to_churn(t, soon))
    blocks.append(hazards(t, report))
    blocks.append(proportional(t, report))
    if report["dropped_covariates"]:
        blocks.append(_dropped(t, report["dropped_covariates"]))
    if out_of_time.get("calibration"):
        blocks.append(_calibration(t, out_of_time["calibration"]))
    return Section(key="survival", title=t("churn_report.survival"), blocks=blocks)


def agreement(t: Texts, found: Findings) -> Section:
    """Whether the classifier and the survival model say the same of the same customers, or why nothing was compared."""
    compared, title = found.reports["cox"]["consistency"], t("churn_report.agreement")
    if "why_not" in compared:
        return Section(key="agreement", title=title, blocks=[Text(words=said_by(t, compared["why_not"]))])
    facts = [
        Fact(
            name=t("churn_report.rank_correlation"),
            value=number(compared["rank_correlation"]),
            about=t("churn_report.about_rank_correlation"),
        ),
        Fact(
            name=t("churn_report.mean_difference"),
            value=share(compared["mean_difference"]),
            about=t("churn_report.about_mean_difference"),
        ),
        Fact(
            name=t("churn_report.disagreements"),
            value=number(compared["disagreements"], 0),
            note=t("churn_report.disagreement_beyond", share=share(compared["disagreement_beyond"], 0)),
        ),
    ]
    blocks: list[Block] = [Text(words=t("churn_report.agreement_about")), Facts(rows=facts)]
    rows = [
        [Data(row["Kunde"]), *(share(row[name]) for name in ("p_classifier", "p_survival", "difference"))]
        for row in found.rows("churn_cox_consistency")
        if row["disagrees"]
    ]
    if rows:
        heads = columns(t, "customer", "by_classifier", "by_survival", "difference")
        blocks.append(Table(title=t("churn_report.disagreeing"), columns=heads, rows=rows))
    return Section(key="agreement", title=title, blocks=blocks)


def _curves(t: Texts, rows: Sequence[Row]) -> Plot | None:
    if not rows:
        return None
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row["group"]), []).append(row)
    lines, told = list[Line](), list[str]()
    for group, points in groups.items():
        name = t("churn_report.risk_group", group=known(t, "group", group))
        seen = [(0.0, 1.0), *((row["month"], row["survival"]) for row in points)]
        band = [(0.0, 1.0, 1.0), *((row["month"], row["low"], row["high"]) for row in points)]
        lines.append(Line(name=name, points=seen, band=band, is_stepped=True))
        lines.append(Line(name=None, points=[(row["month"], row["modelled"]) for row in points]))
        told.append(f"{name}: {share(points[-1]['survival'], 0)}")
    months = Axis(label=t("churn_report.months"), low=0.0, high=max(row["month"] for row in rows))
    return Plot(
        title=t("churn_report.curves"),
        about=t("churn_report.read_curves"),
        mark=t("churn_report.mark_modelled"),
        told=t("churn_report.told", what=t("churn_report.curves"), values=", ".join(told)),
        x=months,
        y=Axis(label=t("churn_report.still_there"), low=0.0, high=1.0),
        lines=lines,
    )


def _at_risk(t: Texts, rows: Sequence[Row]) -> Sequence[Table]:
    """How many stand behind the curves; none for results of before that was kept."""
    if not rows or any(row.get("at_risk") is None for row in rows):
        return []
    months = sorted({float(row["month"]) for row in rows})
    shown = months[:: -(-len(months) // _MONTHS_SHOWN)]
    counts = {(str(row["group"]), float(row["month"])): row["at_risk"] for row in rows}
    groups = dict.fromkeys(str(row["group"]) for row in rows)
    heads = [Column(head=t("churn_report.group"))]
    heads += [Column(head=t("churn_report.after_month", n=number(month, 0)), is_number=True) for month in shown]
    cells: list[list[Cell]] = [
        [
            t("churn_report.risk_group", group=known(t, "group", group)),
            *(number(counts.get((group, month)), 0) for month in shown),
        ]
        for group in groups
    ]
    return [Table(title=t("churn_report.at_risk"), columns=heads, rows=cells, note=t("churn_report.at_risk_about"))]


def _brier(t: Texts, rows: Sequence[Row]) -> Plot | None:
    if len(rows) < 2:  # a curve needs two points
        return None
    high = max(max(row["brier"], row["brier_kaplan_meier"]) for row in rows)
    last = rows[-1]
    return Plot(
        title=t("churn_report.brier_over_time"),
        about=t("churn_report.read_brier_over_time"),
        told=t("churn_report.brier_told", model=number(last["brier"]), without=number(last["brier_kaplan_meier"])),
        x=Axis(label=t("churn_report.months"), low=rows[0]["month"], high=last["month"]),
        y=Axis(label=t("churn_report.metric_brier"), low=0.0, high=high * 1.05 or 1.0),
        lines=[
            Line(name=t("churn_report.cox_model"), points=[(row["month"], row["brier"]) for row in rows]),
            Line(
                name=t("churn_report.without_features"),
                points=[(row["month"], row["brier_kaplan_meier"]) for row in rows],
                is_dashed=True,
            ),
        ],
    )


def _months_to_churn(t: Texts, rows: Sequence[Row]) -> Table:
    heads = [
        *columns(t, "months", "expected_customers"),
        *columns(t, "months", "of_all")[1:],
        Column(head=t("churn_report.bar")),
    ]
    shown: list[list[Cell]] = []
    for row in rows:
        begin = number(row["from_month"], 0)
        stretch = f"{begin} – {number(row['to_month'], 0)}" if row["to_month"] is not None else f"> {begin}"
        cells: list[Cell] = [number(row["expected_customers"], 1), share(row["share"]), bar_cell(row["share"])]
        shown.append([Data(stretch), *cells])
    note = t("churn_report.months_to_churn_about", n=number(rows[-1]["from_month"], 0))
    return Table(title=t("churn_report.months_to_churn"), columns=heads, rows=shown, note=note)


def _dropped(t: Texts, rows: Sequence[Row]) -> Table:
    heads = [Column(head=t("churn_report.covariate")), Column(head=t("churn_report.why"))]
    shown = [[Data(row["covariate"]), said_by(t, row["reason"])] for row in rows]
    return Table(title=t("churn_report.dropped"), columns=heads, rows=shown)


def _calibration(t: Texts, rows: Sequence[Row]) -> Table:
    heads = columns(t, "fifth", "horizon", "number_of_customers", "predicted", "observed")
    shown = [
        [
            number(row["fifth"], 0),
            number(row["horizon"], 0),
            number(row["customers"], 0),
            share(row["predicted"]),
            share(row["observed"]),
        ]
        for row in rows
    ]
    note = t("churn_report.cox_calibration_about")
    return Table(title=t("churn_report.cox_calibration"), columns=heads, rows=shown, note=note)
