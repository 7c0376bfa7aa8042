import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.datasets import load_rossi
from lifelines.statistics import proportional_hazard_test

from fastflow.apps.churn.method.cox import fit_cox, proportionality_test, score_residuals
from fastflow.apps.churn.method.problems import Refusal
from fastflow.apps.churn.method.survival import harrell_concordance

NAMES = ("fin", "age", "race", "wexp", "mar", "paro", "prio")


@pytest.fixture(scope="module")
def rossi() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = load_rossi()
    return (
        table["week"].to_numpy(float),
        table["arrest"].to_numpy(np.int8),
        table[list(NAMES)].to_numpy(float),
    )


def test_cox_when_fitted_to_rossi_then_it_is_the_published_table(
    rossi: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Rossi et al. 1980 as printed in lifelines' documentation (Efron's ties), and in Fox and Weisberg's appendix."""
    durations, events, matrix = rossi
    model = fit_cox(durations, events, matrix, NAMES)
    published = {
        "fin": (-0.379, 0.191),
        "age": (-0.057, 0.022),
        "race": (0.314, 0.308),
        "wexp": (-0.150, 0.212),
        "mar": (-0.434, 0.382),
        "paro": (-0.085, 0.196),
        "prio": (0.091, 0.029),
    }
    for row in model.table():
        assert (row["coefficient"], row["standard_error"]) == pytest.approx(published[row["covariate"]], abs=6e-4)
    assert model.log_likelihood == pytest.approx(-658.748, abs=1e-3)
    statistic, freedom, _ = model.likelihood_ratio
    assert freedom == 7 and statistic == pytest.approx(33.27, abs=0.01)
    assert -2 * model.log_likelihood + 2 * freedom == pytest.approx(1331.50, abs=0.01)
    assert harrell_concordance(durations, events, model.log_risk(matrix)) == pytest.approx(0.64, abs=0.005)


