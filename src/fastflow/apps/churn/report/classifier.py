"""What the report says of the classifier: how good it is, why that can be believed, and whom it points at."""

import json
from collections.abc import Sequence
from typing import Any

from fastflow.apps.churn.domain.findings import Findings, Row
from fastflow.apps.churn.report.drift import drift
from fastflow.apps.churn.report.words import columns, known, month, number, said_by, share, span_of
from fastflow.ui.plots import Axis, Line, Plot, bar_cell, spanning
from fastflow.ui.reports.blocks import Block, Card, Cards, Cell, Column, Fact, Facts, Plots, Section, Table, Text
from fastflow.ui.texts import Data, Phrase, Texts

_REASONS_SHOWN, _WARNINGS_SHOWN = 4, 4


def summary(t: Texts, found: Findings) -> Sequence[Fact]:
    """The figures that matter most."""
    report = found.reports["churn"]
    metrics, intervals = report["metrics"], report["intervals"]
    rows = [
        Fact(
            name=t(f"churn_report.metric_{name}"),
            value=number(metrics[name]),
            note=Data(f"95 %: {span_of(intervals[name]['low'], intervals[name]['high'])}"),
            about=t(
                f"churn_report.about_{name}",
                base=share(metrics["base_rate"]),
                without=number(report["baseline"]["base_rate"].get(name)),
            ),
        )
        for name in ("roc_auc", "pr_auc", "brier")
        if name in intervals
    ]
    rows.append(
        Fact(
            name=t("churn_report.base_rate"),
            value=share(metrics["base_rate"]),
            note=t("churn_report.of_customers", n=number(metrics["customers"], 0)),
            about=t("churn_report.about_base_rate"),
        )
    )
    tenth = next((row for row in found.rows("churn_lift") if row["share"] == 0.1), None)
    if tenth is not None:
        note = t("churn_report.found_in_tenth", share=share(tenth["gain"], 0))
        about = t("churn_report.about_lift_10")
        rows.append(Fact(name=t("churn_report.lift_10"), value=number(tenth["lift"], 2), note=note, about=about))
    return rows


def trust(t: Texts, found: Findings) -> Section:
    """Why the figures can be believed: the audit of the windows and the canaries."""
    report = found.reports["churn"]
    audit, blocks = report["audit"], list[Block]()
    if report["trusted"] and audit["separated"]:
        words = t(
            "churn_report.separated",
            last=month(audit["latest_month_read_for_training"]),
            first=month(audit["earliest_test_label_month"]),
        )
        blocks.append(Text(words=words, kind="good"))
    blocks += [Text(words=said_by(t, alarm), kind="bad") for alarm in report["canaries"]["alarms"]]
    blocks.append(_canaries(t, found.rows("churn_canaries")))
    blocks.append(_anchors(t, audit))
    origins = report["rolling_origins"]
    if len(origins) > 1:
        blocks.append(Plots(plots=[_origins(t, origins)]))
    trend = report["rolling_trend"]["roc_auc"]
    if trend is not None:
        value, reach = Data(f"{trend['per_year']:+.3f}"), span_of(trend["low"], trend["high"])
        blocks.append(Facts(rows=[Fact(name=t("churn_report.trend"), value=value, note=reach)]))
    return Section(key="trust", title=t("churn_report.trust"), blocks=blocks)


def quality(t: Texts, found: Findings) -> Section:
    """How good it is."""
    report = found.reports["churn"]
    plots = [
        _curve(t, found.rows("churn_curve"), report["metrics"]),
        _precision(t, found.rows("churn_curve"), report["metrics"]),
        _calibration(t, found.rows("churn_calibration")),
        _gain(t, found.rows("churn_business_metrics")),
        _profit(t, found.rows("churn_business_metrics")),
    ]
    blocks: list[Block] = [Plots(plots=[each for each in plots if each is not None])]
    blocks += [_metrics(t, report), _thresholds(t, found.rows("churn_threshold_metrics"))]
    compared = found.rows("churn_model_comparison")
    if len(compared) > 1:
        blocks.append(_models(t, compared))
    return Section(key="quality", title=t("churn_report.quality"), blocks=blocks)


def customers(t: Texts, found: Findings) -> Section:
    """Whom it points at, and how the customers of the test differ from those of the training."""
    blocks: list[Block] = [_bands(t, found.rows("churn_segments"))]
    cards = [_customer(t, row) for row in found.rows("customer_churn_details")]
    if cards:
        blocks.append(Cards(title=t("churn_report.most_at_risk"), cards=cards))
    blocks += drift(t, found.rows("churn_drift"))
    return Section(key="customers", title=t("churn_report.customers"), blocks=blocks)


