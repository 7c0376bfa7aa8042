"""The honest backtest: train on anchors whose labels were known before the test began, test once.

`train` is handed a panel cut at the end of the training window: months of the test are not in its memory. Calibration,
thresholds and bands come from validation predictions, for customers or months that the model behind them never saw.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import FeatureSet, compute_features
from .models import Model, fit_model, out_of_fold_log_odds, screen
from .panel import Doubles, Floats, Integers, Panel, yyyymm
from .problems import Refusal
from .scores import sigmoid
from .windows import Outcomes, Plan, Task, read_outcomes


@dataclass(frozen=True)
class Sample:
    """Rows for fitting or testing: one per customer and anchor.

    Args:
        matrix: features, shape (n, features). churned: labels, shape (n,). customers: indices into the panel, shape (n,).
        anchors: counted month of each row's anchor, shape (n,).
    """

    matrix: Floats
    churned: NDArray[np.int8]
    customers: Integers
    anchors: Integers

    def where(self, chosen: NDArray[np.bool_]) -> "Sample":
        """The chosen rows."""
        return Sample(self.matrix[chosen], self.churned[chosen], self.customers[chosen], self.anchors[chosen])


@dataclass(frozen=True)
class Trained:
    """A calibrated model and what it was made of.

    Args:
        model: fitted on all training anchors.
        validation: calibrated predictions for rows the model behind them never saw, shape (m,).
        validation_churned: their outcomes, shape (m,).
        validation_how: in words, for the report.
        dropped: features not used, and why.
        sample: the training rows.
        outcomes: anchor -> what was known of it.
        fingerprint: SHA-256 over the training's matrix and labels.
    """

    model: Model
    validation: Doubles
    validation_churned: NDArray[np.int8]
    validation_how: str
    dropped: list[dict[str, str]]
    sample: Sample
    outcomes: Mapping[int, Outcomes]
    fingerprint: str


def gather(
    panel: Panel, anchors: Sequence[int], task: Task, plan: FeatureSet, *, most_rows: int, seed: int
) -> tuple[Sample, dict[int, Outcomes]]:
    """Features and labels of several anchors, pooled; thinned by drawing customers when there are more than `most_rows`."""
    outcomes = {anchor: read_outcomes(panel, anchor, task) for anchor in anchors}
    total = sum(len(found.rows) for found in outcomes.values())
    if not total:
        raise Refusal(
            f"No customer's fate is known at the anchors {yyyymm(anchors[0])} to {yyyymm(anchors[-1])}.",
            "All are censored: choose windows that the panel observes to their end.",
        )
    kept = np.ones(len(panel.customers), dtype=bool)
    if total > most_rows:
        kept = np.random.default_rng(seed).random(len(panel.customers)) < most_rows / total
    matrices, labels, customers, months = [], [], [], []
    for anchor, found in outcomes.items():
        chosen = kept[found.rows]
        rows = found.rows[chosen]
        matrices.append(compute_features(panel, rows, anchor, plan))
        labels.append(found.churned[chosen])
        customers.append(rows)
        months.append(np.full(len(rows), anchor, dtype=np.int64))
    sample = Sample(np.concatenate(matrices), np.concatenate(labels), np.concatenate(customers), np.concatenate(months))
    return sample, outcomes


def train(
    panel: Panel,
    plan: Plan,
    features: FeatureSet,
    kind: str,
    *,
    seed: int,
    most_rows: int,
    parameters: Mapping[str, Any],
) -> Trained:
    """Fit, calibrate and keep the validation predictions.

    Args:
        panel: must end with the training window; a longer one is refused, so that nothing later can be read.

    Raises:
        Refusal: one outcome alone, nothing known, no varying feature.
    """
    if panel.last_month > plan.training_to:
        raise Refusal(
            f"The training was handed months up to {yyyymm(panel.last_month)}, past {yyyymm(plan.training_to)}.",
            "Cut the panel at the end of the training window.",
        )
    sample, outcomes = gather(panel, plan.anchors, plan.task, features, most_rows=most_rows, seed=seed)
    columns, dropped = screen(sample.matrix, features.names)
    model = fit_model(kind, sample.matrix, sample.churned, columns, seed=seed, parameters=parameters)
    raw, known, how = _validation(sample, plan, kind, columns, seed, parameters)
    model = model.calibrated(raw, known)
    digest = hashlib.sha256(np.ascontiguousarray(sample.matrix).tobytes())
    digest.update(sample.churned.tobytes())
    return Trained(
        model=model,
        validation=sigmoid(model.slope * raw + model.intercept),
        validation_churned=known,
        validation_how=how,
        dropped=dropped,
        sample=sample,
        outcomes=outcomes,
        fingerprint=digest.hexdigest(),
    )


def _validation(
    sample: Sample, plan: Plan, kind: str, columns: Integers, seed: int, parameters: Mapping[str, Any]
) -> tuple[Doubles, NDArray[np.int8], str]:
    """Raw log-odds for unseen rows: of the newest anchor, by a model of anchors whose labels were known by then; where
    the window is too short for that, of all rows, by models of other customers."""
    newest = plan.anchors[-1]
    earlier = sample.where(sample.anchors + plan.task.gap + plan.task.horizon <= newest)
    held = sample.where(sample.anchors == newest)
    if (
        len(earlier.churned)
        and 0 < earlier.churned.sum() < len(earlier.churned)
        and 0 < held.churned.sum() < len(held.churned)
    ):
        model = fit_model(kind, earlier.matrix, earlier.churned, columns, seed=seed, parameters=parameters)
        how = f"customers at {yyyymm(newest)}, by a model of anchors whose labels ended by then"
        return model.raw_log_odds(held.matrix), held.churned, how
    raw = out_of_fold_log_odds(
        kind, sample.matrix, sample.churned, sample.customers, columns, seed=seed, parameters=parameters
    )
    known = ~np.isnan(raw)
    labels = sample.churned[known]
    if not known.any() or labels.min() == labels.max():
        raise Refusal("Too few customers churned for a validation.", "Lengthen the training window.")
    return raw[known], labels, "five folds of customers; the window is too short for a validation in time"


def training_panel(panel: Panel, plan: Plan) -> Panel:
    """The part of a panel that a training may see."""
    return panel.between(plan.training_from, plan.training_to)


def backtest_sample(panel: Panel, plan: Plan, features: FeatureSet) -> tuple[Sample, Outcomes]:
    """Features at the test's anchor, computed from a panel cut there, and the labels of the backtest window."""
    outcomes = read_outcomes(panel, plan.test_anchor, plan.task)
    seen = panel.between(plan.training_from, plan.test_anchor)
    matrix = compute_features(seen, outcomes.rows, plan.test_anchor, features)
    anchors = np.full(len(outcomes.rows), plan.test_anchor, dtype=np.int64)
    if not len(outcomes.rows):
        raise Refusal("No customer's fate in the backtest window is known.", "Ingest months up to its end.")
    return Sample(matrix, outcomes.churned, outcomes.rows, anchors), outcomes
