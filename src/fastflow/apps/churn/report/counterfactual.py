"""What the report says of counterfactuals: what would have to change, whether that ever helped, and whom to contact."""

import json
from collections.abc import Sequence

from fastflow.apps.churn.domain.findings import Findings, Row
from fastflow.apps.churn.report.words import columns, known, month, number, said_by, share, span_of
from fastflow.ui.reports.blocks import Block, Card, Cards, Column, Fact, Facts, Section, Table, Text
from fastflow.ui.texts import Data, Phrase, Texts

MONTHS = 3
"""Months that a change applied to in results of before this was written down."""


def summary(t: Texts, found: Findings) -> Sequence[Fact]:
    """The figure that matters most."""
    metrics = found.reports["cf"]["metrics"]
    searched, scored = number(metrics["searched"], 0), number(found.reports["cf"]["population"], 0)
    note = t("churn_report.of_searched", n=searched, all=scored)
    return [
        Fact(
            name=t("churn_report.validity"),
            value=share(metrics["validity"], 0),
            note=note,
            about=t("churn_report.about_validity"),
        )
    ]


def section(t: Texts, found: Findings) -> Section:
    """Counterfactuals."""
    report = found.reports["cf"]
    metrics = report["metrics"]
    told = {
        "validity": share(metrics["validity"], 0),
        "risk_lowered": _unbroken(metrics["probability_before"], metrics["probability_after"]),
        "sparsity": number(metrics["sparsity"], 2),
        "proximity": number(metrics["proximity"], 2),
        "plausible": share(metrics["plausible"], 0),
        "mean_cost": number(metrics["cost"], 2),
    }
    facts = [
        Fact(name=t(f"churn_report.{name}"), value=value, about=t(f"churn_report.about_{name}"))
        for name, value in told.items()
    ]
    if metrics.get("diversity") is not None:
        several = t("churn_report.per_customer", n=number(metrics["alternatives"], 1))
        unlike, about = share(metrics["diversity"], 0), t("churn_report.about_diversity")
        facts.append(Fact(name=t("churn_report.diversity"), value=unlike, note=several, about=about))
    blocks: list[Block] = [Facts(rows=facts)]
    if "chosen" in report:
        blocks.append(_chosen(t, report["chosen"]))
    blocks.append(_recommended(t, found.rows("cf_feature_recommendations")))
    cards = [_customer(t, row, found) for row in found.rows("cf_individual")]
    if cards:
        blocks.append(Cards(title=t("churn_report.cf_cards"), cards=cards))
    if report["why_not"]:
        blocks.append(_why_not(t, report["why_not"]))
    blocks.append(_policy(t, report["policy"], report.get("months", MONTHS)))
    return Section(key="counterfactuals", title=t("churn_report.counterfactuals"), blocks=blocks)


def decision(t: Texts, found: Findings) -> Section:
    """Whom to contact, and what the recommendations have been worth so far."""
    report = found.reports["cf"]
    blocks: list[Block] = []
    if report.get("decision"):
        blocks += _ledger(t, report["decision"], found.rows("cf_decision_ledger"))
        blocks += _scores(t, found)
    if report.get("track_record"):
        blocks += _track_record(t, report["track_record"])
    return Section(key="decision", title=t("churn_report.decision"), blocks=blocks)


def _chosen(t: Texts, chosen: Row) -> Table:
    """How many were searched, and why the others were not."""
    low, high = share(chosen["from_probability"]), share(chosen["to_probability"], 0)
    told = {
        "scored": t("churn_report.chosen_scored"),
        "below": t("churn_report.chosen_below", edge=low),
        "above": t("churn_report.chosen_above", edge=high),
        "not_drawn": t("churn_report.chosen_not_drawn"),
        "beyond_limit": t("churn_report.chosen_beyond_limit"),
        "searched": t("churn_report.chosen_searched"),
    }
    rows: list[list[Phrase | Data]] = [
        [words, number(chosen[name], 0), share(chosen[name] / chosen["scored"] if chosen["scored"] else None)]
        for name, words in told.items()
        if chosen[name] or name in ("scored", "searched")
    ]
    words = "churn_report.chosen_given" if chosen["from_is_given"] else "churn_report.chosen_found"
    note = t(words, average=share(chosen["average_probability"]))
    heads = columns(t, "who", "number_of_customers", "of_all")
    return Table(title=t("churn_report.chosen"), columns=heads, rows=rows, note=note)


