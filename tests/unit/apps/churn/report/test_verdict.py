"""What the checks of a report say, and what they come to."""

from typing import Any

import pytest

from fastflow.apps.churn.domain.findings import Findings
from fastflow.apps.churn.report.judged_classifier import grade
from fastflow.apps.churn.report.render import TEXTS
from fastflow.apps.churn.report.verdict import verdict
from fastflow.ui.reports.blocks import Check, Checks, Text
from fastflow.ui.texts import LANGUAGES, Catalogue, Texts

TEXT = Catalogue([TEXTS]).texts("en")


def churn(
    auc: float = 0.75,
    *,
    low: float = 0.7,
    one: float = 0.6,
    gain: tuple[float, float] | None = (0.1, 0.2),
    saved: tuple[float, float] = (0.01, 0.03),
    base: float = 0.2,
    predicted: float = 0.2,
    slope: float = 1.0,
    trusted: bool = True,
) -> dict[str, Any]:
    gains = {
        "one_feature": {"roc_auc": dict(zip(("low", "high"), gain, strict=True))} if gain else {},
        "base_rate": {"brier": dict(zip(("low", "high"), saved, strict=True))},
    }
    return {
        "metrics": {
            "roc_auc": auc, "base_rate": base, "mean_predicted": predicted, "brier": 0.14, "brier_skill": 0.1,
            "calibration_slope": slope, "calibration_intercept": 0.02,
        },
        "intervals": {"roc_auc": {"low": low, "high": 0.95}},
        "baseline": {
            "one_feature": {"feature": "x__last", "roc_auc": one},
            "base_rate": {"brier": 0.16},
            "gains": gains if gain else {},
        },
        "audit": {"separated": True, "latest_month_read_for_training": 202309, "earliest_test_label_month": 202310},
        "canaries": {"honest": auc, "shuffled": 0.49, "future": 0.97},
        "trusted": trusted,
    }  # fmt: skip


def cox(**changed: Any) -> dict[str, Any]:
    metrics = {"uno_c": 0.7, "uno_limit_months": 6, "ibs": 0.1, "ibs_kaplan_meier": 0.12}
    agreed = {"rank_correlation": 0.8, "mean_difference": -0.01}
    return {
        "metrics": metrics | {name: value for name, value in changed.items() if name in metrics},
        "consistency": agreed | {name: value for name, value in changed.items() if name in agreed},
        "out_of_time": {},
    }


def cf(**changed: Any) -> dict[str, Any]:
    metrics = {"searched": 40.0, "valid": 30.0, "validity": 0.75, "plausible": 0.9}
    record = {"matched": 55, "difference": -0.1, "difference_low": -0.18, "difference_high": -0.02}
    return {
        "metrics": metrics | {name: value for name, value in changed.items() if name in metrics},
        "track_record": record | {name: value for name, value in changed.items() if name in record},
    }


def checked(reports: dict[str, Any], t: Texts = TEXT, **tables: Any) -> tuple[Text, dict[str, Check]]:
    found = Findings(name="n", about="a", reports=reports, tables=tables)
    overall, checks = verdict(t, found)
    assert isinstance(overall, Text)
    assert isinstance(checks, Checks)
    return overall, {str(each.name): each for each in checks.rows}


ORDER, ONE, BASE = (
    "Does it rank better than chance?",
    "Is it better than one column?",
    "Is it better than the base rate for everybody?",
)
LITERAL = "Can its probabilities be taken literally?"


@pytest.mark.parametrize(
    ("auc", "low", "mark", "said"),
    [
        (0.55, 0.52, "look", "hardly better than guessing"),
        (0.62, 0.5, "bad", "cannot be told from guessing"),
        (0.65, 0.6, "good", "modest"),
        (0.73, 0.7, "good", "useful"),
        (0.85, 0.8, "good", "that is good"),
        (0.97, 0.9, "look", "a leak is worth looking for"),
    ],
)
def test_order_when_told_then_it_is_judged_by_the_area_and_its_interval(
    auc: float, low: float, mark: str, said: str
) -> None:
    told = checked({"churn": churn(auc, low=low)})[1][ORDER]
    assert said in told.words
    assert f"{100 * auc:.0f} of 100 cases" in told.words
    assert told.mark == mark


@pytest.mark.parametrize(
    ("one", "gain", "mark", "said"),
    [
        (0.6, (0.1, 0.2), "good", "difference +0.150 (95 %: +0.100 – +0.200)"),
        (0.76, (-0.04, 0.02), "look", "difference -0.010 (95 %: -0.040 – +0.020)"),
        (0.8, (-0.08, -0.02), "bad", "Sort by that column instead"),
        (0.745, (0.001, 0.009), "look", "about as well"),
        (0.6, None, "look", "Its interval was not computed"),
    ],
)
def test_model_when_one_column_does_as_well_then_that_is_marked(
    one: float, gain: tuple[float, float] | None, mark: str, said: str
) -> None:
    told = checked({"churn": churn(one=one, gain=gain)})[1][ONE]
    assert told.mark == mark
    assert said in told.words
    assert "x__last" in told.words


@pytest.mark.parametrize(("saved", "mark"), [((0.01, 0.03), "good"), ((-0.01, 0.01), "look"), ((-0.2, -0.1), "bad")])
def test_model_when_the_base_rate_does_as_well_then_that_is_marked(saved: tuple[float, float], mark: str) -> None:
    assert checked({"churn": churn(saved=saved)})[1][BASE].mark == mark


