from typing import Any

import numpy as np

from fastflow.apps.churn.method.alternatives import find_alternatives
from fastflow.apps.churn.method.counterfactuals import answer, pose
from fastflow.apps.churn.method.features import feature_set
from fastflow.apps.churn.method.panel import Floats, Panel
from fastflow.apps.churn.method.policy import read_search
from fastflow.apps.churn.method.quality import diversity
from fastflow.apps.churn.method.scores import sigmoid

COLUMNS = ("calls", "visits", "mails")


def test_alternatives_when_several_columns_would_do_then_each_answer_leaves_out_what_led_the_earlier_ones() -> None:
    draw = np.random.default_rng(4)
    grids = {name: draw.poisson(2, (60, 12)).astype(np.float32) for name in COLUMNS}
    panel = Panel(np.arange(60), 2022 * 12, np.ones((60, 12), dtype=np.int8), grids, {}, {})
    plan = feature_set(panel, (3,))
    weights = {
        plan.names.index(f"{name}__mean_3"): weight for name, weight in zip(COLUMNS, (-0.9, -0.6, 0.0), strict=True)
    }

    def predict(matrix: Floats) -> Any:
        return sigmoid(matrix[:, list(weights)].astype(np.float64) @ np.array(list(weights.values())) + 2.0)

    search = read_search({"policy": {name: {"change": "up"} for name in COLUMNS}, "alternatives": 4}, panel, plan, 1)
    question = pose(predict, panel, np.arange(60), plan, search)
    first = answer(question)
    answers = find_alternatives(question, first, search.alternatives)
    assert answers[0] is first
    assert [found.valid.any() for found in answers] == [True, True, False]  # mails change nothing: the search ends
    for found in answers:
        assert (found.after[found.valid] <= found.goals[found.valid] + 1e-9).all()
    second = answers[1]
    assert second.valid.mean() > 0.5 and not second.valid[~first.valid].any()
    both = np.flatnonzero(second.valid)
    lead = np.argmax(np.abs(first.change[both]), axis=1)
    assert (second.change[both, lead] == 0).all()
    assert (diversity(answers)[both] > 0).all()