def _recommended(t: Texts, rows: Sequence[Row]) -> Table:
    heads = [
        Column(head=t("churn_report.column")),
        Column(head=t("churn_report.direction")),
        *columns(t, "column", "number_of_customers", "share_of_valid", "mean_change", "mean_cost")[1:],
    ]
    shown: list[list[Phrase | Data]] = [
        [
            Data(row["column"]),
            known(t, "direction", str(row["direction"])),
            number(row["customers"], 0),
            share(row["share_of_valid"], 0),
            number(row["mean_change"], 2),
            number(row["mean_cost"], 2),
        ]
        for row in rows
    ]
    return Table(
        title=t("churn_report.recommended"), columns=heads, rows=shown, note=t("churn_report.recommended_about")
    )


def _customer(t: Texts, row: Row, found: Findings) -> Card:
    key = str(row["Kunde"])
    lines: list[Phrase | Data] = [_change(t, each) for each in found.changes.get(key, ())]
    if row["why_not"]:
        lines.append(said_by(t, row["why_not"]))
    if row["valid"] and not row["plausible"]:
        lines.append(t("churn_report.implausible"))
    lines += [_alternative(t, each) for each in found.alternatives.get(key, ())]
    note = t("churn_report.at_cost", cost=number(row["cost"], 2)) if row["valid"] else t("churn_report.none_found")
    after = f" → {share(row['p_new'])}" if row["valid"] else ""
    return Card(name=Data(row["Kunde"]), note=note, value=Data(f"{share(row['p_old'])}{after}"), lines=lines)


def _change(t: Texts, row: Row) -> Phrase:
    """What changes in one column; results of before it was written down do not say from where."""
    change, before = float(row["mean_change"]), row.get("mean_before")
    told = {"column": row["column"], "change": f"{change:+.2f}", "n": number(row["months"], 0)}
    if before is None:
        return t("churn_report.change", **told)
    span = {"before": number(before, 2), "after": number(float(before) + change, 2)}
    return t("churn_report.change_from", **told, **span)


def _alternative(t: Texts, row: Row) -> Phrase:
    changes = ", ".join(f"{each['column']} {float(each['mean_change']):+.2f}" for each in json.loads(row["changes"]))
    words = "churn_report.alternative" if row["plausible"] else "churn_report.alternative_implausible"
    return t(words, changes=changes, after=share(row["p_new"]), cost=number(row["cost"], 2))


def _why_not(t: Texts, reasons: Row) -> Table:
    heads = columns(t, "why", "number_of_customers")
    ordered = sorted(reasons.items(), key=lambda each: -int(each[1]))
    rows = [[said_by(t, reason), number(count, 0)] for reason, count in ordered]
    return Table(title=t("churn_report.why_not"), columns=heads, rows=rows)


def _policy(t: Texts, rows: Sequence[Row], months: int) -> Table:
    heads = [
        Column(head=t("churn_report.column")),
        Column(head=t("churn_report.allowed")),
        *columns(t, "column", "range", "step", "cost")[1:],
    ]
    shown: list[list[Phrase | Data]] = [
        [
            Data(row["column"]),
            _allowed(t, row),
            span_of(row["low"], row["high"], 2),
            number(row["step"], 2),
            number(row["cost"], 2),
        ]
        for row in rows
    ]
    return Table(
        title=t("churn_report.policy"), columns=heads, rows=shown, note=t("churn_report.policy_about", n=months)
    )


def _allowed(t: Texts, row: Row) -> Phrase | Data:
    """Which way a column may go, and whether the policy or the model says so."""
    if row.get("by") != "model":
        return known(t, "direction", str(row["change"]))
    return t(f"churn_report.derived_{row['change']}", correlation=number(row["correlation"], 2))


def _ledger(t: Texts, decided: Row, rows: Sequence[Row]) -> Sequence[Block]:
    low, high = decided["expected_profit_low"], decided["expected_profit_high"]
    facts = [
        Fact(name=t("churn_report.contacts"), value=number(decided["contacts"], 0)),
        Fact(name=t("churn_report.cost"), value=number(decided["cost"], 0)),
        Fact(
            name=t("churn_report.expected_profit"),
            value=number(decided["expected_profit"], 0),
            note=span_of(low, high, 0),
        ),
    ]
    told: list[Block] = [Facts(rows=facts)]
    if rows:
        told.append(_contacts(t, decided, rows))
    else:
        told.append(Text(words=t("churn_report.nobody_worth")))
    return [*told, *(Text(words=words) for words in _reckoned(t, decided))]


