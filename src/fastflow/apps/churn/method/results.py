"""What a pipeline gives back: `report.json` and one Parquet file per table, the same bytes for the same content."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Tell = Callable[..., None]
"""Tells progress: `tell(progress=0.4, step="fit", total=6)`."""


class Results:
    """Writes results into the artifacts folder.

    Args:
        folder: where to; made when absent.
        experiment_id: stands in every row of every table.
    """

    def __init__(self, folder: Path, experiment_id: int) -> None:
        self._folder = folder
        self._experiment_id = experiment_id
        (folder / "tables").mkdir(parents=True, exist_ok=True)

    def table(self, name: str, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> None:
        """Store a table: rows as mappings, or columns as arrays of one length. Lists are stored as JSON text.

        A table without rows is stored as such when it is given by columns; given by rows it has `experiment_id` alone.
        """
        columns = dict(rows) if isinstance(rows, Mapping) else _turned(rows)
        arrays = {key: _array(values) for key, values in columns.items()}
        length = len(next(iter(arrays.values()))) if arrays else 0
        first = {"experiment_id": pa.array(np.full(length, self._experiment_id, dtype=np.int64))}
        pq.write_table(pa.table(first | arrays), self._folder / "tables" / f"{name}.parquet")

    def report(self, content: Mapping[str, Any]) -> None:
        """Store the report; numbers that are not finite become null."""
        full = {"experiment_id": self._experiment_id, **content}
        self.text("report.json", json.dumps(plain(full), indent=2, sort_keys=True, ensure_ascii=False) + "\n")

    def text(self, name: str, content: str) -> None:
        """Store a text file."""
        (self._folder / name).write_text(content, encoding="utf-8")

    def content(self, name: str, content: bytes) -> None:
        """Store a binary file."""
        (self._folder / name).write_bytes(content)


def _turned(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: [row.get(key) for row in rows] for key in keys}


def _array(values: Any) -> pa.Array:
    if isinstance(values, np.ndarray):
        return pa.array(values, from_pandas=True)
    return pa.array([_cell(value) for value in values])


def _cell(value: Any) -> Any:
    value = plain(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def plain(value: Any) -> Any:
    """A value as JSON has it: numpy's become Python's, what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
