"""Gradient boosting that is handed its features a few columns at a time.

Scikit-learn's keeps one byte per cell to grow trees from, but makes that of a copy in double precision of the whole matrix,
nine times as large together. Its bins belong to one column each, so that columns can be binned one after the other: the same
bins, the same trees.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier

from .panel import Floats


class InParts(Protocol):
    """Features ready to be fitted, some neighbouring columns at a time."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    def parts(self) -> Iterator[tuple[slice, Floats]]:
        """Which columns, and their values, from left to right."""
        ...


class PartwiseBoosting(HistGradientBoostingClassifier):  # type: ignore[misc]
    """`HistGradientBoostingClassifier` whose `fit` takes features `InParts`, without categories and early stopping."""

    def _preprocess_X(self, X: Any, *, reset: bool) -> Any:  # noqa: N802, N803 -- scikit-learn's name
        if isinstance(X, np.ndarray):
            return super()._preprocess_X(X, reset=reset)
        if not isinstance(self.categorical_features, str | None):  # the word "from_dtype": no column of numbers is one
            raise TypeError("every feature is a number, none a category")
        self.is_categorical_ = self._preprocessor = self._is_categorical_remapped = None
        self.n_features_in_ = X.shape[1]
        return X, None

    def _bin_data(self, X: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N803
        if isinstance(X, np.ndarray):
            return super()._bin_data(X, *args, **kwargs)
        binned: NDArray[np.uint8] = np.empty(X.shape, dtype=np.uint8, order="F")
        thresholds, counts = [], []
        mapper = self._bin_mapper
        for columns, values in X.parts():
            mapper = clone(self._bin_mapper)
            binned[:, columns] = mapper.fit_transform(values.astype(np.float64))
            thresholds += mapper.bin_thresholds_
            counts.append(mapper.n_bins_non_missing_)
        self._bin_mapper.bin_thresholds_ = thresholds
        self._bin_mapper.n_bins_non_missing_ = np.concatenate(counts)
        self._bin_mapper.missing_values_bin_idx_ = mapper.missing_values_bin_idx_
        self._bin_mapper.is_categorical_ = np.zeros(X.shape[1], dtype=np.uint8)
        return binned
