# /// script
# requires-python = ">=3.11"
# dependencies = ["dice-ml==0.12", "onnxruntime", "pyarrow"]
# ///
"""DiCE's random method beside ours: the same deployed model, customers, columns, bounds and goal, in one process.

Told the inputs folder, how many customers ours searches and how many of these DiCE does; prints JSON. It runs in an environment of its own:
dice-ml (MIT) is no dependency of the product. What DiCE varies is a column's mean of the newest months; a changed mean moves
these months, and their features are computed anew, by the function that computes them in ours.
"""

import contextlib
import io
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import dice_ml
import numpy as np
import pandas as pd
from raiutils.exceptions import UserConfigValidationException

from fastflow.apps.churn.domain.month import Month
from fastflow.apps.churn.method.cf_run import read_model
from fastflow.apps.churn.method.counterfactuals import choose_customers, search_counterfactuals
from fastflow.apps.churn.method.deployed import Deployed, plan_of_contract
from fastflow.apps.churn.method.features import column_features, compute_features
from fastflow.apps.churn.method.panel import read_panel
from fastflow.apps.churn.method.policy import read_search
from fastflow.apps.churn.method.quality import judge_counterfactuals

GOAL = 0.25


class Asked:
    """The deployed model as DiCE asks it, for one customer at a time; counts the seconds spent in it."""

    def __init__(self, deployed, panel, plan, search):
        self.deployed, self.panel, self.plan, self.search = deployed, panel, plan, search
        self.width = len(plan.per_column)
        self.seconds = 0.0

    def look_at(self, row, means):
        """From now on, the customer in this row of the panel, whose means are these."""
        self.row, self.means = row, means
        self.base = compute_features(self.panel, np.array([row]), self.panel.last_month, self.plan)
        return self

    def predict_proba(self, frame):
        """Probabilities of staying and of churn for some means of the newest months."""
        begun = time.perf_counter()
        asked = frame[list(self.plan.dynamic)].to_numpy(dtype=np.float64)
        matrix = np.repeat(self.base, len(asked), axis=0)
        for rule in self.search.rules:
            place = self.plan.dynamic.index(rule.column)
            difference = asked[:, place] - self.means[place]
            moved = np.flatnonzero(np.abs(difference) > 1e-9)
            if len(moved):
                block = np.repeat(self.panel.dynamic[rule.column][[self.row]], len(moved), axis=0)
                newest = block[:, -self.search.months :]
                steps = (difference[moved] / rule.step)[:, None]
                block[:, -self.search.months :] = rule.moved(newest, steps)
                features = column_features(block, self.plan.windows)
                matrix[moved, place * self.width : (place + 1) * self.width] = features
        churned = self.deployed.predict(matrix)
        self.seconds += time.perf_counter() - begun
        return np.column_stack([1 - churned, churned])

    def predict(self, frame):
        """1 where churn is likelier."""
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(int)


def dice_answer(explainer, query, bounds):
    """Its counterfactual, made as sparse as it does; None where it found none."""
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            answer = explainer.generate_counterfactuals(
                query, 1, 0, permitted_range=bounds, stopping_threshold=GOAL, random_seed=1
            )
    except UserConfigValidationException as error:
        if "No counterfactuals found" not in str(error):
            raise
        return None
    return answer.cf_examples_list[0].final_cfs_df_sparse


def main(inputs: Path, ours: int, theirs: int) -> None:
    """Measure both and print."""
    contract, graph = read_model(inputs / "churn")
    plan, deployed = plan_of_contract(contract), Deployed(graph)
    anchor = Month.parse(contract["features_until"]).index
    whole = read_panel(inputs / "panel.parquet", plan.dynamic, plan.static)
    panel = whole.between(whole.first_month, anchor)
    given: dict[str, Any] = {"goal_probability": GOAL, "from_probability": 0.3, "to_probability": 1, "limit": ours}
    given["policy"] = {name: {"change": "free"} for name in plan.dynamic}  # as free as DiCE is
    search = read_search(given, panel, plan, 1)
    population = np.flatnonzero(panel.alive[:, -1] == 1)
    probabilities = deployed.predict(compute_features(panel, population, anchor, plan))
    rows = np.sort(population[choose_customers(probabilities, search)])
    begun = time.perf_counter()
    found = search_counterfactuals(deployed.predict, panel, rows, plan, search)
    own_seconds = time.perf_counter() - begun
    sample = np.random.default_rng(1).choice(len(rows), theirs, replace=False)
    sample.sort()

    means = np.stack([panel.dynamic[name][:, -search.months :].mean(axis=1) for name in plan.dynamic], axis=1).round(2)
    frame = pd.DataFrame(means[population].astype(float), columns=list(plan.dynamic))
    data = dice_ml.Data(
        dataframe=frame.assign(churned=(probabilities > 0.5).astype(int)),
        continuous_features=list(plan.dynamic),
        outcome_name="churned",
    )
    asked = Asked(deployed, panel, plan, search)
    explainer = dice_ml.Dice(data, dice_ml.Model(model=asked, backend="sklearn"), method="random")
    bounds = {rule.column: [rule.low, rule.high] for rule in search.rules}
    change = np.zeros((theirs, len(search.rules)))
    after, seconds = found.before[sample].copy(), []
    for at, index in enumerate(sample):
        own = means[rows[index]].astype(float)
        asked.look_at(rows[index], own)
        query = pd.DataFrame([own], columns=list(plan.dynamic))
        begun = time.perf_counter()
        answer = dice_answer(explainer, query, bounds)
        seconds.append(time.perf_counter() - begun)
        if answer is not None and len(answer):
            after[at] = asked.predict_proba(answer)[0, 1]
            for number, rule in enumerate(search.rules):
                place = plan.dynamic.index(rule.column)
                wanted = float(answer[rule.column].iloc[0]) - own[place]
                newest = panel.dynamic[rule.column][[rows[index]], -search.months :]
                change[at, number] = (
                    (rule.moved(newest, wanted / rule.step) - newest).mean() if abs(wanted) > 1e-9 else 0
                )
    valid = after <= GOAL + 1e-9
    dice = replace(
        found,
        before=found.before[sample],
        after=after,
        goals=found.goals[sample],
        valid=valid,
        change=np.where(valid[:, None], change, 0),
        cost=np.abs(change),
        why_not=("",) * theirs,
    )
    same = replace(
        found,
        before=found.before[sample],
        after=found.after[sample],
        goals=found.goals[sample],
        valid=found.valid[sample],
        change=found.change[sample],
        cost=found.cost[sample],
        why_not=("",) * theirs,
    )
    print(
        json.dumps(
            {
                "customers": len(rows),
                "seconds": own_seconds,
                "dice_seconds": seconds,
                "dice_model_seconds": asked.seconds,
                "ours": measured(judge_counterfactuals(panel, population, rows[sample], search, same), same),
                "dice": measured(judge_counterfactuals(panel, population, rows[sample], search, dice), dice),
            }
        )
    )


def measured(quality, found):
    """Shares and means as the report of a run has them."""
    ok = found.valid
    return {
        "validity": float(ok.mean()),
        "sparsity": float(quality.sparsity[ok].mean()),
        "proximity": float(quality.proximity[ok].mean()),
        "plausible": float(quality.plausible[ok].mean()),
    }


main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