def test_proportionality_when_tested_on_rossi_then_age_and_work_experience_are_flagged_as_lifelines_does(
    rossi: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """lifelines' notebook on proportional hazards prints p .0007 for age over ranks of time and .0009 over Kaplan-Meier's curve,
    .0063 for wexp over that curve, which is ours."""
    durations, events, matrix = rossi
    model = fit_cox(durations, events, matrix, NAMES)
    found = {row["covariate"]: row for row in proportionality_test(model, durations, events, matrix, NAMES)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = load_rossi()
        fitter = CoxPHFitter().fit(table, "week", "arrest")
        reference = proportional_hazard_test(fitter, table, time_transform="km").summary
    for name in NAMES:
        assert found[name]["p"] == pytest.approx(reference.loc[name, "p"], abs=1e-4)
    assert found["age"]["p"] == pytest.approx(0.0009, abs=5e-5)
    assert found["wexp"]["p"] == pytest.approx(0.0063, abs=5e-5)
    assert [name for name in NAMES if found[name]["violated"]] == ["age", "wexp"]


def test_robust_errors_when_no_times_are_tied_then_they_are_those_of_lifelines(
    rossi: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    durations, events, matrix = rossi
    apart = durations + np.arange(len(durations)) * 1e-4
    clusters = np.arange(len(durations)) // 2
    model = fit_cox(apart, events, matrix, NAMES, clusters=clusters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = load_rossi().assign(week=apart, couple=clusters)
        reference = CoxPHFitter().fit(table, "week", "arrest", cluster_col="couple").summary["se(coef)"]
    assert model.standard_errors == pytest.approx(reference[list(NAMES)].to_numpy(), rel=1e-3)


@settings(max_examples=40)
@given(st.integers(0, 2**31))
def test_score_residuals_when_summed_then_they_are_the_gradient_which_is_nought_at_the_estimate(seed: int) -> None:
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(60, 2))
    durations = generator.integers(1, 6, 60).astype(float)  # many ties
    events = (generator.random(60) < 0.6).astype(np.int8)
    events[0] = 1
    model = fit_cox(durations, events, matrix, ("a", "b"))
    if len(model.names) == 2:
        residuals = score_residuals(matrix, model.coefficients, durations, events)
        assert residuals.sum(axis=0) == pytest.approx([0, 0], abs=1e-6)
        order = generator.permutation(60)
        again = fit_cox(durations[order], events[order], matrix[order], ("a", "b"))
        assert again.coefficients == pytest.approx(model.coefficients, abs=1e-8)


def test_columns_when_they_repeat_combine_or_separate_then_each_is_named_and_the_rest_is_fitted() -> None:
    """As in the Telco data, where "no internet service" is the same column six times and other tools end with a singular
    matrix."""
    generator = np.random.default_rng(1)
    internet = generator.integers(0, 2, 400).astype(float)
    size, age = generator.normal(size=400), generator.normal(size=400)
    durations = generator.integers(1, 30, 400).astype(float)
    events = (generator.random(400) < 0.5).astype(np.int8)
    durations = np.where(events == 1, np.maximum(1, durations // 2), durations)
    untouchable = np.where(events == 1, 0.0, generator.integers(0, 2, 400))
    columns = {
        "no_internet_backup": internet,
        "size": size,
        "no_internet_security": internet.copy(),
        "no_internet_streaming": internet.copy(),
        "age": age,
        "mixed": 2 * size - age,
        "always": np.ones(400),
        "untouchable": untouchable,
    }
    model = fit_cox(durations, events, np.column_stack(list(columns.values())), tuple(columns))
    reasons = {row["covariate"]: row["reason"] for row in model.dropped}
    assert model.names == ("no_internet_backup", "size", "age")
    assert reasons["no_internet_security"] == "collinear: the same as no_internet_backup"
    assert reasons["no_internet_streaming"] == "collinear: the same as no_internet_backup"
    assert reasons["mixed"] == "collinear: a combination of size, age"
    assert reasons["always"] == "constant"
    assert reasons["untouchable"].startswith("separating")


@pytest.mark.parametrize(
    ("events", "matrix", "problem"),
    [
        ([0, 0, 0], [[1.0], [2.0], [3.0]], "All 3 subjects are censored"),
        ([1, 0, 1], [[1.0], [float("nan")], [3.0]], "size holds values that are not finite"),
        ([1, 0, 1], [[1.0], [1.0], [1.0]], "size: constant"),
    ],
)
def test_data_when_nothing_can_be_fitted_then_it_says_why(
    events: list[int], matrix: list[list[float]], problem: str
) -> None:
    with pytest.raises(Refusal, match=problem):
        fit_cox(np.array([1.0, 2.0, 3.0]), np.array(events, dtype=np.int8), np.array(matrix), ("size",))


def test_robust_wald_when_rows_are_repeated_then_it_knows_while_the_likelihood_ratio_doubles(
    rossi: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    durations, events, matrix = rossi
    who = np.arange(len(durations))
    table = load_rossi()[["week", "arrest", "age"]]
    reference = CoxPHFitter().fit(table, "week", "arrest", robust=True).summary.loc["age"]
    age = fit_cox(durations, events, matrix[:, [NAMES.index("age")]], ("age",), clusters=who)
    (told,) = age.table()
    assert age.robust_wald[0] == pytest.approx(told["z"] ** 2)
    assert age.robust_wald[0] == pytest.approx(reference["z"] ** 2, rel=0.03)  # its residuals are without Efron's ties
    assert age.robust_wald[1] == 1
    assert age.robust_wald[2] == pytest.approx(told["p"])
    once = fit_cox(durations, events, matrix, NAMES, clusters=who)
    statistic, freedom, _ = once.robust_wald
    assert freedom == 7
    twice = fit_cox(np.tile(durations, 2), np.tile(events, 2), np.tile(matrix, (2, 1)), NAMES, clusters=np.tile(who, 2))
    assert twice.robust_wald[0] == pytest.approx(statistic, rel=0.05)
    assert twice.likelihood_ratio[0] > 1.8 * once.likelihood_ratio[0]


def test_hazard_ratios_when_told_per_standard_deviation_then_a_column_in_other_units_tells_the_same(
    rossi: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    durations, events, matrix = rossi
    scaled = matrix.copy()
    scaled[:, NAMES.index("age")] *= 1000
    (before,), (after,) = (
        [row for row in fit_cox(durations, events, each, NAMES).table() if row["covariate"] == "age"]
        for each in (matrix, scaled)
    )
    for name in ("hazard_ratio_per_sd", "hazard_ratio_per_sd_low", "hazard_ratio_per_sd_high"):
        assert after[name] == pytest.approx(before[name])
    assert before["hazard_ratio_per_sd_low"] < before["hazard_ratio_per_sd"] < before["hazard_ratio_per_sd_high"]
    assert after["hazard_ratio"] == pytest.approx(1, abs=1e-3)
    assert after["standard_deviation"] == pytest.approx(1000 * before["standard_deviation"])
