"""Feature matrices that need not be held: asked for some columns or some rows at a time.

A panel of forty columns has some nine hundred features, and a customer is a row at every anchor: the whole matrix is many
times the panel. What looks at features goes through their columns once (`parts`) or through their rows once (`batches`);
only an estimator that needs every cell at the same time gets a matrix of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .features import FeatureSet, compute_features, part_features
from .panel import Booleans, Floats, Integers, Panel

HELD_CELLS = 4_000_000
"""A matrix of at most so many cells (16 MB) is computed once and held."""
BATCH = 2048
"""Rows predicted at a time."""
_STRIPE, _CHUNK = 32, 8192
_Rows = Integers | Booleans | slice


class Matrix(Protocol):
    """Features of some rows, float32, NaN where unknown; the same numbers however they are asked for."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        ...

    def parts(self, columns: Integers | None = None) -> Iterator[tuple[int, Floats]]:
        """Neighbouring columns from left to right: index of the first one, and their values, shape (n, few).

        Args:
            columns: rising; parts that hold none of them are left out.
        """
        ...

    def rows(self, chosen: _Rows) -> "Matrix":
        """Some of the rows."""
        ...

    def whole(self) -> Floats:
        """All of it in memory."""
        ...


@dataclass(frozen=True)
class Held:
    """A matrix in memory.

    Args:
        values: shape (n, features). widths: of its parts; none = of equal width.
    """

    values: Floats
    widths: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        return self.values.shape[0], self.values.shape[1]

    def parts(self, columns: Integers | None = None) -> Iterator[tuple[int, Floats]]:
        """Neighbouring columns."""
        widths = self.widths or (_STRIPE,) * -(-self.shape[1] // _STRIPE)
        for index, first in _numbered(widths, columns):
            yield first, self.values[:, first : first + widths[index]]

    def rows(self, chosen: _Rows) -> "Held":
        """Some of the rows; a slice is no copy."""
        return Held(self.values[chosen], self.widths)

    def whole(self) -> Floats:
        """All of it."""
        return self.values


@dataclass(frozen=True)
class Computed:
    """A matrix that is computed when asked for.

    Args:
        panel: cut where the features may see to. customers: indices into it, shape (n,).
        anchors: counted month of each row, shape (n,). plan: which features.
    """

    panel: Panel
    customers: Integers
    anchors: Integers
    plan: FeatureSet

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        return len(self.customers), len(self.plan.names)

    def parts(self, columns: Integers | None = None) -> Iterator[tuple[int, Floats]]:
        """The features of one raw column after the other."""
        chunks = list(self._chunks())
        widths = self.plan.widths
        for index, first in _numbered(widths, columns):
            part = np.empty((len(self.customers), widths[index]), dtype=np.float32)
            for anchor, place in chunks:
                part[place] = part_features(self.panel, self.customers[place], anchor, self.plan, index)
            yield first, part

    def rows(self, chosen: _Rows) -> "Computed":
        """Some of the rows."""
        return Computed(self.panel, self.customers[chosen], self.anchors[chosen], self.plan)

    def whole(self) -> Floats:
        """All of it, computed now."""
        matrix = np.empty(self.shape, dtype=np.float32)
        for anchor, place in self._chunks():
            matrix[place] = compute_features(self.panel, self.customers[place], anchor, self.plan)
        return matrix

    def _chunks(self) -> Iterator[tuple[int, Integers]]:
        for anchor in np.unique(self.anchors):
            here = np.flatnonzero(self.anchors == anchor)
            for begin in range(0, len(here), _CHUNK):
                yield int(anchor), here[begin : begin + _CHUNK]


def _numbered(widths: tuple[int, ...], columns: Integers | None) -> Iterator[tuple[int, int]]:
    """Which part, and its first column; of the parts that hold one of the columns."""
    first = 0
    for index, width in enumerate(widths):
        if columns is None or np.searchsorted(columns, first) < np.searchsorted(columns, first + width):
            yield index, first
        first += width


def features_of(panel: Panel, customers: Integers, anchors: Integers, plan: FeatureSet) -> Matrix:
    """The features of some customers at some anchors: held where that is little, else computed when asked for."""
    matrix = Computed(panel, customers, anchors, plan)
    return Held(matrix.whole(), plan.widths) if matrix.shape[0] * matrix.shape[1] <= HELD_CELLS else matrix


def as_matrix(matrix: Matrix | Floats) -> Matrix:
    """An array as a matrix; a matrix as it is."""
    return Held(matrix) if isinstance(matrix, np.ndarray) else matrix


def batches(matrix: Matrix | Floats) -> Iterator[tuple[slice, Floats]]:
    """The rows, a batch at a time: where they stand, and their features."""
    given = as_matrix(matrix)
    for begin in range(0, given.shape[0], BATCH):
        here = slice(begin, begin + BATCH)
        yield here, given.rows(here).whole()


def ask(matrix: Matrix | Floats, *questions: Callable[[Floats], NDArray[Any]]) -> list[NDArray[Any]]:
    """What each question answers for every row; asked batch by batch, so that features are computed once for all of them.

    >>> ask(np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32), lambda rows: rows.sum(axis=1))[0].tolist()
    [3.0, 7.0]
    """
    answers: list[list[NDArray[Any]]] = [[] for _ in questions]
    for _, rows in batches(matrix):
        for question, answered in zip(questions, answers, strict=True):
            answered.append(question(rows))
    return [np.concatenate(answered) for answered in answers]