def _canaries(t: Texts, rows: Sequence[Row]) -> Table:
    head = [*columns(t, "canary", "metric_roc_auc"), Column(head=t("churn_report.over_chance"))]
    shown = list[list[Cell]]()
    for row in rows:
        name, _, feature = str(row["canary"]).partition(":")
        label = t("churn_report.canary_single_feature", feature=feature) if feature else known(t, "canary", name)
        auc = float(row["roc_auc"])
        shown.append([label, number(auc), bar_cell(max(0.0, 2 * (auc - 0.5)))])
    return Table(title=t("churn_report.canaries"), columns=head, rows=shown, note=t("churn_report.canaries_about"))


def _anchors(t: Texts, audit: Row) -> Table:
    head = columns(t, "anchor", "labels", "number_of_customers", "churned", "censored")
    every = [(row, t("churn_report.training")) for row in audit["training_anchors"]]
    every.append((audit["test"], t("churn_report.test")))
    rows: list[list[Cell]] = [
        [
            t("churn_report.features_until", use=use, month=month(row["features_until"])),
            Data(f"{month(row['labels_from'])} – {month(row['labels_to'])}"),
            number(row["customers"], 0),
            number(row["churned"], 0),
            number(row["censored"], 0),
        ]
        for row, use in every
    ]
    return Table(title=t("churn_report.anchors"), columns=head, rows=rows, note=t("churn_report.anchors_about"))


def _origins(t: Texts, origins: Sequence[Row]) -> Plot:
    months = [float(position) for position in range(len(origins))]
    names = [month(row["origin"]) for row in origins]
    low, high = spanning([row["roc_auc"] for row in origins], margin=0.3)
    name = t("churn_report.metric_roc_auc")
    told = ", ".join(f"{label}: {number(row['roc_auc'])}" for label, row in zip(names, origins, strict=True))

    def label(at: float) -> str:
        return names[int(at)] if at == int(at) and at < len(names) else ""

    return Plot(
        title=t("churn_report.origins"),
        about=t("churn_report.read_origins"),
        told=t("churn_report.told", what=name, values=told),
        x=Axis(label=t("churn_report.origin"), low=0, high=max(1.0, months[-1]), show=label),
        y=Axis(label=name, low=max(0.0, low), high=min(1.0, high)),
        lines=[
            Line(
                name=name,
                points=list(zip(months, [row["roc_auc"] for row in origins], strict=True)),
                dots=[
                    (at, row["roc_auc"], row["roc_auc"], row["roc_auc"])
                    for at, row in zip(months, origins, strict=True)
                ],
            )
        ],
    )


def _shares(t: Texts, key: str) -> Axis:
    return Axis(label=t(f"churn_report.{key}"), low=0.0, high=1.0)


def _curve(t: Texts, rows: Sequence[Row], metrics: Row) -> Plot | None:
    if not rows:
        return None
    return Plot(
        title=t("churn_report.roc"),
        about=t("churn_report.read_roc"),
        mark=t("churn_report.mark_chance"),
        told=t("churn_report.roc_told", auc=number(metrics["roc_auc"])),
        x=_shares(t, "false_positive_rate"),
        y=_shares(t, "recall"),
        lines=[
            Line(name=None, points=[(0.0, 0.0), (1.0, 1.0)]),
            Line(name=t("churn_report.model"), points=[(row["false_positive_rate"], row["recall"]) for row in rows]),
        ],
    )


def _precision(t: Texts, rows: Sequence[Row], metrics: Row) -> Plot | None:
    if not rows:
        return None
    base = float(metrics["base_rate"])
    return Plot(
        title=t("churn_report.precision_recall"),
        about=t("churn_report.read_precision_recall"),
        mark=t("churn_report.mark_base"),
        told=t("churn_report.precision_recall_told", auc=number(metrics["pr_auc"]), base=share(base)),
        x=_shares(t, "recall"),
        y=_shares(t, "precision"),
        lines=[
            Line(name=None, points=[(0.0, base), (1.0, base)]),
            Line(name=t("churn_report.model"), points=[(row["recall"], row["precision"]) for row in rows]),
        ],
    )


def _calibration(t: Texts, rows: Sequence[Row]) -> Plot | None:
    if not rows:
        return None
    edge = min(1.0, max(max(row["predicted"], row["observed_high"]) for row in rows) * 1.05)
    told = "; ".join(f"{share(row['predicted'])} → {share(row['observed'])}" for row in rows)
    dots = [(row["predicted"], row["observed"], row["observed_low"], row["observed_high"]) for row in rows]
    return Plot(
        title=t("churn_report.calibration"),
        about=t("churn_report.read_calibration"),
        mark=t("churn_report.mark_perfect"),
        told=t("churn_report.told", what=t("churn_report.calibration"), values=told),
        x=Axis(label=t("churn_report.predicted"), low=0.0, high=edge),
        y=Axis(label=t("churn_report.observed"), low=0.0, high=edge),
        lines=[
            Line(name=None, points=[(0.0, 0.0), (edge, edge)]),
            Line(name=t("churn_report.model"), points=[(x, y) for x, y, _, _ in dots], dots=dots),
        ],
    )


