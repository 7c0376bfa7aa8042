"""The survival pipeline from the inputs folder to the artifacts folder; `pipelines/cox/main.py` calls `run_cox`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ..domain.month import Month, MonthError
from .configuration import Experiment, read_experiment
from .consistency import compare_probabilities
from .cox import Cox, fit_cox, proportionality_test, screen_covariates
from .cox_told import fit_metrics, reference_words
from .landmarks import Followed, covariate_names, covariates, follow, follow_all
from .panel import Doubles, Panel, read_panel, yyyymm
from .problems import Refusal
from .results import Results, Tell
from .survival import (
    brier_curve,
    conditional_survival,
    dynamic_auc,
    harrell_concordance,
    kaplan_meier,
    median_life,
    restricted_mean,
    uno_concordance,
)

PHASES = ("read", "fit", "test", "predict", "write")
SURVIVED = (6, 12)
"""Months for which remaining life is also told to those who will have survived them."""
STRETCHES = (1, 3, 6, 12, 18, 24)
"""Months at which the stretches of `months_to_churn` end."""


@dataclass(frozen=True)
class Fitted:
    """The model and the data it came from."""

    model: Cox
    rows: Followed
    matrix: Doubles
    names: tuple[str, ...]
    medians: Doubles
    dropped: list[dict[str, str]]


def run_cox(inputs: Path, artifacts: Path, tell: Tell) -> None:
    """Compute one experiment's survival analysis.

    Raises:
        Refusal: it cannot be computed; the reason names the column or month.
    """

    def phase(index: int) -> None:
        tell(progress=index / len(PHASES), step=PHASES[index], total=len(PHASES))

    phase(0)
    experiment = read_experiment(inputs)
    panel = read_panel(inputs / "panel.parquet", experiment.dynamic, experiment.static)
    cutoff = cutoff_of(experiment)
    results = Results(artifacts, experiment.id)
    phase(1)
    seen = panel.between(experiment.training_from, cutoff - 1)
    fitted = fit_landmarks(experiment, seen, cutoff)
    ph = proportionality_test(fitted.model, fitted.rows.durations, fitted.rows.events, fitted.matrix, fitted.names)
    phase(2)
    test, brier_table = out_of_time(experiment, panel, seen, fitted, cutoff)
    phase(3)
    predicted, matrix = predict_customers(experiment, seen, fitted, cutoff)
    phase(4)
    tables = {
        "cox_hazard_ratios": fitted.model.table(),
        "cox_dropped_covariates": fitted.dropped,
        "cox_ph_test": ph,
        "cox_brier": brier_table,
        "cox_survival_curves": curves_by_risk(fitted),
        "cox_months_to_churn": months_to_churn(fitted, matrix),
    }
    for name, rows in tables.items():
        results.table(name, rows)
    results.table("cox_prioritization_results", predicted)
    results.table(
        "cox_survival",
        {
            "Kunde": panel.customers[fitted.rows.customers],
            "landmark": np.array([yyyymm(int(month)) for month in fitted.rows.landmarks]),
            "duration": fitted.rows.durations,
            "event": fitted.rows.events.astype(np.int64),
        },
    )
    metrics = {
        **fit_metrics(fitted.model, fitted.rows),
        **{name: value for name, value in test.items() if isinstance(value, int | float)},
    }
    results.table("cox_analysis_metrics", [{"metric": name, "value": float(value)} for name, value in metrics.items()])
    consistency = _consistency(experiment, inputs, results, seen, fitted)
    results.report(
        {
            "pipeline": "cox",
            "cutoff_exclusive": yyyymm(cutoff),
            "metrics": metrics,
            "hazard_ratios": fitted.model.table(),
            "reference_words": reference_words(fitted.model, panel.levels),
            "ties": "efron",
            "standard_errors": "robust, clustered by customer",
            "proportional_hazards": ph,
            "dropped_covariates": fitted.dropped,
            "landmarks": [yyyymm(int(month)) for month in np.unique(fitted.rows.landmarks)],
            "out_of_time": test,
            "longest_follow_up_months": float(fitted.model.times[-1]),
            "consistency": consistency,
            "notes": list(panel.notes),
        }
    )
    tell(progress=1.0, step="done", total=len(PHASES))


def cutoff_of(experiment: Experiment) -> int:
    """The first counted month that the analysis must not see: as configured, else the month after the training window."""
    given = experiment.settings.cutoff_exclusive
    if given is None:
        return experiment.training_to + 1
    try:
        cutoff = Month.parse(given).index
    except MonthError as error:
        raise Refusal(f"cutoff_exclusive: {error}", "Correct the configuration.") from error
    if cutoff <= experiment.training_from + 1:
        raise Refusal(
            f"cutoff_exclusive {given} leaves no month after {yyyymm(experiment.training_from)}.",
            "Choose a later cutoff.",
        )
    return cutoff


def fit_landmarks(experiment: Experiment, seen: Panel, cutoff: int) -> Fitted:
    """The model of all landmarks before the cutoff; `seen` ends in the month before it."""
    settings = experiment.settings
    earliest = max(experiment.training_from + settings.history_months - 1, seen.first_month)
    landmarks = range(cutoff - 2, earliest - 1, -settings.landmark_step)
    if not landmarks:
        raise Refusal(
            f"No landmark between {yyyymm(earliest)} and the cutoff {yyyymm(cutoff)}.",
            "Choose a later cutoff, or lower history_months.",
        )
    rows = follow_all(seen, sorted(landmarks), cutoff)
    names = covariate_names(seen, settings.cox_covariates)
    raw = covariates(seen, rows, settings.cox_covariates)
    known = ~np.isnan(raw)
    dropped = [{"covariate": names[i], "reason": "never known"} for i in np.flatnonzero(~known.any(axis=0))]
    kept = np.flatnonzero(known.any(axis=0))
    medians = np.full(len(names), np.nan)
    medians[kept] = np.nanmedian(raw[:, kept], axis=0)
    matrix = np.where(known, raw, medians)
    independent, unfit = screen_covariates(matrix[:, kept], [names[i] for i in kept])
    dropped += unfit
    kept = kept[independent]
    if not len(kept):
        reasons = "; ".join(f"{row['covariate']}: {row['reason']}" for row in dropped)
        raise Refusal(f"No covariate can be fitted: {reasons}.", "Take in a column that tells customers apart.")
    if settings.cox_covariates is None and len(kept) > settings.most_covariates:
        kept, weaker = _strongest(matrix, rows, kept, names, settings.most_covariates)
        dropped += weaker
    chosen = tuple(names[i] for i in kept)
    model = fit_cox(rows.durations, rows.events, matrix[:, kept], chosen, ridge=settings.ridge, clusters=rows.customers)
    dropped += list(model.dropped)
    final = [i for i in kept if names[i] in model.names]
    return Fitted(model, rows, matrix[:, final], tuple(names[i] for i in final), medians, dropped)


def _strongest(
    matrix: Doubles, rows: Followed, kept: np.ndarray, names: tuple[str, ...], most: int
) -> tuple[np.ndarray, list[dict[str, str]]]:
    """The covariates that each explain most alone, by the likelihood ratio; the weaker ones are named."""
    worth = [
        fit_cox(rows.durations, rows.events, matrix[:, [i]], [names[i]], ridge=1e-6).likelihood_ratio[0] for i in kept
    ]
    order = np.argsort(-np.array(worth), kind="stable")
    weaker = [
        {"covariate": names[kept[i]], "reason": f"weaker alone than the {most} fitted (most_covariates)"}
        for i in order[most:]
    ]
    return np.sort(kept[order[:most]]), weaker


def matrix_for(experiment: Experiment, panel: Panel, fitted: Fitted, rows: Followed) -> Doubles:
    """Covariates of other rows as the model takes them, unknown values filled with the training's medians."""
    names = covariate_names(panel, experiment.settings.cox_covariates)
    raw = covariates(panel, rows, experiment.settings.cox_covariates)
    filled = np.where(np.isnan(raw), fitted.medians, raw)
    return np.asarray(filled[:, [names.index(name) for name in fitted.names]])


