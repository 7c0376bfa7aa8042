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

from .budget import RowLimit, row_limit
from .features import FeatureSet
from .matrices import Matrix, features_of
from .models import Model, Screening, fit_model, out_of_fold_log_odds
from .panel import Booleans, Doubles, Floats, Integers, Panel, yyyymm
from .problems import Refusal
from .scores import sigmoid
from .windows import Outcomes, Plan, Task, read_outcomes


@dataclass(frozen=True)
class Sample:
    """Rows for fitting or testing: one per customer and anchor.

    Args:
        features: shape (n, features). churned: labels, shape (n,). customers: indices into the panel, shape (n,).
        anchors: counted month of each row's anchor, rising, shape (n,).
    """

    features: Matrix
    churned: NDArray[np.int8]
    customers: Integers
    anchors: Integers

    def where(self, chosen: NDArray[np.bool_]) -> "Sample":
        """The chosen rows."""
        return Sample(self.features.rows(chosen), self.churned[chosen], self.customers[chosen], self.anchors[chosen])


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
        reference: median of every feature in them, 0 where it is never known, shape (features,).
        limit: of its rows.
        outcomes: anchor -> what was known of it.
        fingerprint: SHA-256 over the training's features, column by column, and labels.
    """

    model: Model
    validation: Doubles
    validation_churned: NDArray[np.int8]
    validation_how: str
    dropped: list[dict[str, str]]
    sample: Sample
    reference: Floats
    limit: RowLimit
    outcomes: Mapping[int, Outcomes]
    fingerprint: str

    def rows_told(self) -> dict[str, Any]:
        """How many rows there were, how many were used, and what kept the others out; for the audit."""
        available = sum(len(found.rows) for found in self.outcomes.values())
        used = len(self.sample.churned)
        return {
            "available": available,
            "used": used,
            "customers_available": len(np.unique(np.concatenate([found.rows for found in self.outcomes.values()]))),
            "customers_used": len(np.unique(self.sample.customers)),
            "limit": self.limit.rows,
            "limited_by": self.limit.by if used < available else "",
        }


def gather(
    panel: Panel, anchors: Sequence[int], task: Task, plan: FeatureSet, *, most_rows: int, seed: int
) -> tuple[Sample, dict[int, Outcomes]]:
    """Features and labels of several anchors, pooled; about `most_rows` of them when there are more, see `thinned_rows`."""
    outcomes = {anchor: read_outcomes(panel, anchor, task) for anchor in anchors}
    customers = np.concatenate([found.rows for found in outcomes.values()])
    if not len(customers):
        raise Refusal(
            f"No customer's fate is known at the anchors {yyyymm(anchors[0])} to {yyyymm(anchors[-1])}.",
            "All are censored: choose windows that the panel observes to their end.",
        )
    churned = np.concatenate([found.churned for found in outcomes.values()])
    months = np.repeat(np.array(anchors, dtype=np.int64), [len(found.rows) for found in outcomes.values()])
    kept = thinned_rows(customers, len(panel.customers), most_rows, seed)
    customers, churned, months = customers[kept], churned[kept], months[kept]
    return Sample(features_of(panel, customers, months, plan), churned, customers, months), outcomes


def thinned_rows(customers: Integers, population: int, most_rows: int, seed: int) -> Booleans:
    """Which rows are kept so that about `most_rows` are: of every customer the same share of its months.

    Neighbouring months of a customer say nearly the same, so months are left out before customers are: each keeps every k-th of
    its rows, from a beginning drawn by lot, and who has at least k rows keeps at least one.

    Args:
        customers: of each row, each customer's rows in order of time, shape (n,). population: customers there are.
    """
    if len(customers) <= most_rows:
        return np.ones(len(customers), dtype=bool)
    share = most_rows / len(customers)
    order = np.argsort(customers, kind="stable")
    ordered = customers[order]
    number = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    along = number * share + np.random.default_rng(seed).random(population)[ordered]
    kept = np.empty(len(customers), dtype=bool)
    kept[order] = np.floor(along + share) > np.floor(along)
    return kept


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

        most_rows: no more are used; nor more than `row_limit` affords.

    Raises:
        Refusal: one outcome alone, nothing known, no column that varies.
    """
    if panel.last_month > plan.training_to:
        raise Refusal(
            f"The training was handed months up to {yyyymm(panel.last_month)}, past {yyyymm(plan.training_to)}.",
            "Cut the panel at the end of the training window.",
        )
    _refuse_unvarying(panel)
    limit = row_limit(panel, features, most_rows)
    sample, outcomes = gather(panel, plan.anchors, plan.task, features, most_rows=limit.rows, seed=seed)
    screening, reference, digest = (
        Screening(features.names),
        np.zeros(len(features.names), np.float32),
        hashlib.sha256(),
    )
    for first, part in sample.features.parts():
        screening.look(first, part)
        digest.update(part.T.tobytes())
        known = first + np.flatnonzero(~np.isnan(part).all(axis=0))
        reference[known] = np.nanmedian(part[:, known - first], axis=0)
    digest.update(sample.churned.tobytes())
    columns = screening.kept
    model = fit_model(kind, sample.features, sample.churned, columns, seed=seed, parameters=parameters)
    raw, labels, how = _validation(sample, plan, kind, columns, seed, parameters)
    model = model.calibrated(raw, labels)
    return Trained(
        model=model,
        validation=sigmoid(model.slope * raw + model.intercept),
        validation_churned=labels,
        validation_how=how,
        dropped=screening.dropped,
        sample=sample,
        reference=reference,
        limit=limit,
        outcomes=outcomes,
        fingerprint=digest.hexdigest(),
    )


def _refuse_unvarying(panel: Panel) -> None:
    """A training without a column that differs would learn the length of the history and call it a model."""
    found = []
    for name, values in {**panel.dynamic, **panel.static}.items():
        low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)  # of the known values
        if low < high:
            return
        found.append(f"{name} is never known" if np.isnan(low) else f"{name} is the same throughout")
    raise Refusal(
        f"Nothing varies in the training window: {', '.join(found)}.", "Take in a column that tells customers apart."
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
        model = fit_model(kind, earlier.features, earlier.churned, columns, seed=seed, parameters=parameters)
        how = f"customers at {yyyymm(newest)}, by a model of anchors whose labels ended by then"
        return model.raw_log_odds(held.features), held.churned, how
    raw = out_of_fold_log_odds(
        kind, sample.features, sample.churned, sample.customers, columns, seed=seed, parameters=parameters
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
    anchors = np.full(len(outcomes.rows), plan.test_anchor, dtype=np.int64)
    if not len(outcomes.rows):
        raise Refusal("No customer's fate in the backtest window is known.", "Ingest months up to its end.")
    matrix = features_of(seen, outcomes.rows, anchors, features)
    return Sample(matrix, outcomes.churned, outcomes.rows, anchors), outcomes
