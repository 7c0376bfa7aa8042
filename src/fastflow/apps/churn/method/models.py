"""The classifiers: logistic regression, random forest, gradient boosting, and what surrounds each of them.

A model is preparation (chosen columns, medians for what is unknown), a scikit-learn estimator, and a calibration line on
its log-odds. The same data, settings and seed give the same model to the last bit, however many processors there are.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from .boosting import PartwiseBoosting
from .matrices import Matrix, as_matrix, ask
from .panel import Booleans, Doubles, Floats, Integers
from .problems import Refusal
from .scores import log_odds, logistic_line, sigmoid

KINDS = ("logistic", "random_forest", "gradient_boosting")
EDGE = 1e-4
"""Forests say 0 and 1; their shares are held this far off before the log-odds are taken."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "logistic": {"C": 0.01},
    "random_forest": {"n_estimators": 200, "max_depth": 12, "min_samples_leaf": 10, "max_features": "sqrt"},
    "gradient_boosting": {
        "max_iter": 120,
        "learning_rate": 0.08,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 20,
        "l2_regularization": 1.0,
    },
}


@dataclass(frozen=True)
class Model:
    """A fitted classifier with its preparation.

    Args:
        kind: one of `KINDS`.
        columns: indices of the features it looks at, rising.
        medians: of the training, in place of unknown values; one per column.
        means, scales: for the logistic regression; zeros and ones for trees.
        estimator: fitted by scikit-learn.
        slope, intercept: calibration line on the log-odds; 1 and 0 before it is calibrated.
    """

    kind: str
    columns: Integers
    medians: Floats
    means: Floats
    scales: Floats
    estimator: Any
    slope: float = 1.0
    intercept: float = 0.0

    def prepare(self, matrix: Floats) -> Floats:
        """The columns the estimator was fitted on, unknown values filled."""
        chosen = matrix[:, self.columns]
        filled = np.where(np.isnan(chosen), self.medians, chosen)
        return np.asarray((filled - self.means) / self.scales, dtype=np.float32)

    def raw_log_odds(self, matrix: Matrix | Floats) -> Doubles:
        """Log-odds before calibration, shape (n,)."""
        with threadpool_limits(1):
            (probability,) = ask(matrix, lambda rows: self.estimator.predict_proba(self.prepare(rows))[:, 1])
        return log_odds(probability.astype(np.float64), EDGE if self.kind == "random_forest" else 1e-12)

    def predict(self, matrix: Matrix | Floats) -> Doubles:
        """Calibrated probability of churn, shape (n,)."""
        return sigmoid(self.slope * self.raw_log_odds(matrix) + self.intercept)

    def calibrated(self, raw: Doubles, churned: NDArray[np.int8]) -> "Model":
        """The same model with its line fitted on predictions for customers it was not fitted on.

        Source: Platt 1999, with his smoothed targets. A falling line, which would turn the ranking round, is refused:
        such predictions carry nothing, and the model then says the base rate for everybody but for a trace.
        """
        positives, negatives = float(churned.sum()), float(len(churned) - churned.sum())
        target = np.where(churned == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
        slope, intercept = logistic_line(raw, target)
        if slope <= 0:
            slope = 1e-3
            intercept = float(np.log((positives + 1) / (negatives + 1)) - slope * raw.mean())
        return replace(self, slope=slope, intercept=intercept)


class Screening:
    """Which columns are worth fitting, and why each of the others is not: unknown throughout, constant, a duplicate.

    Of equal columns the first is kept.

    Args:
        names: of all columns.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._kept: list[int] = []
        self._seen: dict[bytes, str] = {}
        self.dropped: list[dict[str, str]] = []
        """Rows of feature, reason."""

    @property
    def kept(self) -> Integers:
        """Indices of the kept columns."""
        return np.array(self._kept, dtype=np.int64)

    def look(self, first: int, part: Floats) -> None:
        """Judge neighbouring columns, the first of which has this index."""
        for index, column in enumerate(np.ascontiguousarray(part.T), start=first):
            name, reason = self._names[index], self._reason(column, self._names[index])
            if reason:
                self.dropped.append({"feature": name, "reason": reason})
            else:
                self._kept.append(index)

    def _reason(self, column: Floats, name: str) -> str:
        known = column[~np.isnan(column)]
        if not known.size:
            return "never known"
        if known.min() == known.max() and known.size == column.size:
            return "constant"
        first = self._seen.setdefault(hashlib.sha256(column.tobytes()).digest(), name)
        return "" if first == name else f"the same as {first}"


def screen(matrix: Matrix | Floats, names: tuple[str, ...]) -> tuple[Integers, list[dict[str, str]]]:
    """Columns worth fitting, and rows of feature, reason for each of the others."""
    screening = Screening(names)
    for first, part in as_matrix(matrix).parts():
        screening.look(first, part)
    return screening.kept, screening.dropped


def ever_known(matrix: Matrix | Floats) -> Integers:
    """The columns that are known in some row."""
    parts = as_matrix(matrix).parts()
    return np.concatenate([first + np.flatnonzero(~np.isnan(part).all(axis=0)) for first, part in parts])


class Preparing:
    """Chosen columns made ready for an estimator, part by part; what prepares them is known when all have passed.

    Args:
        scaled: to mean 0 and standard deviation 1.
    """

    def __init__(self, matrix: Matrix, columns: Integers, *, scaled: bool) -> None:
        self._matrix = matrix
        self._columns = columns
        self._scaled = scaled
        self.medians = np.empty(len(columns), dtype=np.float32)
        self.means, self.scales = np.zeros_like(self.medians), np.ones_like(self.medians)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and chosen columns."""
        return self._matrix.shape[0], len(self._columns)

    def parts(self) -> Iterator[tuple[slice, Floats]]:
        """Which of the chosen columns, and their values: unknown ones filled with the median, scaled if asked."""
        for first, part in self._matrix.parts(self._columns):
            places = slice(*np.searchsorted(self._columns, (first, first + part.shape[1])))
            chosen = part[:, self._columns[places] - first]
            self.medians[places] = np.nanmedian(chosen, axis=0)
            np.copyto(chosen, self.medians[places], where=np.isnan(chosen))
            if self._scaled:
                spread = chosen.std(axis=0, dtype=np.float64).astype(np.float32)
                self.means[places] = chosen.mean(axis=0, dtype=np.float64)
                self.scales[places] = np.where(spread > 0, spread, np.float32(1.0))
            yield places, (chosen - self.means[places]) / self.scales[places]

    def whole(self) -> Floats:
        """All of it in one matrix."""
        matrix = np.empty(self.shape, dtype=np.float32)
        for places, part in self.parts():
            matrix[:, places] = part
        return matrix


def fit_model(
    kind: str,
    matrix: Matrix | Floats,
    churned: NDArray[np.int8],
    columns: Integers,
    *,
    seed: int,
    parameters: Mapping[str, Any] | None = None,
) -> Model:
    """Fit one classifier; not calibrated yet.

    Args:
        matrix: shape (n, features). churned: 0 or 1, shape (n,). columns: which features to look at.
        parameters: scikit-learn's, over `DEFAULTS`.

    Raises:
        Refusal: one outcome alone, no column left, or a parameter that scikit-learn does not take.
    """
    if churned.min() == churned.max():
        word = "churned" if churned[0] else "stayed"
        raise Refusal(
            f"All {len(churned)} customers of the training {word}.",
            "Choose windows in which some churned and some stayed.",
        )
    if not len(columns):
        raise Refusal("No feature varies in the training.", "Check the data dictionary and the training window.")
    preparing = Preparing(as_matrix(matrix), columns, scaled=kind == "logistic")
    try:
        estimator = _estimator(kind, {**DEFAULTS[kind], **(parameters or {})}, seed)
        with threadpool_limits(1):
            ready = preparing if kind == "gradient_boosting" else preparing.whole()
            estimator.fit(ready, churned.astype(np.int64))
        if kind == "random_forest":
            # each tree has a seed of its own, so fitting on all processors changes nothing; adding up their answers would
            estimator.n_jobs = 1
    except (TypeError, ValueError) as error:
        raise Refusal(f"scikit-learn refuses to fit the {kind}: {error}", "Correct model_parameters.") from error
    return Model(kind, columns, preparing.medians, preparing.means, preparing.scales, estimator)


def _estimator(kind: str, parameters: Mapping[str, Any], seed: int) -> Any:
    if kind == "logistic":
        return LogisticRegression(max_iter=2000, tol=1e-6, **parameters)
    if kind == "random_forest":
        return RandomForestClassifier(random_state=seed, n_jobs=-1, **parameters)
    return PartwiseBoosting(random_state=seed, early_stopping=False, **parameters)


def out_of_fold_log_odds(
    kind: str,
    matrix: Matrix,
    churned: NDArray[np.int8],
    customers: Integers,
    columns: Integers,
    *,
    seed: int,
    parameters: Mapping[str, Any] | None = None,
    folds: int = 5,
) -> Doubles:
    """Raw log-odds of every row by models that never saw its customer; shape (n,).

    Folds are drawn over customers. A fold whose training would hold one outcome alone leaves its rows at NaN.
    """
    keys, who = np.unique(customers, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(keys))[who] % folds
    raw = np.full(len(churned), np.nan)
    for number in range(folds):
        inside: Booleans = fold == number
        rest = churned[~inside]
        if inside.any() and rest.size and rest.min() != rest.max():
            model = fit_model(kind, matrix.rows(~inside), rest, columns, seed=seed, parameters=parameters)
            raw[inside] = model.raw_log_odds(matrix.rows(inside))
    return raw