def out_of_time(
    experiment: Experiment, panel: Panel, seen: Panel, fitted: Fitted, cutoff: int
) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """How well customers alive just before the cutoff are ranked and predicted in the months from it on.

    Returns:
        Measures, and the Brier score by month. Without months after the cutoff the measures say so and the table is empty.
    """
    if panel.last_month < cutoff:
        return {"why_not": f"The panel ends before the cutoff {yyyymm(cutoff)}: nothing to test on."}, []
    rows = follow(panel.between(seen.first_month, experiment.backtest_to), cutoff - 1, panel.last_month + 1)
    if not rows.events.any():
        return {"why_not": "Nobody churned after the cutoff: nothing to rank."}, []
    matrix = matrix_for(experiment, seen, fitted, rows)
    longest = float(rows.durations.max())
    risk = fitted.model.log_risk(matrix)
    grid = np.arange(1.0, max(experiment.settings.horizons) + 1)
    curve = brier_curve(rows.durations, rows.events, grid, fitted.model.survival(matrix, grid))
    empty = kaplan_meier(fitted.rows.durations, fitted.rows.events)[0].at(grid)
    reference = brier_curve(rows.durations, rows.events, grid, np.tile(empty, (len(matrix), 1)))
    test: dict[str, Any] = {
        "test_customers": len(rows.events),
        "test_events": int(rows.events.sum()),
        "harrell_c": harrell_concordance(rows.durations, rows.events, risk),
        "uno_c": uno_concordance(rows.durations, rows.events, risk, longest + 1),
        "uno_limit_months": longest,
        "ibs": curve.integrated,
        "ibs_kaplan_meier": reference.integrated,
        "ibs_from_month": float(curve.times[0]) if len(curve.times) else None,
        "ibs_to_month": float(curve.times[-1]) if len(curve.times) else None,
        "ibs_clipped_months": curve.left_out.tolist(),
        "in_sample_harrell_c": harrell_concordance(
            fitted.rows.durations, fitted.rows.events, fitted.model.log_risk(fitted.matrix)
        ),
    }
    for horizon in experiment.settings.horizons:
        test[f"auc_{horizon}m"] = (
            dynamic_auc(rows.durations, rows.events, risk, float(horizon)) if horizon <= longest else None
        )
    table = [
        {"month": float(t), "brier": float(b), "brier_kaplan_meier": float(r)}
        for t, b, r in zip(curve.times, curve.scores, reference.scores, strict=True)
    ]
    test["calibration"] = _calibration(experiment, fitted, rows, matrix, longest)
    return test, table


