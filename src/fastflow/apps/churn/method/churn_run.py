"""The churn pipeline from the inputs folder to the artifacts folder; `pipelines/churn/main.py` calls `run_churn`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..domain.month import Month
from .backtest import Trained, backtest_sample, gather, train, training_panel
from .budget import row_limit
from .canaries import Canaries, best_single_feature, run_canaries
from .configuration import Experiment, read_experiment
from .deployed import TOLERANCE, contract_text, feature_contract
from .early_signs import early_signs
from .export import export_onnx
from .features import FeatureSet, feature_set, usable_windows
from .findings import (
    BANDS,
    band_edges,
    band_table,
    bands_of,
    drift_table,
    top_reasons,
    trend_per_year,
)
from .models import KINDS, ever_known, fit_model
from .paired import paired_gains
from .panel import Panel, read_panel, yyyymm
from .problems import Refusal
from .results import Results, Tell
from .scores import (
    bootstrap_intervals,
    calibration_bins,
    lift_table,
    profit_curve,
    rank,
    ranking_curve,
    ranking_scores,
    score_report,
)
from .tested import Tested, ask_deployed
from .thresholds import choose_thresholds, confusion
from .windows import Outcome, Plan, Population, audit_windows, plan_windows

PHASES = ("read", "train", "rolling origins", "test", "canaries", "write")


def run_churn(inputs: Path, artifacts: Path, tell: Tell) -> None:
    """Compute one experiment.

    Raises:
        Refusal: the experiment cannot be computed, or a leak canary sang (then the report is there, the model is not).
    """

    def phase(index: int) -> None:
        tell(progress=index / len(PHASES), step=PHASES[index], total=len(PHASES))

    phase(0)
    experiment = read_experiment(inputs)
    settings = experiment.settings
    results = Results(artifacts, experiment.id)
    panel = read_panel(inputs / "panel.parquet", experiment.dynamic, experiment.static)
    plan = plan_of(experiment)
    windows = usable_windows(experiment.windows, plan.anchors[0] - plan.training_from + 1)
    features = feature_set(panel, windows)
    phase(1)
    trained, contest = _train(experiment, panel, plan, features)
    phase(2)
    rolling = rolling_origins(experiment, panel, plan, features, trained.model.kind)
    phase(3)
    sample, outcomes = backtest_sample(panel, plan, features)
    graph = export_onnx(trained.model, len(features.names))
    tested = ask_deployed(trained, sample, graph, features)
    base_rate = float(trained.sample.churned.mean())
    scores = score_report(tested.predicted, sample.churned, base_rate)
    intervals = bootstrap_intervals(
        tested.predicted, sample.churned, sample.customers, replicates=settings.bootstrap_replicates, seed=settings.seed
    )
    thresholds = choose_thresholds(
        trained.validation, trained.validation_churned, miss_cost=settings.miss_cost, capacity=settings.capacity
    )
    phase(4)
    canaries = run_canaries(panel, plan, features, trained, sample, scores["roc_auc"], seed=settings.seed)
    phase(5)
    _write_tables(results, experiment, panel, plan, features, trained, tested, thresholds, scores, intervals)
    _write_comparison(results, contest, rolling, canaries, scores)
    results.report(
        {
            "pipeline": "churn",
            "model_type": trained.model.kind,
            "metrics": scores,
            "intervals": intervals,
            "baseline": _baselines(experiment, trained, tested, features, base_rate),
            "validation": {
                "how": trained.validation_how,
                **score_report(trained.validation, trained.validation_churned, base_rate),
            },
            "calibration": {"slope": trained.model.slope, "intercept": trained.model.intercept},
            "thresholds": thresholds,
            "audit": audit_windows(plan, dict(trained.outcomes), outcomes)
            | {
                "training_fingerprint": trained.fingerprint,
                "training_rows": trained.rows_told(),
                "validation": trained.validation_how,
            },
            "canaries": asdict(canaries),
            "trusted": not canaries.alarms,
            "rolling_origins": rolling,
            "rolling_trend": rolling_trend(rolling),
            "dropped_features": trained.dropped,
            "features": len(features.names),
            "windows_months": windows,
            "windows_left_out": sorted(set(experiment.windows) - set(windows)),
            "model": {"onnx_largest_difference": tested.largest_difference, "tolerance": TOLERANCE},
            "notes": list(panel.notes),
        }
    )
    if canaries.alarms and settings.on_leak == "refuse":
        raise Refusal(
            "The result is not to be trusted. " + " ".join(canaries.alarms),
            "Correct the data, or set on_leak to report and read the report with care.",
        )
    results.content("model.onnx", graph)
    results.text(
        "feature_contract.json", contract_text(_contract(experiment, plan, features, trained, graph, thresholds))
    )
    tell(progress=1.0, step="done", total=len(PHASES))


def plan_of(experiment: Experiment) -> Plan:
    """The anchors of an experiment."""
    settings = experiment.settings
    return plan_windows(
        training_from=experiment.training_from,
        training_to=experiment.training_to,
        backtest_from=experiment.backtest_from,
        backtest_to=experiment.backtest_to,
        embargo=settings.embargo_months,
        history=settings.history_months,
        most_anchors=settings.most_anchors,
        outcome=cast(Outcome, settings.outcome),
        population=cast(Population, settings.population),
    )


def _train(
    experiment: Experiment, panel: Panel, plan: Plan, features: FeatureSet
) -> tuple[Trained, list[dict[str, Any]]]:
    """The chosen model; with model_type auto, the one with the best ROC-AUC in validation, and what each earned there."""
    settings = experiment.settings
    seen = training_panel(panel, plan)
    kinds = KINDS if experiment.model_type == "auto" else (experiment.model_type,)
    best: tuple[float, Trained] | None = None
    contest = []
    for kind in kinds:
        trained = train(
            seen,
            plan,
            features,
            kind,
            seed=settings.seed,
            most_rows=settings.most_training_rows,
            parameters=settings.model_parameters if len(kinds) == 1 else {},
        )
        auc = ranking_scores(rank(trained.validation, trained.validation_churned))[0]
        contest.append({"model_type": kind, "validation_roc_auc": auc})
        if best is None or auc > best[0]:
            best = (auc, trained)
    assert best is not None  # there is always at least one kind
    return best[1], contest


def rolling_origins(
    experiment: Experiment, panel: Panel, plan: Plan, features: FeatureSet, kind: str
) -> list[dict[str, Any]]:
    """The same backtest as if made in earlier months: train on what was known then, test on the horizon after.

    Returns:
        One row per origin, oldest first; an origin too early for training or without both outcomes is left out.
    """
    settings, task = experiment.settings, plan.task
    rows = []
    for back in range(settings.rolling_origins, 0, -1):
        origin = plan.test_anchor - back * max(1, task.horizon // 2)
        latest = origin - task.gap - task.horizon
        earliest = plan.training_from + settings.history_months - 1
        if origin + task.gap + task.horizon > plan.backtest_to or latest < earliest:
            continue
        try:
            known = panel.between(plan.training_from, origin)
            fitted, _ = gather(
                known,
                tuple(range(max(earliest, latest - settings.most_anchors + 1), latest + 1)),
                task,
                features,
                most_rows=row_limit(known, features, min(settings.most_training_rows, 50_000)).rows,
                seed=settings.seed,
            )
            seen = panel.between(plan.training_from, origin + task.gap + task.horizon)
            tested, _ = gather(
                seen, (origin,), task, features, most_rows=settings.most_training_rows, seed=settings.seed
            )
            columns = ever_known(fitted.features)
            model = fit_model(kind, fitted.features, fitted.churned, columns, seed=settings.seed)
        except Refusal:
            continue  # too little was known at that origin: it has no row, and the report shows which origins do
        auc, ap = ranking_scores(rank(model.raw_log_odds(tested.features), tested.churned))
        rows.append(
            {
                "origin": yyyymm(origin),
                "customers": len(tested.churned),
                "base_rate": float(tested.churned.mean()),
                "roc_auc": auc,
                "pr_auc": ap,
            }
        )
    return rows


def rolling_trend(rows: list[dict[str, Any]]) -> dict[str, dict[str, float] | None]:
    """Whether the measures rise or fall from origin to origin: change per year with its interval; None with too few origins."""
    months = np.array([Month.parse(row["origin"]).index for row in rows], dtype=np.float64)
    return {
        name: trend_per_year(months, np.array([row[name] for row in rows], dtype=np.float64))
        for name in ("roc_auc", "pr_auc", "base_rate")
    }


def _baselines(
    experiment: Experiment, trained: Trained, tested: Tested, features: FeatureSet, base_rate: float
) -> dict[str, Any]:
    """What needs no model: everybody's base rate, and one feature, the best one of the training; and what the model gains."""
    fitted, sample, settings = trained.sample, tested.sample, experiment.settings
    name, _ = best_single_feature(fitted, features.names)
    best = features.names.index(name) if name else int(trained.model.columns[0])
    single = fit_model("logistic", fitted.features, fitted.churned, np.array([best]), seed=0)
    predicted = single.predict(sample.features)
    nobody = np.full(len(sample.churned), base_rate)
    constant = score_report(nobody, sample.churned, base_rate)
    return {
        "gains": paired_gains(
            tested.predicted,
            {"base_rate": nobody, "one_feature": predicted},
            sample.churned,
            sample.customers,
            replicates=settings.bootstrap_replicates,
            seed=settings.seed,
        ),
        "base_rate": {"roc_auc": 0.5, "brier": constant["brier"], "log_loss": constant["log_loss"]},
        "one_feature": {"feature": features.names[best], **score_report(predicted, sample.churned, base_rate)},
    }


