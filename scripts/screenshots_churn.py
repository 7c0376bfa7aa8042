"""What the pictures of the churn workbench show."""

from typing import Any

from fastflow.apps.churn.domain.demo import demo_rows
from fastflow.testing.served import Served

SUMMER: dict[str, Any] = {
    "experiment_name": "Summer 1997",
    "training_from": 199701,
    "training_to": 199712,
    "backtest_from": 199801,
    "backtest_to": 199803,
    "model_type": "logistic",
    "hyperparameters": {"history_months": 3, "horizons": [3, 6]},
}
CHAIN = {
    "chain_id": "shown",
    "asked_by": "user:admin",
    "asked_at": "2026-11-22T08:00:00+00:00",
    "steps": [
        {"name": "churn", "status": "failed", "run_id": ""},
        {"name": "cox", "status": "dropped", "run_id": ""},
        {"name": "materialize", "status": "dropped", "run_id": ""},
        {"name": "cf", "status": "dropped", "run_id": ""},
    ],
}
FIGURES = {1: (0.8034, 0.912, 0.13), 3: (0.797, 0.905, 0.134)}


def act(served: Served) -> dict[str, str]:
    """Experiments in every status; the pages worth a picture."""
    forest = {
        **SUMMER,
        "model_type": "random_forest",
        "hyperparameters": {**SUMMER["hyperparameters"], "capacity": 0.2},
    }
    panel = served.folder / "customers.csv"
    panel.write_text("\n".join(demo_rows()) + "\n")
    for body in (
        SUMMER,
        {**SUMMER, "experiment_name": "Half a year at once", "backtest_to": 199806},
        {**forest, "experiment_name": "Summer 1997, forest"},
        {**SUMMER, "experiment_name": "Everything that was observed", "feature_set": "enhanced"},
    ):
        served.call("POST", "/experiments", body)
    served.cli("churn", "ingest", str(panel))
    exported = served.call("GET", "/churn/database/export")[1]
    add_results(exported["document"]["tables"])
    served.call("POST", "/churn/database/import", exported)
    return {
        "files": "/churn/files",
        "file": "/churn/files/1",
        "file-new": "/churn/files/-/new",
        "experiments": "/churn/experiments",
        "experiment": "/churn/experiments/1",
        "experiment-failed": "/churn/experiments/4",
        "experiment-new": "/churn/experiments/-/new",
        "experiment-change": "/churn/experiments/2/change",
        "experiments-compared": "/churn/experiments/-/compare?ids=1,3,2",
    }


def add_results(tables: dict[str, Any]) -> None:
    """As runs would leave them."""
    kpis = [
        {"experiment_id": number, "kpi": f"churn_{name}", "value": value}
        for number, values in FIGURES.items()
        for name, value in zip(("roc_auc", "pr_auc", "brier"), values, strict=True)
    ]
    cox = [{"experiment_id": number, "metric": "harrell_c", "value": 0.74 + number / 100} for number in FIGURES]
    told = {"description": "", "source": "runs", "schema": {}}
    tables["experiment_kpis"] = {**told, "records": kpis}
    tables["cox_analysis_metrics"] = {**told, "records": cox}
    for record in tables["experiments"]["records"]:
        number = record["experiment_id"]
        if number in FIGURES:
            record |= {"status": "processed", "processed_at": record["updated_at"]}
        elif number == 4:
            record |= {
                "status": "failed",
                "chain": CHAIN,
                "reason": "The step churn failed: All 600 customers of the training stayed. Lengthen the training window.",
            }