def _calibration(
    experiment: Experiment, fitted: Fitted, rows: Followed, matrix: Doubles, longest: float
) -> list[dict[str, Any]]:
    """Mean predicted against observed risk (Kaplan-Meier) in fifths of predicted risk, at each observed horizon."""
    table = []
    for horizon in experiment.settings.horizons:
        if horizon > longest or horizon > fitted.model.times[-1]:
            continue
        risk = 1 - fitted.model.survival(matrix, np.array([float(horizon)]))[:, 0]
        fifth = np.searchsorted(np.quantile(risk, [0.2, 0.4, 0.6, 0.8]), risk, side="right")
        for number in np.unique(fifth):
            inside = fifth == number
            curve, _ = kaplan_meier(rows.durations[inside], rows.events[inside])
            observed = 1 - float(curve.at(np.array([float(horizon)]))[0])
            table.append(
                {
                    "horizon": horizon,
                    "fifth": int(number) + 1,
                    "customers": int(inside.sum()),
                    "predicted": float(risk[inside].mean()),
                    "observed": observed,
                }
            )
    return table


def predict_customers(
    experiment: Experiment, seen: Panel, fitted: Fitted, cutoff: int
) -> tuple[dict[str, Any], Doubles]:
    """Risk, restricted mean and remaining life of everyone alive just before the cutoff; given that they survived so far.

    A horizon past the longest follow-up of the training is not known: its column is null.

    Returns:
        The columns, a row per customer; and the covariates, shape (customers, covariates).
    """
    settings, model = experiment.settings, fitted.model
    alive = np.flatnonzero(seen.alive[:, seen.column(cutoff - 1)] == 1)
    if not len(alive):
        raise Refusal(f"Nobody is alive in {yyyymm(cutoff - 1)}.", "Choose an earlier cutoff.")
    rows = Followed(alive, np.full(len(alive), cutoff - 1), np.ones(len(alive)), np.zeros(len(alive), dtype=np.int8))
    matrix = matrix_for(experiment, seen, fitted, rows)
    survival = model.survival(matrix, model.times)
    longest = float(fitted.rows.durations.max())
    nothing = np.full(len(alive), np.nan)
    table: dict[str, Any] = {
        "Kunde": seen.customers[alive],
        "cutoff_exclusive": np.full(len(alive), yyyymm(cutoff)),
        "log_risk": model.log_risk(matrix),
    }
    for horizon in settings.horizons:
        at = 1 - model.survival(matrix, np.array([float(horizon)]))[:, 0]
        table[f"P_Event_{horizon}m"] = at if horizon <= longest else nothing
    for horizon in settings.rmst_horizons:
        mean = restricted_mean(model.times, survival, float(horizon))
        table[f"RMST_{horizon}m"] = mean if horizon <= longest else nothing
    table["median_remaining_months"] = median_life(model.times, survival)
    table["remaining_months_restricted"] = restricted_mean(model.times, survival, longest)
    table["restricted_to_months"] = np.full(len(alive), longest)
    for survived in SURVIVED:
        if survived < longest:
            times, curve = conditional_survival(model.times, survival, float(survived))
            table[f"remaining_months_if_alive_at_{survived}m"] = restricted_mean(times, curve, longest - survived)
    order = np.argsort(np.argsort(table["log_risk"], kind="stable"), kind="stable")
    table["PriorityScore"] = 100 * order / max(1, len(alive) - 1)
    return table, matrix