def _contacts(t: Texts, decided: Row, rows: Sequence[Row]) -> Table:
    heads = columns(t, "customer", "fall", "expected_profit", "cost", "cumulated_profit")
    shown = [
        [
            Data(row["Kunde"]),
            _fall(row),
            *(number(row[name], 2) for name in ("expected_profit", "cost", "cumulated_profit")),
        ]
        for row in rows
    ]
    note = t("churn_report.contact_list_about", n=len(rows), all=number(decided["contacts"], 0))
    return Table(title=t("churn_report.contact_list"), columns=heads, rows=shown, note=note)


def _fall(row: Row) -> Data:
    """By how many points the risk would fall; a dash in results of before this was written down."""
    before, after = row.get("p_old"), row.get("p_new")
    return number(None if before is None or after is None else 100 * (before - after), 1)


def _reckoned(t: Texts, decided: Row) -> Sequence[Phrase]:
    """How the profit is reckoned, and who is not on the list; nothing in results of before these were written down."""
    if "success_rate" not in decided:
        return []
    words = [
        t(
            "churn_report.profit_formula",
            value=number(decided["customer_value"], 0),
            rate=share(decided["success_rate"], 0),
            contact=number(decided["contact_cost"], 2),
        )
    ]
    if decided["break_even_fall"] is not None:
        words.append(t("churn_report.break_even", fall=number(100 * decided["break_even_fall"], 1)))
    left_out = {
        name: number(decided[f"left_out_{name}"], 0) for name in ("implausible", "not_worth", "beyond_capacity")
    }
    return [*words, t("churn_report.left_out", **left_out)]


def _scores(t: Texts, found: Findings) -> Sequence[Block]:
    """What became of those on the list, and of those beside it."""
    if found.unscored:
        return [Text(words=Data(found.unscored))]
    if not found.scores:
        return []
    heads = columns(
        t, "month", "listed", "churned_of_them", "predicted_of_them", "beside", "churned_beside", "predicted_beside"
    )
    shown = [[month(row["outcome_month"]), *_outcome(row)] for row in found.scores]
    table = Table(title=t("churn_report.scores"), columns=heads, rows=shown, note=t("churn_report.scores_about"))
    whole = [row for row in found.scores if row["is_whole_window"] and row["realised_profit"] is not None]
    facts = [_realised(t, row) for row in whole]
    return [*([Facts(rows=facts)] if facts else []), table]


def _outcome(row: Row) -> Sequence[Data]:
    """Numbers of customers, each beside what was predicted of them for the whole window."""
    return [
        number(row["contacted"], 0),
        number(row["contacted_churned"], 0),
        number(row["contacted_predicted"], 1),
        number(row["others"], 0),
        number(row["others_churned"], 0),
        number(row["others_predicted"], 1),
    ]


def _realised(t: Texts, row: Row) -> Fact:
    profit, chance = float(row["realised_profit"]), float(row["chance_of_that"])
    note = span_of(profit - chance, profit + chance, 0)
    return Fact(name=t("churn_report.realised_profit"), value=number(profit, 0), note=note)


def _track_record(t: Texts, record: Row) -> Sequence[Block]:
    if "why_not" in record:
        return [Text(words=t("churn_report.no_track_record")), Text(words=said_by(t, record["why_not"]))]
    words = t(
        "churn_report.track_record_about",
        n=number(record["matched"], 0),
        first=month(record["movement_months"][0]),
        last=month(record["movement_months"][1]),
    )
    facts = [
        Fact(name=t("churn_report.observed_moved"), value=share(record["observed_moved"])),
        Fact(name=t("churn_report.observed_controls"), value=share(record["observed_controls"])),
        Fact(
            name=t("churn_report.difference"),
            value=share(record["difference"]),
            note=Data(f"{share(record['difference_low'])} – {share(record['difference_high'])}"),
        ),
        Fact(name=t("churn_report.predicted_after"), value=share(record["predicted_after"])),
    ]
    return [Text(words=words), Facts(rows=facts)]


def _unbroken(before: float, after: float) -> Data:
    """Both shares, each on one line."""
    first, last = (share(each).replace(" ", "\u00a0") for each in (before, after))
    return Data(f"{first} → {last}")
