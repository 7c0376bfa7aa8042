"""The counterfactual pipeline from the inputs folder to the artifacts folder; `pipelines/cf/main.py` calls `run_cf`.

It asks the model that the churn run deployed (`churn/model.onnx`), on features computed by that model's own contract.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ..domain.month import Month
from .alternatives import find_alternatives
from .configuration import read_experiment
from .counterfactuals import Found, answer, choose_customers, pose
from .decision import decision_ledger, in_money, prospects
from .deployed import Deployed, plan_of_contract
from .directions import settle, who_was_searched
from .matrices import ask, features_of
from .panel import Doubles, Integers, Panel, read_panel, yyyymm
from .policy import Rule, Search, read_search
from .problems import Refusal
from .quality import Quality, diversity, judge_counterfactuals, recent_means
from .results import Results, Tell
from .track_record import track_record

PHASES = ("read", "score", "search", "judge", "write")
SAME = 1e-5
"""The churn run's probabilities must come out again within this, else panel and model do not belong together."""


def run_cf(inputs: Path, artifacts: Path, tell: Tell, overrides: Mapping[str, Any]) -> None:
    """Compute one experiment's counterfactuals.

    Args:
        overrides: settings of this run over those of the experiment's `cf`: sample, limit, seed.

    Raises:
        Refusal: no churn run is there, or panel, contract and model do not belong together, or a setting is wrong.
    """

    def phase(index: int) -> None:
        tell(progress=index / len(PHASES), step=PHASES[index], total=len(PHASES))

    phase(0)
    experiment = read_experiment(inputs)
    settings = experiment.settings
    contract, graph = read_model(inputs / "churn")
    plan = plan_of_contract(contract)
    whole = read_panel(inputs / "panel.parquet", plan.dynamic, plan.static)
    if {name: tuple(words) for name, words in whole.levels.items()} != dict(plan.levels):
        raise Refusal("The panel's words differ from the model's.", "Run churn again on this panel.")
    anchor = Month.parse(contract["features_until"]).index
    seen = whole.between(experiment.training_from, anchor)
    search = read_search({**settings.cf, **overrides}, seen, plan, settings.seed)
    phase(1)
    deployed = Deployed(graph)
    state = seen.alive[:, -1]
    population = np.flatnonzero(state == 1 if contract["population"] == "alive" else state >= 0)
    anchors = np.full(len(population), anchor, dtype=np.int64)
    (probabilities,) = ask(features_of(seen, population, anchors, plan), deployed.predict)
    difference = check_scores(inputs / "churn", seen.customers[population], probabilities)
    phase(2)
    search = settle(search, seen, population, probabilities, settings.capacity)
    rows = population[choose_customers(probabilities, search)]
    order = np.argsort(rows)
    rows = rows[order]
    question = pose(deployed.predict, seen, rows, plan, search)
    found = answer(question)
    answers = find_alternatives(question, found, int(search.alternatives))
    phase(3)
    quality = judge_counterfactuals(seen, population, rows, search, found)
    chosen = who_was_searched(search, {**settings.cf, **overrides}, probabilities, len(rows))
    record = track_record(whole, rows, anchor, experiment.backtest_to, search, found)
    phase(4)
    results = Results(artifacts, experiment.id)
    summary = summarise(found, quality) | summarise_alternatives(answers)
    each_prospect = prospects(found, quality.plausible, settings, search.implausible)
    ledger, plan_value = decision_ledger(seen.customers[rows], found, each_prospect, settings, len(population))
    _write(results, seen, rows, search, found, quality)
    results.table("cf_business_metrics", in_money(each_prospect, found.valid))
    qualities = [quality, *(judge_counterfactuals(seen, population, rows, search, each) for each in answers[1:])]
    results.table("cf_alternatives", alternatives_table(seen.customers[rows], search, answers, qualities))
    results.table("cf_decision_ledger", ledger)
    results.table("cf_track_record", [record])
    results.table("cf_aggregate", [{"metric": name, "value": value} for name, value in summary.items()])
    results.report(
        {
            "pipeline": "cf",
            "features_until": yyyymm(anchor),
            "population": len(population),
            "between_probabilities": chosen["in_range"],
            "searched": len(rows),
            "chosen": chosen,
            "months": search.months,
            "metrics": summary,
            "decision": plan_value,
            "track_record": record,
            "seed": search.seed,
            "sample": search.sample,
            "limit": search.limit,
            "policy": [vars_of(rule) for rule in (*search.rules, *search.held)],
            "model_sha256": contract["model_sha256"],
            "largest_difference_to_churn_run": difference,
            "why_not": _counted(found.why_not),
        }
    )
    tell(progress=1.0, step="done", total=len(PHASES))