def _gain(t: Texts, rows: Sequence[Row]) -> Plot | None:
    every = max((row["churners_found"] for row in rows), default=0.0)
    if not every:
        return None
    half = next((row for row in rows if row["share"] >= 0.2), rows[-1])
    return Plot(
        title=t("churn_report.gain"),
        about=t("churn_report.read_gain"),
        mark=t("churn_report.mark_chance"),
        told=t("churn_report.gain_told", share=share(half["share"], 0), found=share(half["churners_found"] / every, 0)),
        x=_shares(t, "contacted"),
        y=_shares(t, "churners_found"),
        lines=[
            Line(name=None, points=[(0.0, 0.0), (1.0, 1.0)]),
            Line(name=t("churn_report.model"), points=[(row["share"], row["churners_found"] / every) for row in rows]),
        ],
    )


def _profit(t: Texts, rows: Sequence[Row]) -> Plot | None:
    if not rows:
        return None
    best = max(rows, key=lambda row: float(row["profit"]))
    low, high = spanning([float(row["profit"]) for row in rows], from_zero=True)
    return Plot(
        title=t("churn_report.profit"),
        about=t("churn_report.read_profit"),
        mark=t("churn_report.mark_nobody"),
        told=t("churn_report.profit_told", share=share(best["share"], 0), profit=number(best["profit"], 0)),
        x=_shares(t, "contacted"),
        y=Axis(label=t("churn_report.profit_axis"), low=low, high=high),
        lines=[
            Line(name=None, points=[(0.0, 0.0), (1.0, 0.0)]),
            Line(name=t("churn_report.model"), points=[(row["share"], row["profit"]) for row in rows]),
        ],
    )


def _metrics(t: Texts, report: Row) -> Table:
    heads = columns(t, "metric", "test", "interval", "validation", "one_feature", "nobody_known")
    one, none = report["baseline"]["one_feature"], report["baseline"]["base_rate"]
    rows = list[list[Cell]]()
    for name in ("roc_auc", "pr_auc", "brier", "brier_skill", "log_loss", "calibration_slope", "calibration_intercept"):
        interval = report["intervals"].get(name, {})
        cells = [report["metrics"].get(name), report["validation"].get(name), one.get(name), none.get(name)]
        shown = [number(each) for each in cells]
        reach = span_of(interval.get("low"), interval.get("high"))
        rows.append([t(f"churn_report.metric_{name}"), shown[0], reach, *shown[1:]])
    return Table(title=t("churn_report.metrics"), columns=heads, rows=rows, note=t("churn_report.metrics_about"))


def _thresholds(t: Texts, rows: Sequence[Row]) -> Table:
    heads = columns(t, "method", "threshold", "flagged", "precision", "recall", "specificity", "f1")
    shown: list[list[Phrase | Data]] = [
        [
            known(t, "method", str(row["method"])),
            number(row["threshold"]),
            share(row["flagged_share"]),
            *(share(row[name]) for name in ("precision", "recall", "specificity")),
            number(row["f1"]),
        ]
        for row in rows
    ]
    return Table(title=t("churn_report.thresholds"), columns=heads, rows=shown, note=t("churn_report.thresholds_about"))


def _models(t: Texts, rows: Sequence[Row]) -> Table:
    ordered = sorted(rows, key=lambda row: -float(row["validation_roc_auc"]))
    shown: list[list[Cell]] = [
        [known(t, "model", str(row["model_type"])), number(row["validation_roc_auc"])] for row in ordered
    ]
    return Table(title=t("churn_report.models"), columns=columns(t, "model_type", "validation_auc"), rows=shown)


def _bands(t: Texts, rows: Sequence[Row]) -> Table:
    heads = columns(t, "band", "probability", "number_of_customers", "predicted", "observed", "interval")
    shown: list[list[Phrase | Data]] = [
        [
            known(t, "band", str(row["band"])),
            Data(f"{share(row['from_probability'], 0)} – {share(row['to_probability'], 0)}"),
            number(row["customers"], 0),
            share(row["predicted"]),
            share(row["observed"]),
            Data(f"{share(row['observed_low'])} – {share(row['observed_high'])}") if row["customers"] else Data("–"),
        ]
        for row in rows
    ]
    return Table(title=t("churn_report.bands"), columns=heads, rows=shown, note=t("churn_report.bands_about"))


def _customer(t: Texts, row: Row) -> Card:
    said = [*_listed(row["reasons"])[:_REASONS_SHOWN], *_listed(row["warnings"])[:_WARNINGS_SHOWN]]
    return Card(
        name=Data(row["Kunde"]),
        note=known(t, "band", str(row["risk_band"])),
        value=share(row["churn_probability"]),
        lines=[said_by(t, each) for each in said],
    )


def _listed(value: Any) -> Sequence[str]:
    """A list that the pipeline stored as JSON text."""
    return [str(each) for each in (json.loads(value) if isinstance(value, str) else value or ())]
