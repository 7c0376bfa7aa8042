"""The report of an experiment whose three pipelines really ran."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastflow.apps.churn import report as package
from fastflow.apps.churn.domain.experiment import read_experiment_record, snapshot
from fastflow.apps.churn.domain.files import IngestedFile
from fastflow.apps.churn.domain.findings import CUSTOMERS_SHOWN, TABLES, TOPS, Findings
from fastflow.apps.churn.domain.month import Month
from fastflow.apps.churn.domain.provenance import Computed, Written, provenance_of
from fastflow.apps.churn.method.cf_run import run_cf
from fastflow.apps.churn.method.churn_run import run_churn
from fastflow.apps.churn.method.cox_run import run_cox
from fastflow.apps.churn.report.compose import compose
from fastflow.ui.reports.blocks import Cards, Facts, Plots, Report, Table, Text
from fastflow.ui.reports.html import document
from fastflow.ui.reports.pdf import pdf
from fastflow.ui.texts import LANGUAGES, Catalogue, Texts

EXPERIMENT: dict[str, Any] = {
    "experiment_id": 5,
    "training_from": 202201,
    "training_to": 202309,
    "backtest_from": 202310,
    "backtest_to": 202403,
    "model_type": "logistic",
    "hyperparameters": {
        "customer_value": 400,
        "most_anchors": 6,
        "bootstrap_replicates": 20,
        "rolling_origins": 5,
        "cf": {
            "policy": {"i_use": {"cost": 2}, "n_rate": {"change": "free"}},
            "from_probability": 0.1,
            "alternatives": 3,
        },
    },
}
ROLES = {"i_use": "DYNAMIC_FEATURE", "n_rate": "DYNAMIC_FEATURE", "region": "STATIC_FEATURE"}


PROVENANCE = provenance_of(
    read_experiment_record(
        {
            **EXPERIMENT,
            "experiment_name": "Spring",
            "feature_set": "standard",
            "hyperparameters": snapshot(EXPERIMENT["hyperparameters"], Month.parse(202309)),
            "id_files": [2],
            "status": "processed",
            "data_fingerprint": "ab12" * 16,
            "created_at": "2026-03-01T08:09:10.000001+00:00",
        }
    ),
    [
        IngestedFile(
            file_id=number, name=f"panel {number}.csv", kind="transactions", content_sha256=f"{number}" * 64,
            rows=12_345, customers=300, first_month=202201, last_month=202406, dictionary={},
            churn_rule={"gap_months": 3}, ingested_at="2026-02-28T10:11:12+00:00", ingested_by="user:ada",
        )
        for number in (1, 2)
    ],
    [Computed(pipeline="churn", run_id="01RUN", at="2026-03-01T09:00:00+00:00")],
)  # fmt: skip
WRITTEN = Written(on="2026-03-02", by="user:vera", version="1.2.3")


def silent(**facts: Any) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def findings(
    tmp_path_factory: pytest.TempPathFactory, columns_of: Callable[[int, int, int], dict[str, Any]]
) -> Findings:
    inputs = tmp_path_factory.mktemp("report")
    (inputs / "experiment.json").write_text(json.dumps(EXPERIMENT))
    (inputs / "dictionary.json").write_text(json.dumps(ROLES))
    columns = columns_of(300, 30, 11)
    columns["Kunde"] = columns["Kunde"].astype(str)
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), inputs / "panel.parquet")
    run_churn(inputs, inputs / "churn", silent)
    run_cox(inputs, inputs / "cox", silent)
    run_cf(inputs, inputs / "cf", silent, {"limit": 25})

    def rows(pipeline: str, name: str) -> list[Mapping[str, Any]]:
        return pq.read_table(inputs / pipeline / "tables" / f"{name}.parquet").to_pylist()

    tables = {name: rows(pipeline, name) for pipeline, names in TABLES.items() for name in names}
    for name, (pipeline, column, most) in TOPS.items():
        tables[name] = sorted(rows(pipeline, name), key=lambda row: -abs(row[column]))[:most]
    changes: dict[str, list[Mapping[str, Any]]] = {}
    alternatives: dict[str, list[Mapping[str, Any]]] = {}
    for table, found in (("cf_individual_raw", changes), ("cf_alternatives", alternatives)):
        for row in rows("cf", table):
            found.setdefault(row["Kunde"], []).append(row)
    reports = {name: json.loads((inputs / name / "report.json").read_text()) for name in TABLES}
    return Findings(
        name="Spring",
        about="Experiment 5",
        reports=reports,
        tables=tables,
        changes=changes,
        alternatives=alternatives,
        provenance=PROVENANCE,
    )


def texts(language: str = "en") -> Texts:
    return Catalogue([Path(str(package.__file__)).parent / "texts.toml"]).texts(language)


def numbers_of(report: Report) -> list[str]:
    """All that is data, not words of a language."""
    found = list[str]()
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Facts):
                found += [fact.value for fact in block.rows]
            if isinstance(block, Table):
                found += [
                    cell for row in block.rows for cell, head in zip(row, block.columns, strict=True) if head.is_number
                ]
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_report_when_all_pipelines_ran_then_it_has_every_section_in_the_language(
    findings: Findings, language: str
) -> None:
    report = compose(texts(language), findings)
    keys = [section.key for section in report.sections]
    assert keys == [
        "summary",
        "trust",
        "quality",
        "customers",
        "survival",
        "agreement",
        "counterfactuals",
        "decision",
        "provenance",
    ]
    plots = [
        plot
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Plots)
        for plot in block.plots
    ]
    assert len(plots) == 8
    assert "nan" not in " ".join(numbers_of(report))
    made = document(report)
    assert made.count("<figure") == 8
    assert pdf(report).startswith(b"%PDF-")


def test_report_when_told_in_another_language_then_its_numbers_are_the_same(findings: Findings) -> None:
    english, german = (compose(texts(language), findings) for language in ("en", "de"))
    assert numbers_of(english) == numbers_of(german)
    assert english.sections[0].title != german.sections[0].title


def test_report_when_read_then_its_figures_are_those_of_the_pipelines(findings: Findings) -> None:
    report = compose(texts(), findings)
    facts = next(block for block in report.sections[0].blocks if isinstance(block, Facts)).rows
    assert facts[0].value == f"{findings.reports['churn']['metrics']['roc_auc']:.3f}"
    cards = [block for section in report.sections for block in section.blocks if isinstance(block, Cards)]
    (at_risk, changed) = cards
    highest = max(findings.rows("customer_churn_details"), key=lambda row: float(row["churn_probability"]))
    assert at_risk.cards[0].name == highest["Kunde"]
    assert len(at_risk.cards) == CUSTOMERS_SHOWN
    assert any(card.lines for card in changed.cards)
    shown = next(card for card in changed.cards if card.name in findings.alternatives)
    said = [line for line in shown.lines if line.startswith("Or ")]
    assert len(said) == len(findings.alternatives[shown.name]) and " %, cost " in said[0]


@pytest.mark.parametrize("pipelines", [(), ("churn",), ("cox",), ("churn", "cf")])
def test_report_when_some_pipelines_have_not_run_then_it_is_shorter_and_whole(
    findings: Findings, pipelines: tuple[str, ...]
) -> None:
    some = replace(findings, reports={name: findings.reports[name] for name in pipelines})
    report = compose(texts(), some)
    assert ("survival" in {section.key for section in report.sections}) == ("cox" in pipelines)
    assert document(report).endswith("</html>\n")


def test_report_when_a_canary_sang_then_that_stands_first(findings: Findings) -> None:
    churn = findings.reports["churn"]
    alarm = "A single feature tells everything."
    doubtful = {**churn, "trusted": False, "canaries": {**churn["canaries"], "alarms": [alarm]}}
    report = compose(texts(), replace(findings, reports={"churn": doubtful}))
    first = report.sections[0].blocks[0]
    assert isinstance(first, Text)
    assert first.kind == "bad"
    said = [block.words for block in report.sections[1].blocks if isinstance(block, Text)]
    assert said == [alarm]


def test_report_when_nothing_could_be_compared_then_the_reason_stands_there(findings: Findings) -> None:
    cox = {
        **findings.reports["cox"],
        "consistency": {"why_not": "No churn run yet."},
        "out_of_time": {"why_not": "Too short."},
    }
    cf = {**findings.reports["cf"], "track_record": {"why_not": "Only 2 moved."}}
    report = compose(texts(), replace(findings, reports={"cox": cox, "cf": cf}))
    said = [block.words for section in report.sections for block in section.blocks if isinstance(block, Text)]
    assert {"No churn run yet.", "Too short.", "Only 2 moved."} <= set(said)


def test_report_when_enough_origins_were_tested_then_their_trend_stands_below_them(findings: Findings) -> None:
    churn = {**findings.reports["churn"]}
    trend = {"per_year": -0.0321, "low": -0.05, "high": -0.01}
    churn["rolling_trend"] = {**churn["rolling_trend"], "roc_auc": trend}
    report = compose(texts(), replace(findings, reports={"churn": churn}))
    (shown,) = [block for block in report.sections[1].blocks if isinstance(block, Facts)]
    assert [(fact.value, fact.note) for fact in shown.rows] == [("-0.032", "-0.050 – -0.010")]


SCORED = {
    "outcome_month": 202403,
    "is_whole_window": True,
    "contacted": 9,
    "contacted_churned": 3,
    "contacted_predicted": 4.26,
    "others": 16,
    "others_churned": 5,
    "others_predicted": 5.5,
    "realised_profit": 81.0,
    "chance_of_that": 20.0,
}


def test_decision_when_months_are_known_since_then_the_report_says_how_the_list_did(findings: Findings) -> None:
    early = {
        **SCORED,
        "outcome_month": 202310,
        "is_whole_window": False,
        "realised_profit": None,
        "chance_of_that": None,
    }
    told = compose(texts(), replace(findings, scores=[early, SCORED]))
    (section,) = [each for each in told.sections if each.key == "decision"]
    (table,) = [block for block in section.blocks if isinstance(block, Table) and len(block.columns) == 7]
    assert [str(cell) for cell in table.rows[1]] == ["2024-03", "9", "3", "4.3", "16", "5", "5.5"]
    facts = [fact for block in section.blocks if isinstance(block, Facts) for fact in block.rows]
    assert ("81", "61 – 101") in [(str(fact.value), str(fact.note)) for fact in facts]


def test_counterfactuals_when_told_then_who_was_searched_and_who_gave_the_directions_is_said(
    findings: Findings,
) -> None:
    report = compose(texts(), findings)
    (section,) = [each for each in report.sections if each.key == "counterfactuals"]
    searched, *_, policy = [block for block in section.blocks if isinstance(block, Table)]
    counts = {str(row[0]): int(str(row[1])) for row in searched.rows}
    assert (
        counts["Searched"]
        == 25
        == counts["Scored by the model"]
        - sum(count for words, count in counts.items() if words.startswith("Not searched"))
    )
    assert str(searched.note).startswith("The range is that of the settings")
    allowed = {str(row[0]): str(row[1]) for row in policy.rows}
    assert allowed["i_use"].startswith("Up – derived from the model (-0.") and allowed["n_rate"] == "Both ways"
    (cards,) = [block for block in section.blocks if isinstance(block, Cards)]
    lines = [str(line) for card in cards.cards for line in card.lines]
    assert any(" from " in line and "on average over the newest 3 months" in line for line in lines)


def test_decision_when_told_then_the_formula_and_who_was_left_out_stand_below_the_list(findings: Findings) -> None:
    (section,) = [each for each in compose(texts(), findings).sections if each.key == "decision"]
    said = [str(block.words) for block in section.blocks if isinstance(block, Text)]
    assert any("customer_value (400) × fall of the risk × success_rate (30 %" in words for words in said)
    assert any("a fall by 4.2 percentage points" in words for words in said)
    assert any(words.startswith("Not on the list") for words in said)
    cf = {**findings.reports["cf"]}
    cf["decision"] = {name: cf["decision"][name] for name in ("contacts", "cost")} | dict.fromkeys(
        ("expected_profit", "expected_profit_low", "expected_profit_high"), 0.0
    )
    older = replace(findings, reports={"cf": cf}, tables={**findings.tables, "cf_decision_ledger": []})
    (section,) = [each for each in compose(texts(), older).sections if each.key == "decision"]
    said = [str(block.words) for block in section.blocks if isinstance(block, Text)]
    assert said[0].startswith("Nobody is worth a contact")


def test_decision_when_the_scores_cannot_be_told_now_then_the_report_says_why(findings: Findings) -> None:
    told = compose(texts(), replace(findings, unscored="Other queries take all the time."))
    (section,) = [each for each in told.sections if each.key == "decision"]
    assert "Other queries take all the time." in [
        str(block.words) for block in section.blocks if isinstance(block, Text)
    ]


def cells_of(report: Report, title: str) -> list[list[str]]:
    (section,) = [each for each in report.sections if each.key == "provenance"]
    (table,) = [block for block in section.blocks if isinstance(block, Table) and block.title == title]
    return [[str(cell) for cell in row] for row in table.rows]


def test_provenance_when_a_report_is_handed_over_then_its_data_windows_runs_and_reader_stand_in_it(
    findings: Findings,
) -> None:
    report = compose(texts(), findings, WRITTEN)
    assert dict(cells_of(report, "Experiment")) == {
        "Experiment": "#5 Spring",
        "Training window": "2022-01 – 2023-09",
        "Backtest window": "2023-10 – 2024-03",
        "Months between features and labels": "0",
        "What counts as churn": "a dead month within the window",
        "Who is judged": "customers alive at the anchor",
        "Model": "Logistic regression",
        "Feature set": "standard",
        "Seed": "20260101",
        "Created": "2026-03-01 08:09 UTC",
        "Fingerprint of the data": "ab12ab12ab12",
        "This report": "written on 2026-03-02 for user:vera",
        "Written by": "Fast-Flow 1.2.3",
    }
    assert cells_of(report, "Data") == [
        ["#2 panel 2.csv", "12\u202f345", "300", "2022-01 – 2024-06", "2" * 12, "2026-02-28 10:11 UTC", "user:ada"]
    ]
    assert cells_of(report, "Runs") == [["churn", "01RUN", "2026-03-01 09:00 UTC"]]
    made = document(report)
    assert "a customer counts as gone after 3 months without one" in made


def test_provenance_when_settings_differ_then_they_stand_apart_and_all_of_them_below(findings: Findings) -> None:
    report = compose(texts(), findings)
    differing = {row[0]: row[1:] for row in cells_of(report, "Settings that are not the usual ones")}
    assert differing["most_anchors"] == ["6", "12"]
    assert differing["cf.policy.i_use"] == ['{"cost": 2}', "–"]
    assert "seed" not in differing
    every = [row[0] for row in cells_of(report, "All settings")]
    assert set(differing) < set(every) and "seed" in every


def test_provenance_when_shown_on_a_page_then_it_says_nothing_of_a_reader(findings: Findings) -> None:
    assert "This report" not in dict(cells_of(compose(texts(), findings), "Experiment"))


def survival_table(report: Report, title: str) -> Table:
    (section,) = [each for each in report.sections if each.key == "survival"]
    (table,) = [block for block in section.blocks if isinstance(block, Table) and block.title == title]
    return table


def test_survival_when_customers_are_repeated_then_customers_and_a_test_that_knows_it_are_told(
    findings: Findings,
) -> None:
    report, metrics = compose(texts(), findings), findings.reports["cox"]["metrics"]
    assert metrics["customers"] < metrics["rows"] and metrics["customers_departed"] < metrics["events"]
    (section,) = [each for each in report.sections if each.key == "survival"]
    said = [str(block.words) for block in section.blocks if isinstance(block, Text)]
    assert any(
        f"{metrics['customers']} customers, of whom {metrics['customers_departed']} left" in each for each in said
    )
    (facts,) = [block for block in section.blocks if isinstance(block, Facts)]
    names = [str(fact.name) for fact in facts.rows]
    assert "Robust Wald test, p" in names and not any(name.startswith("Likelihood") for name in names)


def test_hazards_when_shown_then_each_has_its_unit_and_a_word_the_one_it_is_compared_with(findings: Findings) -> None:
    rows = survival_table(compose(texts(), findings), "Hazard ratios").rows
    units = {str(row[0]): str(row[1]) for row in rows}
    assert units["region: south"] == "against north"
    (use,) = [row for row in findings.reports["cox"]["hazard_ratios"] if row["covariate"] == "i_use__mean_6"]
    assert units["i_use__mean_6"] == f"1 SD more ({use['standard_deviation']:.2f})"
    (shown,) = [row for row in rows if row[0] == "i_use__mean_6"]
    assert (shown[2], shown[6]) == (f"{use['hazard_ratio_per_sd']:.3f}", f"{use['hazard_ratio']:.5f}")


def test_proportional_hazards_when_p_is_between_the_levels_then_it_is_borderline(findings: Findings) -> None:
    tested = [
        {"covariate": f"c{number}", "statistic": 1.0, "p": p, "violated": p < 0.05 / 3}
        for number, p in enumerate((0.001, 0.03, 0.4))
    ]
    cox = {**findings.reports["cox"], "proportional_hazards": tested}
    table = survival_table(compose(texts(), replace(findings, reports={"cox": cox})), "Are the hazards proportional?")
    assert [str(row[-1]) for row in table.rows] == ["Changes over time", "Borderline", "Holds"]
    assert "p is below 0.0167" in str(table.note)
