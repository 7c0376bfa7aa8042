"""Leak canaries: what a model would earn if something leaked, measured beside the honest result in every run.

Three of them: labels shuffled among the training's customers (must earn 0.5, or the test is known before), features
that already saw the label window (what knowing the future earns), and a twin trained on the test's own customers and
labels (what the first system reported). An honest result that does not stay below the leaks is refused.
"""

from dataclasses import dataclass

import numpy as np

from .backtest import Sample, Trained
from .features import FeatureSet
from .matrices import ask, features_of
from .models import ever_known, fit_model
from .panel import Doubles, Integers, Panel
from .scores import rank, ranking_scores
from .windows import Plan

TWIN = "random_forest"
TWIN_PARAMETERS = {"n_estimators": 60, "max_depth": None, "min_samples_leaf": 5}
MOST_ROWS, SHUFFLED_ROWS, SHUFFLES = 20_000, 4_000, 9


@dataclass(frozen=True)
class Canaries:
    """What each canary earned.

    Args:
        honest: ROC-AUC of the model in the test.
        shuffled, future, twin: ROC-AUC of the canaries (shuffled: the mean of nine); NaN where one could not be computed.
        best_feature, best_feature_auc: the single feature that ranks the test best, and how well (0.5 to 1).
        alarms: why the result is refused, in sentences; empty = trusted.
    """

    honest: float
    shuffled: float
    future: float
    twin: float
    best_feature: str
    best_feature_auc: float
    alarms: tuple[str, ...]


def run_canaries(
    panel: Panel,
    plan: Plan,
    features: FeatureSet,
    trained: Trained,
    test: Sample,
    honest: float,
    *,
    seed: int,
) -> Canaries:
    """Fit the canaries and judge the honest result by them.

    Args:
        panel: with the months of the test; only canaries may see it whole.
        honest: ROC-AUC of the model in the test.
    """
    generator = np.random.default_rng(seed)
    fitted = thinned(trained.sample, generator)
    columns = trained.model.columns
    kind = "gradient_boosting" if trained.model.kind == "random_forest" else trained.model.kind
    shuffled = _shuffled(fitted, test, columns, generator, seed)
    twin_rows = thinned(test, generator)
    twin = fit_model(TWIN, twin_rows.features, twin_rows.churned, columns, seed=seed, parameters=TWIN_PARAMETERS)
    twin_auc = _auc(twin.raw_log_odds(twin_rows.features), twin_rows)
    future_auc = _future(panel, plan, features, fitted, test, kind, seed)
    name, single = best_single_feature(test, features.names)
    alarms = judge(honest, shuffled, future_auc, name, single)
    return Canaries(honest, float(shuffled.mean()), future_auc, twin_auc, name, single, alarms)


def _shuffled(fitted: Sample, test: Sample, columns: Integers, generator: np.random.Generator, seed: int) -> Doubles:
    """ROC-AUC of several shuffles, shape (SHUFFLES,). One alone says little: where all features speak of one thing, a
    model of noise ranks by that thing in a direction drawn by lot, and earns 0.2 as easily as 0.8."""
    chosen = generator.permutation(len(fitted.churned))[:SHUFFLED_ROWS]
    labels = fitted.churned[chosen]
    if labels.min() == labels.max():
        chosen, labels = np.arange(len(fitted.churned)), fitted.churned
    rows = fitted.features.rows(chosen).whole()
    models = [fit_model("logistic", rows, generator.permutation(labels), columns, seed=seed) for _ in range(SHUFFLES)]
    return np.array([_auc(raw, test) for raw in ask(test.features, *(model.raw_log_odds for model in models))])


def thinned(sample: Sample, generator: np.random.Generator) -> Sample:
    """At most `MOST_ROWS` rows: a canary need not be precise."""
    if len(sample.churned) <= MOST_ROWS:
        return sample
    chosen = np.zeros(len(sample.churned), dtype=bool)
    chosen[generator.choice(len(sample.churned), MOST_ROWS, replace=False)] = True
    thin = sample.where(chosen)
    return thin if thin.churned.min() != thin.churned.max() else sample


def _auc(predicted: np.ndarray, sample: Sample) -> float:
    return ranking_scores(rank(predicted, sample.churned))[0]


def _future(
    panel: Panel, plan: Plan, features: FeatureSet, fitted: Sample, test: Sample, kind: str, seed: int
) -> float:
    """The same task with features computed at the end of the label window."""
    shift = plan.task.gap + plan.task.horizon
    whole = panel.between(plan.training_from, plan.test_anchor + shift)
    matrix = features_of(whole, fitted.customers, fitted.anchors + shift, features)
    model = fit_model(kind, matrix, fitted.churned, ever_known(matrix), seed=seed)
    return _auc(model.raw_log_odds(features_of(whole, test.customers, test.anchors + shift, features)), test)


def best_single_feature(sample: Sample, names: tuple[str, ...]) -> tuple[str, float]:
    """The feature that alone ranks the outcomes best, in either direction; unknown values count as lowest.

    Returns:
        Its name and ROC-AUC, 0.5 to 1; the first of equal ones, no name when none ranks better than chance.
    """
    best, found = "", 0.5
    for first, part in sample.features.parts():
        for index, column in enumerate(np.ascontiguousarray(part.T, dtype=np.float64), start=first):
            auc = _auc(np.where(np.isnan(column), -np.inf, column), sample)
            strength = max(auc, 1 - auc)
            if strength > found:
                best, found = names[index], strength
    return best, found


def judge(honest: float, shuffled: Doubles, future: float, name: str, single: float) -> tuple[str, ...]:
    """Why a result cannot be trusted; empty when nothing speaks against it.

    Args:
        shuffled: ROC-AUC of each model of shuffled labels; their mean must be near 0.5, as far as they tell.
    """
    mean = float(shuffled.mean())
    room = max(0.1, 4 * float(shuffled.std(ddof=1)) / len(shuffled) ** 0.5)
    alarms = []
    if abs(mean - 0.5) > room:
        alarms.append(f"Models of shuffled labels earn {mean:.3f} instead of 0.5: the features tell who is tested.")
    if single > 0.995:
        alarms.append(f"{name} alone ranks the test with {single:.3f}: it is the outcome under another name.")
    if honest > 0.99 and honest > future - 0.005:
        alarms.append(
            f"The model earns {honest:.3f}, as much as one whose features saw the label window ({future:.3f}): a column "
            "was written after the fact."
        )
    return tuple(alarms)