def _contract(
    experiment: Experiment,
    plan: Plan,
    features: FeatureSet,
    trained: Trained,
    graph: bytes,
    thresholds: Mapping[str, float],
) -> dict[str, Any]:
    facts = {
        "experiment_id": experiment.id,
        "model_type": trained.model.kind,
        "thresholds": dict(thresholds),
        "training_from": yyyymm(plan.training_from),
        "training_to": yyyymm(plan.training_to),
        "features_until": yyyymm(plan.test_anchor),
        "backtest_from": yyyymm(plan.backtest_from),
        "backtest_to": yyyymm(plan.backtest_to),
        "gap_months": plan.task.gap,
        "horizon_months": plan.task.horizon,
        "outcome": plan.task.outcome,
        "population": plan.task.population,
        "reference": trained.reference.astype(float).tolist(),
    }
    return feature_contract(features, graph, facts)


def _write_tables(
    results: Results,
    experiment: Experiment,
    panel: Panel,
    plan: Plan,
    features: FeatureSet,
    trained: Trained,
    tested: Tested,
    thresholds: Mapping[str, float],
    scores: Mapping[str, float],
    intervals: Mapping[str, Mapping[str, float]],
) -> None:
    settings, sample, predicted = experiment.settings, tested.sample, tested.predicted
    edges = band_edges(trained.validation)
    bands = [BANDS[index] for index in bands_of(predicted, edges)]
    keys = panel.customers[sample.customers]
    months = np.full(len(keys), yyyymm(plan.test_anchor))
    results.table(
        "backtest_results",
        {
            "Kunde": keys,
            "features_until": months,
            "churn_probability": predicted,
            "churned": sample.churned.astype(np.int64),
            "risk_band": bands,
        },
    )
    names, effect = tested.effects
    results.table(
        "customer_churn_details",
        {
            "Kunde": keys,
            "churn_probability": predicted,
            "risk_band": bands,
            "reasons": top_reasons(names, effect, tested.levels),
            "warnings": early_signs(panel.between(plan.training_from, plan.test_anchor), sample.customers),
            **{f"effect_{name}": effect[:, index] for index, name in enumerate(names)},
        },
    )
    results.table(
        "churn_model_metrics",
        [
            {
                "metric": name,
                "value": value,
                "low": intervals.get(name, {}).get("low"),
                "high": intervals.get(name, {}).get("high"),
            }
            for name, value in scores.items()
        ],
    )
    results.table("threshold_methods", [{"method": name, "threshold": value} for name, value in thresholds.items()])
    results.table(
        "churn_threshold_metrics",
        [
            {"method": name, "threshold": value, **confusion(predicted, sample.churned, value)}
            for name, value in thresholds.items()
        ],
    )
    profit = profit_curve(
        predicted,
        sample.churned,
        customer_value=settings.customer_value,
        success_rate=settings.success_rate,
        contact_cost=settings.contact_cost,
    )
    results.table("churn_business_metrics", profit)
    results.table("churn_calibration", calibration_bins(predicted, sample.churned))
    results.table("churn_curve", ranking_curve(rank(predicted, sample.churned)))
    results.table("churn_lift", lift_table(predicted, sample.churned))
    results.table("churn_segments", band_table(predicted, sample.churned, trained.validation, edges))
    results.table("churn_drift", drift_table(trained.sample.features, sample.features, features.names))


def _write_comparison(
    results: Results,
    contest: list[dict[str, Any]],
    rolling: list[dict[str, Any]],
    canaries: Canaries,
    scores: Mapping[str, float],
) -> None:
    results.table("churn_model_comparison", contest)
    results.table("churn_rolling_origins", rolling)
    results.table(
        "churn_canaries",
        [
            {"canary": "honest", "roc_auc": canaries.honest},
            {"canary": "shuffled_label", "roc_auc": canaries.shuffled},
            {"canary": "future_shifted_feature", "roc_auc": canaries.future},
            {"canary": "same_window_twin", "roc_auc": canaries.twin},
            {"canary": f"single_feature:{canaries.best_feature}", "roc_auc": canaries.best_feature_auc},
        ],
    )
    results.table("experiment_kpis", [{"kpi": f"churn_{name}", "value": value} for name, value in scores.items()])