@pytest.mark.parametrize(
    ("predicted", "slope", "mark", "said"),
    [
        (0.22, 1.0, "good", "Yes: on average it predicted 22.0 %"),
        (0.3, 1.0, "look", "but only 20.0 % left"),
        (0.1, 1.0, "look", "but 20.0 % left"),
        (0.2, 0.5, "look", "not at the ends: slope 0.50"),
    ],
)
def test_probabilities_when_level_or_slope_is_off_then_they_are_not_to_be_taken_literally(
    predicted: float, slope: float, mark: str, said: str
) -> None:
    told = checked({"churn": churn(predicted=predicted, slope=slope)})[1][LITERAL]
    assert (told.mark, said in told.words) == (mark, True)


def test_drift_when_only_what_must_grow_drifts_then_nothing_is_amiss() -> None:
    rows = [
        {"feature": "months_known", "psi": 3.0, "severity": "strong"},
        {"feature": "i_use__total", "psi": 2.0, "severity": "strong"},
        {"feature": "i_use__mean_6", "psi": 0.02, "severity": "none"},
    ]
    name = "Are the test's customers like those of the training?"
    calm = checked({"churn": churn()}, churn_drift=rows)[1][name]
    assert (calm.mark, "none of 1 features" in calm.words) == ("good", True)
    strong = [*rows, {"feature": "n_rate__last", "psi": 0.4, "severity": "strong"}]
    moved = checked({"churn": churn()}, churn_drift=strong)[1][name]
    assert (moved.mark, "1 of 2 features drift strongly, most of all n_rate__last (PSI 0.40)" in moved.words) == (
        "look",
        True,
    )


@pytest.mark.parametrize(
    ("report", "name", "mark"),
    [
        (cox(), "Does the survival model help?", "good"),
        (cox(ibs=0.13), "Does the survival model help?", "look"),
        (cox(uno_c=0.49), "Does the survival model help?", "bad"),
        (cox(uno_c=None), "Does the survival model help?", "open"),
        (cox(), "Do classifier and survival model agree?", "good"),
        (cox(rank_correlation=0.5), "Do classifier and survival model agree?", "look"),
        (cox(rank_correlation=0.1), "Do classifier and survival model agree?", "bad"),
        (cox(rank_correlation=None), "Do classifier and survival model agree?", "open"),
    ],
)
def test_survival_when_judged_then_its_mark_follows_from_its_figures(
    report: dict[str, Any], name: str, mark: str
) -> None:
    assert checked({"cox": report})[1][name].mark == mark


@pytest.mark.parametrize(
    ("report", "name", "mark"),
    [
        (cf(), "Are the counterfactuals plausible, and enough?", "good"),
        (cf(plausible=0.5), "Are the counterfactuals plausible, and enough?", "look"),
        (cf(validity=0.1), "Are the counterfactuals plausible, and enough?", "look"),
        (cf(valid=0.0), "Are the counterfactuals plausible, and enough?", "bad"),
        (cf(), "Did such changes ever help?", "good"),
        (cf(difference_high=0.02), "Did such changes ever help?", "look"),
        (cf(difference_low=0.01, difference_high=0.2), "Did such changes ever help?", "bad"),
        (cf() | {"track_record": {"why_not": "Only 2 moved."}}, "Did such changes ever help?", "open"),
    ],
)
def test_counterfactuals_when_judged_then_their_mark_follows_from_their_figures(
    report: dict[str, Any], name: str, mark: str
) -> None:
    assert checked({"cf": report})[1][name].mark == mark


def test_verdict_when_all_is_well_then_it_says_so_and_what_has_not_run_is_not_known() -> None:
    overall, checks = checked({"churn": churn(), "cox": cox()})
    assert (overall.kind, overall.words) == ("good", "Nothing that was checked speaks against it.")
    assert checks["Counterfactuals"].mark == "open"


def test_verdict_when_something_is_amiss_then_it_names_that() -> None:
    overall, _ = checked({"churn": churn(one=0.76, gain=(-0.04, 0.02)), "cox": cox()})
    assert (overall.kind, overall.words) == (
        "look",
        "Usable with care. What wants a look first: “Is it better than one column?”",
    )
    overall, _ = checked({"churn": churn(one=0.8, gain=(-0.08, -0.02)), "cox": cox(rank_correlation=0.5)})
    assert (overall.kind, "Is it better than one column" in overall.words) == ("bad", True)
    overall, _ = checked({"churn": churn(trusted=False)})
    assert (overall.kind, overall.words.startswith("Not to be trusted")) == ("bad", True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_verdict_when_told_in_a_language_then_all_of_it_is(language: str) -> None:
    t = Catalogue([TEXTS]).texts(language)
    overall, checks = checked({"churn": churn(), "cox": cox(), "cf": cf()}, t)
    assert len(checks) == 10
    assert overall.words == t("churn_report.overall_good")


def test_grade_when_the_area_is_on_an_edge_then_it_is_the_better_one() -> None:
    assert [grade(edge) for edge in (0.6, 0.7, 0.8, 0.9)] == ["modest", "useful", "good", "suspicious"]
