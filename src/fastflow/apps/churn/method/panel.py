"""The monthly panel as dense grids: one row per customer, one column per month, one grid per raw feature.

Everything else in this package works on these grids, so that nothing loops over customers. Made from the Parquet file
that a run is given, or from arrays; months are counted as `Month.index` counts them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..domain.month import FIRST_YEAR, LAST_YEAR, Month
from .problems import Refusal

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_PIECE = 65_536
UNKNOWN = np.int8(-1)
"""State of a customer in a month without a row."""


def mean_of_known(block: Doubles) -> Doubles:
    """Mean of each row's known months; NaN where none is. Shape (n,)."""
    known = ~np.isnan(block)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, block, 0.0).sum(axis=1) / known.sum(axis=1))


@dataclass(frozen=True)
class Panel:
    """What is known of every customer in every month.

    Args:
        customers: their keys, sorted, shape (n,); text or integers.
        first_month: counted month of the grids' first column.
        alive: 1 alive, 0 dead, -1 no row in that month; shape (n, months), int8.
        dynamic: name -> grid of shape (n, months), float32, NaN where nothing is known.
        static: name -> one number per customer (its earliest row's), shape (n,), float32, NaN where unknown.
        levels: name of a static column -> the words its numbers stand for; only columns of text are here.
        notes: what reading found worth telling, in sentences.
    """

    customers: NDArray[Any]
    first_month: int
    alive: NDArray[np.int8]
    dynamic: Mapping[str, Floats]
    static: Mapping[str, Floats]
    levels: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    @property
    def last_month(self) -> int:
        """Counted month of the grids' last column."""
        return self.first_month + int(self.alive.shape[1]) - 1

    def column(self, month: int) -> int:
        """The grids' column of a counted month; may lie outside of them."""
        return month - self.first_month

    def between(self, first: int, last: int) -> "Panel":
        """The panel of the counted months `first` to `last`: others are not there at all.

        Raises:
            Refusal: the panel has no month of these.
        """
        begin, stop = max(self.column(first), 0), min(self.column(last), self.alive.shape[1] - 1) + 1
        if begin >= stop:
            raise Refusal(
                f"The panel covers {yyyymm(self.first_month)} to {yyyymm(self.last_month)}, nothing of "
                f"{yyyymm(first)} to {yyyymm(last)}.",
                "Ingest more months, or move the windows.",
            )
        cut = {name: grid[:, begin:stop] for name, grid in self.dynamic.items()}
        return replace(self, first_month=self.first_month + begin, alive=self.alive[:, begin:stop], dynamic=cut)


def counted(yyyymm_values: Integers, field: str = "I_TIMEBASE") -> Integers:
    """Months as written (202412) -> counted months.

    >>> counted(np.array([202412, 202501])).tolist()
    [24299, 24300]
    """
    years, months = np.divmod(yyyymm_values, 100)
    wrong = (months < 1) | (months > 12) | (years < FIRST_YEAR) | (years > LAST_YEAR)
    if wrong.any():
        raise Refusal(
            f"{field} holds {int(yyyymm_values[wrong][0])}, which is no month.", "Write months as YYYYMM, 202401."
        )
    return np.asarray(years * 12 + months - 1, dtype=np.int64)


def yyyymm(month: int) -> int:
    """A counted month as it is written.

    >>> yyyymm(24300)
    202501
    """
    return Month(month).yyyymm


def panel_from_columns(
    customers: NDArray[Any] | pa.DictionaryArray,
    timebase: Integers,
    alive: NDArray[Any],
    dynamic: Mapping[str, NDArray[Any]],
    static: Mapping[str, NDArray[Any]],
) -> Panel:
    """Grids from the columns of a long table, in any order of its rows.

    Args:
        customers: key of each row's customer, shape (rows,); words may be encoded by a dictionary.
        timebase: its month as written, YYYYMM, shape (rows,).
        alive: 1 or 0, shape (rows,).
        dynamic: numbers that change, shape (rows,) each; not finite = unknown.
        static: numbers or words that do not change, shape (rows,) each; the earliest row of a customer counts, so that
            nothing written later is known earlier.

    Raises:
        Refusal: no row, a month that is none, two rows of one customer in one month, a state other than 0 and 1.
    """
    if not len(customers):
        raise Refusal("The panel has no row.", "Ingest data that cover the experiment's windows.")
    months = counted(timebase)
    keys, rows = _numbered(customers)
    first, width = int(months.min()), int(months.max() - months.min()) + 1
    cells = rows * width + (months - first)
    _refuse_doubles(cells, keys, first, width)
    states = np.asarray(alive, dtype=np.float64)
    if not np.isin(states, (0.0, 1.0)).all():
        raise Refusal("I_Alive holds something other than 0 and 1.", "Write 1 for alive, 0 for dead.")
    grid = np.full(len(keys) * width, UNKNOWN, dtype=np.int8)
    grid[cells] = states.astype(np.int8)
    earliest = np.full(len(keys), np.iinfo(np.int64).max)
    np.minimum.at(earliest, rows, cells)
    position = np.empty(len(keys) * width, dtype=np.int64)
    position[cells] = np.arange(len(cells))
    numbers, levels, notes = _static_columns(static, position[earliest], rows)
    return Panel(
        customers=keys,
        first_month=first,
        alive=grid.reshape(len(keys), width),
        dynamic=_grids(dynamic, cells, (len(keys), width)),
        static=numbers,
        levels=levels,
        notes=tuple(notes),
    )