def months_to_churn(fitted: Fitted, matrix: Doubles) -> list[dict[str, Any]]:
    """How many of the customers alive now are expected to churn how soon: sums of 1 - S over them, and who outlasts what is known.

    Returns:
        One row per stretch of `STRETCHES` that the follow-up reaches into, ending there; the last one is open (`to_month` null).
    """
    longest = float(fitted.rows.durations.max())
    ends = [float(end) for end in STRETCHES if end < longest] + [longest]
    left = fitted.model.survival(matrix, np.array(ends)).sum(axis=0)
    everyone = float(len(matrix))
    edges, counts = [0.0, *ends], [everyone, *left.tolist()]
    rows = [
        {"from_month": edges[at], "to_month": edges[at + 1], "expected_customers": counts[at] - counts[at + 1]}
        for at in range(len(ends))
    ]
    rows.append({"from_month": longest, "to_month": None, "expected_customers": counts[-1]})
    return [row | {"share": row["expected_customers"] / everyone} for row in rows]


def curves_by_risk(fitted: Fitted) -> list[dict[str, Any]]:
    """Kaplan-Meier curves with limits of thirds of the predicted risk, beside the model's mean curve of each."""
    risk = fitted.model.log_risk(fitted.matrix)
    third = np.searchsorted(np.quantile(risk, [1 / 3, 2 / 3]), risk, side="right")
    rows = []
    for number, name in enumerate(("low", "medium", "high")):
        inside = third == number
        if not inside.any():
            continue
        curve, limits = kaplan_meier(fitted.rows.durations[inside], fitted.rows.events[inside])
        modelled = fitted.model.survival(fitted.matrix[inside], curve.times).mean(axis=0)
        at_risk = [int((fitted.rows.durations[inside] >= time).sum()) for time in curve.times]
        rows += [
            {
                "group": name,
                "month": float(time),
                "survival": float(value),
                "low": float(low),
                "high": float(high),
                "modelled": float(model),
                "at_risk": count,
            }
            for time, value, (low, high), model, count in zip(
                curve.times, curve.values, limits, modelled, at_risk, strict=True
            )
        ]
    return rows


def _consistency(experiment: Experiment, inputs: Path, results: Results, seen: Panel, fitted: Fitted) -> dict[str, Any]:
    """The same customers and window, asked of the classifier and of the survival model."""
    folder = inputs / "churn"
    if not (folder / "tables" / "backtest_results.parquet").exists():
        return {"why_not": "The experiment has no churn run yet."}
    contract = json.loads((folder / "feature_contract.json").read_text(encoding="utf-8"))
    anchor = Month.parse(contract["features_until"]).index
    gap, horizon = float(contract["gap_months"]), float(contract["horizon_months"])
    if contract["outcome"] != "any" or contract["population"] != "alive":
        return {"why_not": "The classifier counts only the end of the window, or customers who are not alive."}
    if anchor > seen.last_month:
        return {"why_not": f"The classifier looks from {yyyymm(anchor)}, after the cutoff of the survival model."}
    if gap + horizon > float(fitted.rows.durations.max()):
        return {"why_not": "The classifier's window is longer than the survival model's follow-up."}
    table = pq.read_table(folder / "tables" / "backtest_results.parquet")
    keys = table.column("Kunde").to_numpy(zero_copy_only=False)
    place = np.minimum(np.searchsorted(seen.customers, keys), len(seen.customers) - 1)
    there = seen.customers[place] == keys
    rows = Followed(
        place[there],
        np.full(int(there.sum()), anchor),
        np.ones(int(there.sum())),
        np.zeros(int(there.sum()), dtype=np.int8),
    )
    matrix = matrix_for(experiment, seen, fitted, rows)
    reached, ended = fitted.model.survival(matrix, np.array([gap, gap + horizon])).T
    summary, columns = compare_probabilities(
        table.column("churn_probability").to_numpy()[there],
        1 - ended / reached,
        table.column("churned").to_numpy()[there].astype(np.int8),
    )
    results.table("churn_cox_consistency", {"Kunde": keys[there], **columns})
    return summary