def vars_of(rule: Any) -> dict[str, Any]:
    """A rule as the report shows it."""
    return {key: getattr(rule, key) for key in ("column", "change", "by", "correlation", "low", "high", "step", "cost")}


def read_model(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Contract and graph of a churn run, checked to belong together."""
    if not (folder / "model.onnx").exists() or not (folder / "feature_contract.json").exists():
        raise Refusal("The experiment has no deployed churn model.", "Run churn first.")
    contract: dict[str, Any] = json.loads((folder / "feature_contract.json").read_text(encoding="utf-8"))
    graph = (folder / "model.onnx").read_bytes()
    if hashlib.sha256(graph).hexdigest() != contract["model_sha256"]:
        raise Refusal("model.onnx is not the model of feature_contract.json.", "Run churn again.")
    return contract, graph


def check_scores(folder: Path, customers: Any, probabilities: Doubles) -> float:
    """Largest difference between these probabilities and the churn run's, for the customers in both.

    Raises:
        Refusal: it is larger than `SAME`.
    """
    table = pq.read_table(folder / "tables" / "backtest_results.parquet", columns=["Kunde", "churn_probability"])
    keys = table.column("Kunde").to_numpy(zero_copy_only=False)
    place = np.minimum(np.searchsorted(customers, keys), len(customers) - 1)
    there = customers[place] == keys
    if not there.any():
        raise Refusal("None of the churn run's customers is in the panel.", "Run churn again on this panel.")
    given = table.column("churn_probability").to_numpy()[there]
    difference = float(np.abs(given - probabilities[place[there]]).max())
    if difference > SAME:
        raise Refusal(
            f"The model's probabilities differ by {difference:.2g} from the churn run's.",
            "Run churn again on this panel.",
        )
    return difference


def summarise(found: Found, quality: Quality) -> dict[str, float]:
    """The measures of a search; shares are of all searched, means of those with a counterfactual."""
    valid = found.valid
    count = len(valid)

    def mean(values: Any) -> float:
        return float(values[valid].mean()) if valid.any() else float("nan")

    return {
        "searched": float(count),
        "valid": float(valid.sum()),
        "validity": float(valid.mean()) if count else float("nan"),
        "proximity": mean(quality.proximity),
        "sparsity": mean(quality.sparsity.astype(np.float64)),
        "plausible": mean(quality.plausible.astype(np.float64)),
        "distance_to_nearest_customer": mean(quality.distance),
        "cost": mean(found.cost.sum(axis=1)),
        "probability_before": mean(found.before),
        "probability_after": mean(found.after),
    }


def summarise_alternatives(answers: Sequence[Found]) -> dict[str, float]:
    """How many counterfactuals those have who have one, and how unlike one another they are."""
    valid = answers[0].valid
    unlike = diversity(answers)
    told = unlike[~np.isnan(unlike)]
    return {
        "alternatives": float(sum(found.valid.sum() for found in answers) / valid.sum())
        if valid.any()
        else float("nan"),
        "diversity": float(told.mean()) if len(told) else float("nan"),
    }


def alternatives_table(
    keys: Any, search: Search, answers: Sequence[Found], qualities: Sequence[Quality]
) -> dict[str, Any]:
    """A row per customer and counterfactual beyond the first; the changes as a list of column and mean change."""
    who = [np.flatnonzero(found.valid) for found in answers[1:]]

    def pooled(parts: Iterable[Any]) -> Any:
        return np.concatenate([np.empty(0), *parts])

    later = list(zip(who, answers[1:], qualities[1:], strict=True))
    return {
        "Kunde": np.concatenate([keys[:0], *(keys[rows] for rows in who)]),
        "alternative": pooled(np.full(len(rows), number) for number, rows in enumerate(who, start=2)).astype(np.int64),
        "p_new": pooled(found.after[rows] for rows, found, _ in later),
        "columns_changed": pooled(quality.sparsity[rows] for rows, _, quality in later).astype(np.int64),
        "proximity": pooled(quality.proximity[rows] for rows, _, quality in later),
        "plausible": pooled(quality.plausible[rows] for rows, _, quality in later).astype(bool),
        "cost": pooled(found.cost[rows].sum(axis=1) for rows, found, _ in later),
        "changes": [_changes(search, found.change[row]) for rows, found, _ in later for row in rows],
    }


def _changes(search: Search, change: Doubles) -> list[dict[str, Any]]:
    return [
        {"column": rule.column, "mean_change": float(change[number])}
        for number, rule in enumerate(search.rules)
        if change[number] != 0
    ]


def _write(
    results: Results,
    panel: Panel,
    rows: Integers,
    search: Search,
    found: Found,
    quality: Quality,
) -> None:
    keys = panel.customers[rows]
    cost = found.cost.sum(axis=1)
    results.table(
        "cf_individual",
        {
            "Kunde": keys,
            "p_old": found.before,
            "p_new": found.after,
            "goal": found.goals,
            "valid": found.valid,
            "columns_changed": quality.sparsity,
            "proximity": quality.proximity,
            "distance_to_nearest_customer": quality.distance,
            "plausible": quality.plausible,
            "cost": np.where(found.valid, cost, np.nan),
            "why_not": list(found.why_not),
        },
    )
    who, which = np.nonzero(found.change)
    columns = np.array([rule.column for rule in search.rules], dtype=object)
    before = np.full(found.change.shape, np.nan)
    for number, rule in enumerate(search.rules):
        before[:, number] = recent_means(panel, rows, rule.column, search.months)
    results.table(
        "cf_individual_raw",
        {
            "Kunde": keys[who],
            "column": [str(columns[index]) for index in which],
            "months": np.full(len(who), search.months),
            "mean_before": before[who, which],
            "mean_change": found.change[who, which],
            "cost": found.cost[who, which],
        },
    )
    aggregate: list[dict[str, Any]] = []
    for number, rule in enumerate(search.rules):
        changed = found.change[:, number] != 0
        aggregate.append(
            {
                "column": rule.column,
                "allowed": rule.change,
                "allowed_by": rule.by,
                "correlation": rule.correlation,
                "customers": int(changed.sum()),
                "share_of_valid": float(changed.sum() / max(1, found.valid.sum())),
                "up": int((found.change[:, number] > 0).sum()),
                "down": int((found.change[:, number] < 0).sum()),
                "mean_change": float(found.change[changed, number].mean()) if changed.any() else None,
                "mean_cost": float(found.cost[changed, number].mean()) if changed.any() else None,
                "total_cost": float(found.cost[:, number].sum()),
            }
        )
    results.table("cf_aggregate_raw", [*aggregate, *(_untouched(rule) for rule in search.held)])
    results.table("cf_cost_analysis", [{k: row[k] for k in ("column", "mean_cost", "total_cost")} for row in aggregate])
    ranked = sorted(aggregate, key=lambda row: (-row["customers"], row["column"]))
    results.table(
        "cf_feature_recommendations",
        [
            {"rank": rank, "column": row["column"], "direction": "up" if row["up"] >= row["down"] else "down", **row}
            for rank, row in enumerate(ranked, start=1)
            if row["customers"]
        ],
    )


def _untouched(rule: Rule) -> dict[str, Any]:
    """A column without a clear direction, as a row of `cf_aggregate_raw`."""
    nothing = {"customers": 0, "share_of_valid": 0.0, "up": 0, "down": 0, "mean_change": None, "mean_cost": None}
    told = {"column": rule.column, "allowed": rule.change, "allowed_by": rule.by, "correlation": rule.correlation}
    return {**told, **nothing, "total_cost": 0.0}


def _counted(reasons: tuple[str, ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reason in reasons:
        if reason:
            kind = reason.split(" reach ")[0] + (" do not reach the goal." if " reach " in reason else "")
            counts[kind] = counts.get(kind, 0) + 1
    return counts