def _numbered(customers: NDArray[Any] | pa.DictionaryArray) -> tuple[NDArray[Any], Integers]:
    """The sorted keys, and the place of each row's key among them."""
    if isinstance(customers, pa.DictionaryArray):
        words = customers.dictionary.to_numpy(zero_copy_only=False)
        keys, places = np.unique(words, return_inverse=True)
        return keys, places[customers.indices.to_numpy(zero_copy_only=False)]
    return np.unique(customers, return_inverse=True)


def _refuse_doubles(cells: Integers, keys: NDArray[Any], first: int, width: int) -> None:
    ordered = np.sort(cells)
    double = ordered[1:][ordered[1:] == ordered[:-1]]
    if double.size:
        row, column = divmod(int(double[0]), width)
        raise Refusal(
            f"Customer {keys[row]} has two rows in {yyyymm(first + column)}.", "Keep one row per customer and month."
        )


def _grids(dynamic: Mapping[str, NDArray[Any]], cells: Integers, shape: tuple[int, int]) -> dict[str, Floats]:
    """All in one piece of memory, so that what is needed in between leaves no holes beside them."""
    grids = np.full((len(dynamic), shape[0] * shape[1]), np.nan, dtype=np.float32)
    for grid, values in zip(grids, dynamic.values(), strict=True):
        numbers = np.array(values, dtype=np.float32)
        numbers[~np.isfinite(numbers)] = np.nan
        grid[cells] = numbers
    return {name: grid.reshape(shape) for name, grid in zip(dynamic, grids, strict=True)}


def _static_columns(
    static: Mapping[str, NDArray[Any]], earliest: Integers, rows: Integers
) -> tuple[dict[str, Floats], dict[str, tuple[str, ...]], list[str]]:
    numbers: dict[str, Floats] = {}
    levels: dict[str, tuple[str, ...]] = {}
    notes = []
    for name, values in static.items():
        if values.dtype.kind in "OUS":
            words = np.array(["" if word is None else str(word) for word in values], dtype=object)
            known, codes = np.unique(words, return_inverse=True)
            levels[name] = tuple(str(word) for word in known)
            column = codes.astype(np.float32)
        else:
            column = np.asarray(values, dtype=np.float32)
        numbers[name] = column[earliest]
        changed = np.unique(rows[~_same(column, numbers[name][rows])]).size
        if changed:
            notes.append(f"{name} is called static but changes for {changed} customers; the earliest value counts.")
    return numbers, levels, notes


def _same(left: Floats, right: Floats) -> Booleans:
    return np.asarray((left == right) | (np.isnan(left) & np.isnan(right)))


def read_panel(path: Path, dynamic: Sequence[str], static: Sequence[str]) -> Panel:
    """The panel of a Parquet file with columns Kunde, I_TIMEBASE, I_Alive and the named features.

    Raises:
        Refusal: as `panel_from_columns`, and when a column is missing or a dynamic one is not numeric.
    """
    wanted = ["Kunde", "I_TIMEBASE", "I_Alive", *dynamic, *static]
    there = pq.read_schema(path).names
    missing = [name for name in wanted if name not in there]
    if missing:
        raise Refusal(
            f"The panel has no column {', '.join(missing)}.", "Correct the data dictionary, or ingest data with it."
        )
    schema = pq.read_schema(path)
    for name in dynamic:
        kind = schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise Refusal(f"{name} is dynamic but holds {kind}.", "Only numbers can change; call it static.")
    marks = _Columns(path, ("I_TIMEBASE", "I_Alive"))
    return panel_from_columns(
        _read_keys(path),
        np.asarray(marks["I_TIMEBASE"], dtype=np.int64),
        marks["I_Alive"],
        _Columns(path, dynamic),
        _Columns(path, static),
    )


def _read_keys(path: Path) -> NDArray[Any] | pa.DictionaryArray:
    pieces = list(_pieces(path, "Kunde"))
    if not pieces:
        return np.empty(0, dtype=object)
    keys = pa.chunked_array(pieces)
    if keys.null_count:
        raise Refusal(f"Kunde is empty in {keys.null_count} rows.", "Give every row its customer.")
    if pa.types.is_dictionary(keys.type):
        return keys.unify_dictionaries().combine_chunks()
    return np.asarray(keys.to_numpy())


def _pieces(path: Path, name: str) -> Iterator[pa.Array]:
    """A column, some rows at a time: memory that a library keeps for its next piece stays small."""
    with pq.ParquetFile(path, read_dictionary=["Kunde"]) as file:
        for batch in file.iter_batches(_PIECE, columns=[name], use_threads=False):
            yield batch.column(0)


class _Columns(Mapping[str, NDArray[Any]]):
    """Columns of a Parquet file, each read when it is asked for, so that no two are in memory."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._names = tuple(names)

    def __getitem__(self, name: str) -> NDArray[Any]:
        pieces = [piece.to_numpy(zero_copy_only=False) for piece in _pieces(self._path, name)]
        return np.concatenate(pieces) if pieces else np.empty(0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
